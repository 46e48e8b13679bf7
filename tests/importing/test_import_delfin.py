"""`delphis db import-delfin` from the database that Delfin ships with, into a running Delphis."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.acceptance.test_tokens import make_token
from tests.importing.conftest import Ended, import_delfin
from tests.importing.delfin import (
    PASSWORD,
    SECRET_ATTRIBUTE,
    Delfin,
    alert_source,
    encoded,
    rest,
    ssh_key,
    storages,
    tasks,
    volumes,
)
from tests.support.up import Up, core_alone, fake_array, wait_for


def url_of(delfin: Delfin) -> str:
    return str(delfin.engine.url)


def document(ended: Ended) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended.out)
    return found


def outcomes(said: dict[str, Any]) -> dict[str, str]:
    return {storage["id"]: storage["outcome"] for storage in said["storages"]}


def stored(core: Up, storage_id: str) -> dict[str, Any] | None:
    reply = core.ask("GET", f"/v1/storages/{storage_id}")
    return reply.json if reply.status == 200 else None


def test_a_fleet_moves_over(core: Up, delfin: Delfin) -> None:
    first = delfin.array(1, storage_name="east", extra_attributes={"volumes": "17", "token": SECRET_ATTRIBUTE})
    second = delfin.array(2, rest=rest("2"))
    gone = delfin.storage(deleted=True)
    delfin.storage(deleted=False, deleted_at=delfin.at)
    delfin.access(str(uuid.uuid4()), rest=rest(3))
    delfin.add(volumes, *({"id": str(uuid.uuid4()), "storage_id": first} for _ in range(3)))
    community = {"version": "SNMPv2c", "community_string": encoded("sentinel-community"), "port": 1161}
    delfin.add(alert_source, {"storage_id": first, "host": "127.31.0.1", **community})
    delfin.add(alert_source, {"storage_id": second, "host": "127.31.0.2", "version": "SNMPv4"})
    delfin.add(tasks, {"id": 1, "storage_id": first, "method": "delfin.task"})
    path = Path(delfin.engine.url.database or "")
    before = hashlib.sha256(path.read_bytes()).digest()

    dry = import_delfin(core, url_of(delfin), "--dry-run")
    assert dry.code == 0, dry
    assert "2 would be imported, 0 were there already, 0 failed; nothing was stored." in dry.out
    assert stored(core, first) is None

    moved = import_delfin(core, url_of(delfin), process=True)
    assert moved.code == 0, moved
    assert f"imported      {first}  fake_storage fake_driver  east" in moved.out
    assert moved.out.index(first) < moved.out.index(second)
    assert "storages that were removed in Delfin (table storages), 2 rows: they are gone there" in moved.out
    assert "access infos without a storage (table access_info), 1 row" in moved.out
    assert "table volumes, 3 rows: the first sync reads it" in moved.out
    assert "its SNMP settings are not taken: its version is none of" in moved.out
    config = core.get(f"/v1/storages/{first}/snmp-config")
    assert (config["host"], config["version"], config["port"]) == ("127.31.0.1", "SNMPv2c", 1161)
    assert core.ask("GET", f"/v1/storages/{second}/snmp-config").status == 404
    assert "table tasks, 1 row" in moved.out
    assert "storages.status, total_capacity, used_capacity" in moved.out
    assert "--array-tls off" in moved.out
    assert stored(core, gone) is None
    storage = core.get(f"/v1/storages/{first}")
    assert (storage["name"], storage["vendor"], storage["display_name"]) == ("fake_driver", "fake_vendor", "east")
    assert (storage["sync_status"], storage["sync_outcome"]) == ("SYNCED", "never")
    assert (storage["status"], storage["total_capacity"], storage["last_success_at"]) == (None, None, None)
    assert core.get(f"/v1/storages/{second}/access-info")["rest"]["port"] == 2

    again = import_delfin(core, url_of(delfin))
    assert again.code == 0
    assert "0 imported, 2 were there already, 0 failed." in again.out
    assert core.get(f"/v1/storages/{first}") == storage

    synced = core.sync(first)
    assert synced["sync_outcome"] == "ok", synced
    assert len(core.get(f"/v1/volumes?storage_id={first}")["volumes"]) == 17
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_what_cannot_come_is_listed_with_its_reason_and_the_rest_comes(core: Up, delfin: Delfin) -> None:
    good = delfin.array(10)
    reasons = {
        delfin.storage(): "it has no access info in Delfin",
        delfin.array(11, rest=rest(11, password=PASSWORD)): "rest.password is not base64",
        delfin.array(12, rest=None): "At least one of rest, ssh, cli, smis must be given",
        delfin.array(13, rest=rest(None)): "field/attribute rest.port",
        delfin.array(10, storage_name="the same address"): f"use the storage {good}",
        delfin.array(14, vendor=None): "field/attribute vendor",
        delfin.array(15, extra_attributes={"a/b": SECRET_ATTRIBUTE}): "field/attribute extra_attributes",
        delfin.array(16, extra_attributes={"a": SECRET_ATTRIBUTE * 20}): "field/attribute extra_attributes.a",
    }
    for odd in ("array-1", "", uuid.uuid4().hex):
        delfin.storage(odd or " ")
        reasons[odd or " "] = "its id is no UUID"
        delfin.access(odd or " ", rest=rest(17))
    ended = import_delfin(core, url_of(delfin), "-o", "json")
    assert ended.code == 1
    said = document(ended)
    assert not said["complete"]
    assert said["counts"] == {"imported": 1, "would_import": 0, "exists": 0, "failed": 11, "not_tried": 0}
    assert outcomes(said) == {good: "imported", **dict.fromkeys(reasons, "failed")}
    for storage in said["storages"]:
        if storage["id"] != good:
            assert reasons[storage["id"]] in storage["problem"], storage
    told = import_delfin(core, url_of(delfin))
    assert told.code == 1
    assert "0 imported, 1 were there already, 11 failed." in told.out
    assert "(STORAGE_ALREADY_EXISTS)" in told.out


def test_what_comes_with_a_warning(core: Up, delfin: Delfin) -> None:
    block = {"host": "127.31.0.1", "port": 20, "username": "u", "password": encoded()}
    by_ssh = delfin.array(20, rest=None, ssh=block)
    keyed = delfin.array(21, rest=None, ssh={**block, "port": 21, "pub_key": ssh_key()})
    unknown = delfin.array(22, vendor="dell_emc", model="vmax", extra_attributes={"array_id": "0001"})
    upper = delfin.storage(str(uuid.uuid4()).upper())
    delfin.access(upper, rest=rest(23))
    escape = delfin.array(24, rest=rest(24, extra="x"))
    delfin.storage(str(uuid.uuid4()), name="\x1b[31mred\n")
    ended = import_delfin(core, url_of(delfin), "-o", "json")
    warnings = {storage["id"]: " ".join(storage["warnings"]) for storage in document(ended)["storages"]}
    assert "first one that the array shows will be pinned" in warnings[by_ssh]
    assert "ssh.pub_key_type was not set: the key is one of ssh-ed25519" in warnings[keyed]
    assert "No driver serves vendor 'dell_emc', model 'vmax'" in warnings[unknown]
    assert "rest.extra is no field" in warnings[escape]
    assert warnings[upper] == ""
    assert core.get(f"/v1/storages/{by_ssh}/access-info")["ssh"]["host_key_policy"] == "trust_first"
    assert core.get(f"/v1/storages/{upper}")["id"] == upper.lower()
    failed = core.sync(unknown)
    assert (failed["sync_outcome"], failed["driver_model"]) == ("failed", "vmax")
    told = import_delfin(core, url_of(delfin))
    assert "\\x1b[31mred" in told.out
    assert "\x1b" not in told.out


def test_one_storage_alone(core: Up, delfin: Delfin) -> None:
    wanted, other = delfin.storage(serial_number=" SN-30 ", firmware_version="7.1", location="HK"), delfin.array(31)
    delfin.access(wanted, rest=rest(30))
    nowhere = str(uuid.uuid4())
    ended = import_delfin(core, url_of(delfin), "-o", "json", "--only", wanted.upper(), "--only", nowhere)
    assert ended.code == 1
    assert outcomes(document(ended)) == {wanted: "imported", nowhere: "failed"}
    assert stored(core, other) is None
    storage = core.get(f"/v1/storages/{wanted}")
    assert [storage[name] for name in ("serial_number", "firmware_version", "location")] == ["SN-30", "7.1", "HK"]
    failed = core.sync(wanted)
    assert (failed["sync_outcome"], failed["serial_number"]) == ("failed", "SN-30")
    assert "has the serial number FAKE" in failed["sync_error"]


def test_a_storage_over_rest(core: Up) -> None:
    storage_id = str(uuid.uuid4())
    body = {**fake_array(35, host="127.31.0.1"), "array": {"name": "from afar", "status": "degraded"}}
    for imported in (True, False):
        reply = core.ask("POST", f"/v1/storages/{storage_id}:import", body)
        assert reply.status == 200, reply
        assert (reply.json["imported"], reply.json["warnings"]) == (imported, [])
        assert (reply.json["storage"]["name"], reply.json["storage"]["status"]) == ("from afar", "degraded")
    bad = core.ask("POST", f"/v1/storages/{storage_id}:import", {**body, "array": {"id": storage_id}})
    assert (bad.status, bad.json["error_args"]) == (400, ["array.id"])
    other = core.ask("POST", f"/v1/storages/{uuid.uuid4()}:import", body)
    assert (other.status, other.json["error_code"]) == (400, "StorageAlreadyExists")
    assert storage_id in other.json["error_args"]


def test_tls_towards_arrays_is_as_the_operator_says(core: Up, delfin: Delfin, tmp_path: Path) -> None:
    off = delfin.array(40, smis={"host": "127.31.0.1", "port": 5989, "username": "u", "password": encoded("p")})
    ended = import_delfin(core, url_of(delfin), "--array-tls", "off", "-o", "json")
    assert not any("--array-ca" in note for note in document(ended)["notes"])
    access = core.get(f"/v1/storages/{off}/access-info")
    assert (access["rest"]["tls"]["mode"], access["smis"]["tls"]["mode"]) == ("off", "off")
    authorities = tmp_path / "ca.pem"
    authorities.write_text("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n")
    verified = delfin.array(41)
    assert import_delfin(core, url_of(delfin), "--array-ca", str(authorities)).code == 0
    access = core.get(f"/v1/storages/{verified}/access-info")
    assert access["rest"]["tls"]["ca_certificates"] == authorities.read_text()
    both = import_delfin(core, url_of(delfin), "--array-ca", str(authorities), "--array-tls", "off")
    assert both.code == 2


def test_an_older_database_lacks_some_and_another_has_more(core: Up, tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE storages (id TEXT, name TEXT, colour TEXT)")
        connection.execute("CREATE TABLE access_info (storage_id TEXT, vendor TEXT, model TEXT, rest TEXT)")
        connection.execute("CREATE TABLE branding (logo BLOB)")
        connection.execute("INSERT INTO branding VALUES (x'00')")
        for storage_id, port in ((first, 50), (first, 51), (second, 52)):
            connection.execute("INSERT INTO storages VALUES (?, 'n', 'red')", (storage_id,))
            if port != 51:
                values = (storage_id, "fake_storage", "fake_driver", json.dumps(rest(port)))
                connection.execute("INSERT INTO access_info VALUES (?, ?, ?, ?)", values)
    connection.close()
    ended = import_delfin(core, f"sqlite:///{path}", "-o", "json")
    assert ended.code == 0, ended
    said = document(ended)
    assert outcomes(said) == {first: "imported", second: "imported"}
    left = {each["what"]: (each["why"], each["rows"]) for each in said["not_taken"]}
    unknown = "not a part of Delfin that is known here"
    assert left["storages.colour"] == (unknown, None)
    assert left["table branding"] == (unknown, 1)
    assert left["second rows of the same storage (table storages)"][1] == 1


def test_large_tables_are_no_burden(core: Up, delfin: Delfin) -> None:
    with delfin.engine.begin() as connection:
        counter = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :most)"
        connection.execute(
            text(f"INSERT INTO volumes (id, name) {counter} SELECT 'v' || i, 'v' FROM n"), {"most": 120_000}
        )
        connection.execute(
            text(f"INSERT INTO storages (id, deleted) {counter} SELECT 's' || i, 1 FROM n"), {"most": 30_000}
        )
    storage_id = delfin.array(60)
    ended = import_delfin(core, url_of(delfin))
    assert ended.code == 0, ended
    assert f"imported      {storage_id}" in ended.out
    assert "table volumes, more than 100,000 rows" in ended.out
    assert "30,000 rows: they are gone there" in ended.out


def test_the_url_comes_without_the_command_line(core: Up, delfin: Delfin, tmp_path: Path) -> None:
    storage_id = delfin.array(70)
    file = tmp_path / "url"
    file.write_text(url_of(delfin) + "\n")
    ways: list[tuple[tuple[str, ...], str, dict[str, str]]] = [
        (("--url-file", str(file)), "", {}),
        (("--url-file", "-"), url_of(delfin) + "\n", {}),
        ((), "", {"DELPHIS_DELFIN_URL": url_of(delfin)}),
    ]
    for arguments, stdin, environment in ways:
        ended = import_delfin(core, "--dry-run", "-o", "json", *arguments, stdin=stdin, environment=environment)
        assert ended.code == 0, ended
        assert outcomes(document(ended)) == {storage_id: "would_import"}
    assert import_delfin(core, "--url-file", str(file), url_of(delfin)).code == 2
    assert "DELPHIS_DELFIN_URL" in import_delfin(core).err
    nowhere = f"mysql://delfin:{PASSWORD}@localhost/delfin?unix_socket={tmp_path}/none"
    warned = import_delfin(core, nowhere, process=True)
    assert warned.code == 2
    assert "use --url-file or DELPHIS_DELFIN_URL" in warned.err
    assert "mysql://delfin@localhost/delfin" in warned.err


def test_other_databases_are_refused(core: Up, tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("hello")
    sqlite3.connect(tmp_path / "empty.sqlite").close()
    half = create_engine(f"sqlite:///{tmp_path / 'half.sqlite'}")
    storages.create(half)
    with half.begin() as connection:
        connection.execute(text("CREATE TABLE access_info (storage_id TEXT, vendor TEXT)"))
    half.dispose()
    problems = {
        f"sqlite:///{tmp_path}/absent.sqlite": "There is no database file",
        f"sqlite:///{tmp_path}/text.sqlite": "file is not a database",
        f"sqlite:///{tmp_path}/empty.sqlite": "no Delfin database: it has no table storages",
        f"sqlite:///{tmp_path}/half.sqlite": "its table access_info has no column model",
        f"sqlite:///{core.data_dir}/inventory.db": "no Delfin database: it has no table access_info",
        "sqlite://": "names its file",
        "oracle://db/delfin": "can't be one of 'oracle'",
        "delfin.sqlite": "can't be read",
    }
    for url, problem in problems.items():
        ended = import_delfin(core, url)
        assert (ended.code, ended.out) == (2, ""), ended
        assert problem in ended.err
    assert not (tmp_path / "absent.sqlite").exists()


@pytest.mark.parametrize("open_elsewhere", [False, True], ids=["closed", "open"])
def test_a_database_in_write_ahead_mode_stays_as_it_is(
    core: Up, delfin: Delfin, tmp_path: Path, open_elsewhere: bool
) -> None:
    storage_id = delfin.array(80)
    path = tmp_path / "delfin.sqlite"
    delfin.engine.dispose()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("UPDATE storages SET name = 'renamed'")
    connection.commit()
    if not open_elsewhere:
        connection.close()
    before = sorted(other.name for other in tmp_path.iterdir())
    assert (f"{path.name}-wal" in before) == open_elsewhere
    ended = import_delfin(core, url_of(delfin), "--dry-run", "-o", "json")
    assert outcomes(document(ended)) == {storage_id: "would_import"}, ended
    assert document(ended)["storages"][0]["name"] == "renamed"
    assert sorted(other.name for other in tmp_path.iterdir()) == before
    connection.close()


def test_only_an_admin_may_and_a_server_must_be_there(delfin: Delfin, tmp_path_factory: pytest.TempPathFactory) -> None:
    storage_id = delfin.array(90)
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "admin").write_text(make_token(folder, "admin", "admin"))
    bearer = {"Authorization": f"Bearer {(folder / 'admin').read_text()}"}
    with core_alone(folder, "--auth", "token") as running:
        made = running.ask("POST", "/v1/tokens", {"name": "operate", "scopes": ["operate"]}, headers=bearer)
        (folder / "operate").write_text(made.json["secret"])
        for arguments in ((), ("--token-file", str(folder / "operate"))):
            ended = import_delfin(running, url_of(delfin), *arguments)
            assert ended.code == 4, ended
            assert "0 imported, 0 were there already, 0 failed, 1 not tried." in ended.out
        ended = import_delfin(running, url_of(delfin), "--token-file", str(folder / "admin"))
        assert ended.code == 0, ended
        assert f"imported      {storage_id}" in ended.out

        def imports() -> list[dict[str, Any]]:
            entries = running.ask("GET", "/v1/audit-entries", headers=bearer).json["audit_entries"]
            of_import = [each for each in entries if each["method"].endswith("/ImportStorage")]
            return of_import if len(of_import) == 3 else []

        first, second, last = sorted(wait_for("audit entries", imports), key=lambda each: each["at"])
        assert (last["caller"], last["resource_id"], last["code"]) == ("admin", storage_id, "OK")
        assert {first["code"], second["code"]} == {"UNAUTHENTICATED", "PERMISSION_DENIED"}
    ended = import_delfin(running, url_of(delfin), "-o", "json")
    assert ended.code == 3
    assert document(ended)["counts"]["not_tried"] == 1
