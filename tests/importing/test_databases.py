"""The three databases that Delfin runs on: read completely, written never."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from services.importing.source_url import SourceUrl
from tests.importing.conftest import import_delfin
from tests.importing.delfin import Delfin, alert_source, encoded, rest, volumes
from tests.support import mariadb, postgres
from tests.support.up import Up

PASSWORD = "sentinel-27b0:@/ %"
QUOTED = quote(PASSWORD, safe="")


@dataclass(frozen=True, slots=True)
class Database:
    """A Delfin database, and the URL by which it is read."""

    delfin: Delfin
    url: str
    shown: str
    host: str
    """Of its arrays: all tests share one Delphis."""


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[mariadb.Server]:
    """One MariaDB server for all tests."""
    if not mariadb.SERVER.exists():
        missing = "install mariadb-server, see .ci/run"
        if os.environ.get("CI"):
            pytest.fail(f"CI lacks what marker 'apt' needs: {missing}", pytrace=False)
        pytest.skip(f"apt: {missing}")
    with mariadb.server() as server:
        yield server


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgres),
        pytest.param("mysql", marks=pytest.mark.apt),
    ]
)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A Delfin database of each kind."""
    if request.param == "sqlite":
        filled = url = shown = f"sqlite:///{tmp_path / 'delfin.sqlite'}"
    elif request.param == "postgresql":
        cluster: postgres.Cluster = request.getfixturevalue("postgres_cluster")
        plain = cluster.new_database()
        filled = plain.replace("postgresql:", "postgresql+psycopg:")
        url = plain.replace("delphis@", f"delphis:{QUOTED}@").replace("postgresql:", "postgresql+psycopg2:")
        shown = plain.partition("?")[0]
    else:
        server: mariadb.Server = request.getfixturevalue("mariadb_server")
        filled, url = server.new_database(reader="delfin", password=PASSWORD)
        shown = url.partition("?")[0].replace(f":{QUOTED}", "").replace("+pymysql", "")
    engine = create_engine(filled)
    yield Database(Delfin(engine), url, shown, f"127.32.0.{len(request.param)}")
    engine.dispose()


def test_a_fleet_moves_over_from_each(core: Up, database: Database) -> None:
    delfin, host = database.delfin, database.host
    storage_id = delfin.array(22, storage_name="größe", rest=rest("22", host=host), extra_attributes={"volumes": "5"})
    blocks = delfin.array(0, rest=None, cli=rest(None, host=host))
    delfin.storage(deleted=True)
    delfin.storage(deleted=False, deleted_at=delfin.at)
    delfin.add(volumes, *({"id": f"v{number}", "storage_id": storage_id} for number in range(1200)))
    snmp = {"version": "snmpv2c", "community_string": encoded()}
    delfin.add(alert_source, {"storage_id": storage_id, "host": "127.31.0.1", **snmp})
    moved = import_delfin(core, "--url-file", "-", "-o", "json", stdin=database.url)
    assert moved.code == 0, moved.out
    said = json.loads(moved.out)
    assert said["source"] == database.shown
    assert {each["id"]: (each["outcome"], each["name"]) for each in said["storages"]} == {
        storage_id: ("imported", "größe"),
        blocks: ("imported", "fake_driver"),
    }
    left = {each["what"]: each["rows"] for each in said["not_taken"]}
    assert left["storages that were removed in Delfin (table storages)"] == 2
    assert left["table volumes"] == 1200
    assert core.get(f"/v1/storages/{storage_id}/snmp-config")["host"] == "127.31.0.1"
    assert core.get(f"/v1/storages/{blocks}/access-info")["cli"]["host"] == host
    synced = core.sync(storage_id)
    assert synced["sync_outcome"] == "ok", synced
    assert len(core.get(f"/v1/volumes?storage_id={storage_id}")["volumes"]) == 5
    again = import_delfin(core, environment={"DELPHIS_DELFIN_URL": database.url})
    assert "0 imported, 2 were there already, 0 failed." in again.out


def test_what_we_open_refuses_to_write(database: Database) -> None:
    storage_id = database.delfin.array(1)
    engine = SourceUrl(database.url).open()
    try:
        for statement in ("DELETE FROM storages", "UPDATE access_info SET vendor = 'x'", "CREATE TABLE ours (id INT)"):
            with engine.connect() as connection, pytest.raises(SQLAlchemyError, match=r"(?i)read.?only"):
                connection.execute(text(statement))
        with engine.connect() as connection:
            assert connection.execute(text("SELECT id FROM storages")).scalar_one() == storage_id
    finally:
        engine.dispose()


@pytest.mark.apt
def test_a_refused_login_is_told_without_the_password(core: Up, mariadb_server: mariadb.Server) -> None:
    _, url = mariadb_server.new_database(reader="delfin", password=PASSWORD)
    ended = import_delfin(core, "--url-file", "-", stdin=url.replace("sentinel", "wrong-sentinel"), process=True)
    assert ended.code == 2
    assert "Access denied for user 'delfin'" in ended.err
    assert "sentinel" not in ended.err


@pytest.mark.postgres
def test_an_absent_database_is_told(core: Up, postgres_cluster: postgres.Cluster) -> None:
    ended = import_delfin(core, postgres_cluster.url("nothing"))
    assert ended.code == 2
    assert 'database "nothing" does not exist' in ended.err
