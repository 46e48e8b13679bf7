"""Storages, how they are reached, and what they can measure. Nothing here changes what other rows look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.catalogue.models import ACCESS_INFO, STORAGE
from tests.catalogue.rows import Check, Row
from tests.catalogue.world import PASSWORD, World, array
from tests.support.up import Reply, fake_array

BAD = (400, "InvalidInput")
REGISTER = "POST /v1/storages"
UPDATE = "PUT /v1/storages/{a}/access-info"


def _typed(value: dict[str, Any], types: dict[str, type]) -> None:
    assert value.keys() >= types.keys()
    assert {name: type(value[name]) for name in types} == types


def _is_a(world: World, reply: Reply) -> None:
    _typed(reply.json, STORAGE)
    assert reply.json["id"] == world.names["a"]
    assert reply.json["serial_number"] == "array 9001"
    assert reply.json["sync_status"] == "SYNCED"
    assert reply.json["total_capacity"] > 2**53
    assert reply.json["deleted"] is False


def _is_syncing(_: World, reply: Reply) -> None:
    assert reply.json["sync_status"] == "SYNCING"


def _all_typed(world: World, reply: Reply) -> None:
    assert {item["id"] for item in reply.json["storages"]} == {
        world.names[name] for name in ("a", "b", "large", "busy")
    }
    for item in reply.json["storages"]:
        assert item.keys() == reply.json["storages"][0].keys() >= STORAGE.keys()


def _access_of_a(world: World, reply: Reply) -> None:
    _typed(reply.json, ACCESS_INFO)
    assert reply.json["storage_id"] == world.names["a"]
    assert reply.json["storage_name"] == "the first"
    assert (reply.json["vendor"], reply.json["model"]) == ("test", "catalogue")
    rest = reply.json["rest"]
    assert (rest["host"], rest["port"], rest["username"]) == ("127.0.0.1", 9001, "admin")
    assert "password" not in rest
    assert [reply.json[block] for block in ("ssh", "cli", "smis")] == [{}, {}, {}]
    assert PASSWORD not in reply.text


def _all_access(world: World, reply: Reply) -> None:
    assert {item["storage_id"] for item in reply.json["access_infos"]} == set(world.names.values()) - {
        world.names["nobody"]
    }
    assert PASSWORD not in reply.text


def _names(world: World, reply: Reply, name: str) -> None:
    assert world.names[name] in reply.json["error_args"]


def _capable(_: World, reply: Reply) -> None:
    assert list(reply.json) == ["metadata", "spec"]
    assert reply.json["metadata"] == {"vendor": "test_vendor", "model": "test_model"}
    assert reply.json["spec"] == {
        "is_historic": True,
        "performance_metric_retention_window": 4500,
        "collect_interval": 60,
        "resource_metrics": {
            "volume": {"iops": {"unit": "IOPS", "description": "Reads and writes"}},
            "storagePool": {"responseTime": {"unit": "ms", "description": "Mean time that a read or write took."}},
        },
    }
    assert isinstance(reply.json["spec"]["collect_interval"], int)


READS = [
    Row("storages", "GET /v1/storages", key="storages", count=4, check=_all_typed),
    Row("storages-by-name", "GET /v1/storages?name=name%20of%20array%209001", key="storages", count=1),
    Row("storages-by-the-operators-name-is-none", "GET /v1/storages?name=the%20first", key="storages", count=0),
    Row("storages-by-reported-vendor", "GET /v1/storages?vendor=test_vendor", key="storages", count=2),
    Row("storages-by-the-drivers-vendor-is-none", "GET /v1/storages?vendor=test", key="storages", count=0),
    Row("storages-by-reported-model", "GET /v1/storages?model=test_model", key="storages", count=2),
    Row("storages-by-status", "GET /v1/storages?status=normal", key="storages", count=4),
    Row("storages-by-other-status", "GET /v1/storages?status=offline", key="storages", count=0),
    Row("storages-by-no-status", "GET /v1/storages?status=purple", *BAD, said="status"),
    Row("storages-by-serial-number", "GET /v1/storages?serial_number=array%209002", key="storages", count=1),
    Row("storages-by-two", "GET /v1/storages?vendor=test_vendor&serial_number=x", key="storages", count=0),
    Row("storages-by-colour", "GET /v1/storages?colour=red", *BAD, said="colour"),
    Row("storages-by-firmware-as-documented-there", "GET /v1/storages?firmware=1", *BAD, said="firmware"),
    Row("storage", "GET /v1/storages/{a}", check=_is_a),
    Row("storage-that-syncs", "GET /v1/storages/{busy}", check=_is_syncing),
    Row("storage-of-nobody", "GET /v1/storages/{nobody}", 404, "StorageNotFound", said="1111"),
    Row("capabilities", "GET /v1/storages/{a}/capabilities", check=_capable),
    Row("no-capabilities", "GET /v1/storages/{b}/capabilities", 501, "StorageCapabilityNotSupported"),
    Row("capabilities-of-nobody", "GET /v1/storages/{nobody}/capabilities", 404, "StorageNotFound"),
    Row("access-info", "GET /v1/storages/{a}/access-info", check=_access_of_a),
    Row("access-info-of-nobody", "GET /v1/storages/{nobody}/access-info", 404, "AccessInfoNotFound"),
    Row("access-infos", "GET /v1/access-infos", key="access_infos", count=4, check=_all_access),
    Row("access-infos-limit", "GET /v1/access-infos?limit=1", key="access_infos", count=1),
    Row("access-infos-where-they-are-not", "GET /v1/storages/access-infos", 404, "StorageNotFound"),
    Row("sync-of-nobody", "POST /v1/storages/{nobody}/sync", 404, "StorageNotFound"),
    Row("sync-while-syncing", "POST /v1/storages/{busy}/sync", 400, "StorageIsSyncing"),
    Row("delete-of-nobody", "DELETE /v1/storages/{nobody}", 404, "StorageNotFound"),
]

# Blocks as Delfin takes them.
REST = {"host": "127.0.0.1", "port": 9001, "username": "admin", "password": "other"}
SSH = {**REST, "pub_key": "AAAA", "pub_key_type": "ssh-rsa"}
CLI = {"host": "127.0.0.1", "username": "admin", "password": "other"}
SMIS = {**CLI, "port": 5989, "namespace": "root/cimv2"}
REQUIRED: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "rest": (REST, ("host", "port", "username", "password"), ("host", "port", "username", "password")),
    "ssh": (SSH, ("host", "port", "username", "password", "pub_key"), ("host", "port", "username")),
    "cli": (CLI, ("host", "username", "password"), ("host", "username", "password")),
    "smis": (SMIS, ("host", "username", "password"), ("host", "username", "password")),
}
BAD_VALUES: list[tuple[str, str, Any]] = [
    ("host", "characters", "a b"),
    ("host", "slash", "a/b"),
    ("host", "long", "h" * 256),
    ("host", "number", 7),
    ("port", "negative", -1),
    ("port", "large", 65536),
    ("port", "word", "ssh"),
    ("port", "fraction", 22.5),
    ("port", "flag", True),
    ("username", "empty", ""),
    ("username", "long", "u" * 256),
    ("username", "number", 1),
    ("password", "empty", ""),
    ("password", "long", "p" * 256),
]
OTHER_BAD_VALUES: list[tuple[str, str, str, Any]] = [
    ("ssh", "pub_key", "empty", ""),
    ("ssh", "pub_key", "long", "k" * 4097),
    *[("ssh", "pub_key_type", kind, kind) for kind in ("ed25519", "ecdsa", "rsa")],
    ("smis", "namespace", "empty", ""),
    ("smis", "namespace", "long", "n" * 256),
]
GOOD_VALUES: list[tuple[str, str, str, Any]] = [
    ("rest", "host", "longest", "h" * 255),
    ("rest", "host", "empty", ""),
    ("rest", "host", "name", "array-1.example_net"),
    ("rest", "host", "ipv6", "fd00::1"),
    ("rest", "port", "least", 0),
    ("rest", "port", "greatest", 65535),
    ("rest", "port", "text", "22"),
    ("rest", "username", "longest", "u" * 255),
    ("rest", "password", "longest", "p" * 255),
    ("ssh", "pub_key", "longest", "k" * 4096),
    *[
        ("ssh", "pub_key_type", kind, kind)
        for kind in (
            *("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
            *("ssh-rsa", "ssh-dss"),
        )
    ],
    ("cli", "port", "given", 22),
    ("smis", "namespace", "longest", "n" * 255),
]


def _without(block: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name not in names}


def _registration(block: str, value: Any) -> dict[str, Any]:
    """A registration that stores nothing."""
    return {"vendor": "test", "model": "blocks", block: value, "validate_only": True}


def blocks() -> Iterator[Row]:
    """What each block must have, and may."""
    for block, (good, required, required_in_update) in REQUIRED.items():
        yield Row(f"register-{block}", REGISTER, 201, body=_registration(block, good))
        coloured = {**good, "colour": "red"}
        yield Row(f"register-{block}-colour", REGISTER, *BAD, said="colour", body=_registration(block, coloured))
        yield Row(f"update-{block}-colour", UPDATE, *BAD, said="colour", body={block: coloured})
        yield Row(f"register-{block}-no-object", REGISTER, *BAD, said=block, body=_registration(block, "x"))
        for name in good:
            body = _registration(block, _without(good, name))
            if name in required:
                yield Row(f"register-{block}-without-{name}", REGISTER, *BAD, said=name, body=body)
            else:
                yield Row(f"register-{block}-without-{name}", REGISTER, 201, body=body)
            if name in required_in_update:
                body = {block: _without(good, name)}
                yield Row(f"update-{block}-without-{name}", UPDATE, *BAD, said=name, body=body)
        for name, what, value in BAD_VALUES:
            body = _registration(block, {**good, name: value})
            yield Row(f"register-{block}-{name}-{what}", REGISTER, *BAD, said=name, body=body)
    for block, name, what, value in OTHER_BAD_VALUES:
        body = _registration(block, {**REQUIRED[block][0], name: value})
        yield Row(f"register-{block}-{name}-{what}", REGISTER, *BAD, said=name, body=body)
        body = {block: {**REQUIRED[block][0], name: value}}
        yield Row(f"update-{block}-{name}-{what}", UPDATE, *BAD, said=name, body=body)
    for block, name, what, value in GOOD_VALUES:
        body = _registration(block, {**REQUIRED[block][0], name: value})
        yield Row(f"register-{block}-{name}-{what}-taken", REGISTER, 201, body=body)


def _registers(what: str, said: str, /, **changes: Any) -> Row:
    body = {**_registration("rest", REST), **changes}
    if said:
        return Row(f"register-{what}", REGISTER, *BAD, said=said, body=body)
    return Row(f"register-{what}", REGISTER, 201, body=body)


def _has_status(status: str) -> Check:
    def check(_: World, reply: Reply) -> None:
        assert reply.json["status"] == status

    return check


def statuses() -> Iterator[Row]:
    """Each status of an array."""
    for number, status in enumerate(("normal", "offline", "abnormal", "degraded")):
        fault = {} if status == "normal" else {"fail": f"storage:{status}"}
        body = {**fake_array(9400 + number, **fault), "validate_only": True}
        yield Row(f"status-{status}", REGISTER, 201, body=body, check=_has_status(status))


REGISTRATIONS = [
    Row("register-nothing", REGISTER, *BAD, body={}),
    Row("register-no-block", REGISTER, *BAD, said="rest", body={"vendor": "test", "model": "blocks"}),
    Row("register-without-vendor", REGISTER, *BAD, said="vendor", body=_without(array(1), "vendor")),
    Row("register-without-model", REGISTER, *BAD, said="model", body=_without(array(1), "model")),
    _registers("vendor-empty", "vendor", vendor=""),
    _registers("vendor-long", "vendor", vendor="v" * 256),
    _registers("vendor-number", "vendor", vendor=1),
    _registers("model-empty", "model", model=""),
    _registers("model-long", "model", model="m" * 256),
    _registers("storage-name", "", storage_name="s" * 255),
    _registers("storage-name-empty", "storage_name", storage_name=""),
    _registers("storage-name-long", "storage_name", storage_name="s" * 256),
    _registers("name-as-documented-there", "name", name="x"),
    _registers("description-as-documented-there", "description", description="x"),
    _registers("colour", "colour", colour="red"),
    _registers("attributes", "", extra_attributes={"a b-c_d:e.f": "v" * 255}),
    _registers("attributes-empty", "", extra_attributes={}),
    _registers("attributes-no-object", "extra_attributes", extra_attributes=["x"]),
    _registers("attribute-number", "size", extra_attributes={"size": 1}),
    _registers("attribute-long", "size", extra_attributes={"size": "v" * 256}),
    _registers("attribute-with-other-key", "extra_attributes", extra_attributes={"a/b": "x"}),
    _registers("attribute-without-key", "extra_attributes", extra_attributes={"": "x"}),
]
UPDATES = [
    Row("update-vendor", UPDATE, *BAD, said="vendor", body={"rest": REST, "vendor": "test"}),
    Row("update-model", UPDATE, *BAD, said="model", body={"rest": REST, "model": "catalogue"}),
    Row("update-storage-name", UPDATE, *BAD, said="storage_name", body={"rest": REST, "storage_name": "x"}),
    Row("update-storage-id", UPDATE, *BAD, said="storage_id", body={"rest": REST, "storage_id": "x"}),
    Row(
        "update-to-another-array",
        UPDATE,
        400,
        "StorageSerialNumberMismatch",
        said="array 9001",
        body={"rest": {**REST, "port": 9900}},
        check=lambda world, _: _access_of_a(world, world.ask("GET", "/v1/storages/{a}/access-info")),
    ),
    Row(
        "update-to-a-registered-array",
        UPDATE,
        400,
        "StorageAlreadyExists",
        body={"rest": {**REST, "port": 9002}},
        check=lambda world, reply: _names(world, reply, "b"),
    ),
    Row("update-of-nobody", "PUT /v1/storages/{nobody}/access-info", 404, "StorageNotFound", body={"rest": REST}),
]
TABLE = [*READS, *REGISTRATIONS, *statuses(), *blocks(), *UPDATES]
