"""The REST surface of SODA Delfin, line by line, against a running `delphis up`."""

from __future__ import annotations

from typing import Any

import pytest

from services.calls.errors import reasons
from tests.catalogue import errors, lists, resources, storages
from tests.catalogue.models import MODELS
from tests.catalogue.resources import TIME
from tests.catalogue.rows import Row, params
from tests.catalogue.world import World, array
from tests.support.up import fake_array, wait_for


@pytest.mark.parametrize("row", params(errors.TABLE))
def test_errors(world: World, row: Row) -> None:
    row.run(world)


@pytest.mark.parametrize("row", params(storages.TABLE))
def test_storages(world: World, row: Row) -> None:
    row.run(world)


@pytest.mark.parametrize("row", params(resources.TABLE))
def test_resources(world: World, row: Row) -> None:
    row.run(world)


@pytest.mark.parametrize("row", params(lists.TABLE))
def test_lists(world: World, row: Row) -> None:
    row.run(world)


def test_a_storage_from_its_registration_to_its_removal(world: World) -> None:
    registered = world.ask("POST", "/v1/storages", array(9301, storage_name="the third"))
    assert registered.status == 201
    storage = registered.json
    assert storage["sync_status"] == "SYNCING"
    assert (storage["updated_at"], storage["deleted"], storage["deleted_at"]) == (None, False, None)
    path = f"/v1/storages/{storage['id']}"
    world.up.wait_synced(storage["id"])
    assert world.get(path).keys() == storage.keys()

    synced = world.ask("POST", path + "/sync")
    assert (synced.status, synced.text, synced.headers.get("content-type")) == (202, "", None)
    assert world.get(f"/v1/jobs/{synced.headers['delphis-job-id']}")["storage_id"] == storage["id"]
    world.up.wait_synced(storage["id"])

    volume = world.items(path + "/volumes?limit=1")[0]
    removed = world.ask("DELETE", path)
    assert (removed.status, removed.text, removed.headers.get("content-type")) == (202, "", None)
    assert removed.headers["delphis-job-id"]
    assert storage["id"] not in {item["id"] for item in world.items("/v1/storages")}
    assert storage["id"] not in {item["storage_id"] for item in world.items("/v1/access-infos")}
    assert storage["id"] not in {item["storage_id"] for item in world.all("/v1/volumes")}
    gone = {
        path: "StorageNotFound",
        path + "/volumes": "StorageNotFound",
        f"/v1/volumes?storage_id={storage['id']}": "StorageNotFound",
        path + "/access-info": "AccessInfoNotFound",
        path + "/capabilities": "StorageNotFound",
        f"/v1/volumes/{volume['id']}": "VolumeNotFound",
    }
    for where, code in gone.items():
        reply = world.ask("GET", where)
        assert (reply.status, reply.json["error_code"]) == (404, code), where
    again = world.ask("DELETE", path)
    assert (again.status, again.json["error_code"]) == (404, "StorageNotFound")


def test_a_sync_of_all_leaves_out_what_syncs_already(world: World) -> None:
    synced = world.ask("POST", "/v1/storages/sync")
    assert (synced.status, synced.text) == (202, "")
    assert (synced.headers["delphis-jobs-started"], synced.headers["delphis-jobs-skipped"]) == ("3", "1")
    for name in ("a", "b", "large"):
        world.up.wait_synced(world.names[name])
    jobs = world.items(f"/v1/jobs?batch_id={synced.headers['delphis-batch-id']}")
    assert {job["storage_id"] for job in jobs} == {world.names[name] for name in ("a", "b", "large")}
    assert world.get("/v1/storages/{busy}")["sync_status"] == "SYNCING"


def test_changed_access_info_is_answered_and_touches_no_sibling(world: World) -> None:
    before = world.get("/v1/storages/{b}/access-info")
    rest = {"host": "127.0.0.1", "port": 9001, "username": "other", "password": "other"}
    changed = world.ask("PUT", "/v1/storages/{a}/access-info", {"rest": rest, "cli": storages.CLI})
    assert changed.status == 200
    assert changed.json["rest"]["username"] == "other"
    assert changed.json["cli"]["username"] == "admin"
    assert "password" not in changed.json["rest"] | changed.json["cli"]
    assert TIME.fullmatch(changed.json["updated_at"])
    assert world.get("/v1/storages/{a}/access-info") == changed.json
    assert world.get("/v1/storages/{b}/access-info") == before


def test_blocks_without_what_they_need_not_have(world: World) -> None:
    def body(host: str) -> dict[str, Any]:
        cli = {"host": host, "username": "admin", "password": "other"}
        return {"vendor": "fake_storage", "model": "fake_driver", "cli": cli}

    first = world.register(body("127.0.0.11"), wait=False)
    second = world.register(body("127.0.0.12"), wait=False)
    again = world.ask("POST", "/v1/storages", body("127.0.0.11"))
    assert (again.status, again.json["error_code"]) == (400, "StorageAlreadyExists")
    ssh = {"host": "127.0.0.11", "port": 22, "username": "admin"}
    for more in ({}, {"pub_key": "AAAA", "pub_key_type": "ssh-rsa"}):
        changed = world.ask("PUT", "/v1/storages/{a}/access-info", {"ssh": {**ssh, **more}})
        assert changed.status == 200, changed
        assert changed.json["ssh"].items() >= {**ssh, **more}.items()
        assert changed.json["rest"]["port"] == 9001
    for identity in (first, second):
        assert world.ask("DELETE", f"/v1/storages/{identity}").status == 202


def test_what_changes_gets_a_time(world: World) -> None:
    storage = world.register(fake_array(9302, volumes="3", drift="renamed=1"))

    def changed() -> list[dict[str, Any]]:
        world.up.sync(storage)
        return [item for item in world.items(f"/v1/storages/{storage}/volumes") if item["updated_at"]]

    attributes = {"volumes": "4", "drift": "renamed=1"}
    path = f"/v1/storages/{storage}/access-info"
    assert world.ask("PUT", path, {"extra_attributes": attributes}).json["extra_attributes"] == attributes
    (volume,) = wait_for("change", changed)
    assert len(world.items(f"/v1/storages/{storage}/volumes")) == 4
    assert TIME.fullmatch(volume["updated_at"])
    assert volume["updated_at"] > volume["created_at"]
    assert world.ask("DELETE", f"/v1/storages/{storage}").status == 202


# Delfin's classes of errors and their status, as far as something here can end with them. Faults of arrays, 500 there,
# have the statuses of gateways here: tests/catalogue/errors.py has them.
BAD_REQUESTS = (
    *("BadRequest", "MalformedRequestBody", "InvalidCredential", "InvalidResults", "InvalidInput", "StorageIsSyncing"),
    *("StorageSerialNumberMismatch", "StorageAlreadyExists", "InvalidUsernameOrPassword", "InvalidPrivateKey"),
    *("SSHNotFoundKnownHosts", "SSLCertificateFailed", "SSLHandshakeFailed", "InvalidIpOrPort"),
)
NOT_FOUND = (
    *("NotFound", "NoSuchAction", "AccessInfoNotFound", "StorageNotFound", "StorageBackendNotFound"),
    *("StorageDriverNotFound", *(model.not_found for model in MODELS)),
)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        *[(code, 400) for code in BAD_REQUESTS],
        *[(code, 404) for code in NOT_FOUND],
        ("NotAuthorized", 403),
        ("StorageCapabilityNotSupported", 501),
    ],
)
def test_statuses_of_error_codes(code: str, status: int) -> None:
    assert {reason.http_status for reason in reasons().values() if reason.text == code} == {status}
