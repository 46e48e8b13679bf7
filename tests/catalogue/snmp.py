"""SNMP configurations, where Delfin has them: in the order in which they are asked."""

from __future__ import annotations

from typing import Any

from tests.catalogue.rows import Row
from tests.catalogue.world import World
from tests.support.up import Reply

BAD = (400, "InvalidInput")
PATH = "/v1/storages/{b}/snmp-config"
PUT = f"PUT {PATH}"
MISSING = (404, "AlertSourceNotFound")
SECRETS = ("community-5b7a", "auth-5b7a-key", "priv-5b7a-key")
V2C = {"host": "127.0.0.1", "version": "SNMPv2c", "community_string": SECRETS[0]}
V3 = {
    "host": "127.0.0.1",
    "version": "SNMPv3",
    "username": "monitor",
    "security_level": "authPriv",
    "auth_protocol": "HMACSHA",
    "auth_key": SECRETS[1],
    "privacy_protocol": "AES",
    "privacy_key": SECRETS[2],
    "engine_id": "800000d30300000e112245",
}


def _config(world: World, config: dict[str, Any]) -> None:
    assert config["storage_id"] == world.names["b"]
    assert config["host"] == "127.0.0.1"
    assert isinstance(config["created_at"], str)
    assert not any(secret in str(config) for secret in SECRETS)
    assert not {"auth_key", "privacy_key"} & config.keys()


def _v2c(world: World, reply: Reply) -> None:
    _config(world, reply.json)
    assert reply.json["version"] == "SNMPv2c"
    assert reply.json["username"] is None


def _port_stays(world: World, reply: Reply) -> None:
    _v2c(world, reply)
    assert reply.json["port"] == 1161


def _v3(world: World, reply: Reply) -> None:
    _config(world, reply.json)
    asked = ("version", "username", "security_level", "auth_protocol", "privacy_protocol", "engine_id")
    assert {name: reply.json[name] for name in asked} == {name: V3[name] for name in asked}


def _one(world: World, reply: Reply) -> None:
    (config,) = reply.json["snmp_configs"]
    _config(world, config)


def _without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("no-host", _without(V2C, "host"), "host"),
    ("two-hosts", {**V2C, "host": "127.0.0.1,127.0.0.2"}, "host"),
    ("no-version", _without(V2C, "version"), "version"),
    ("version-4", {**V2C, "version": "SNMPv4"}, "version"),
    ("no-community", _without(V2C, "community_string"), "community_string"),
    ("long-community", {**V2C, "community_string": "c" * 33}, "community_string"),
    ("port-below-zero", {**V2C, "port": -1}, "port"),
    ("port-too-high", {**V2C, "port": 65536}, "port"),
    ("port-in-words", {**V2C, "port": "snmp"}, "port"),
    ("other-key", {**V2C, "colour": "red"}, "colour"),
    ("no-user", _without(V3, "username"), "username"),
    ("no-level", _without(V3, "security_level"), "security_level"),
    ("no-auth-protocol", _without(V3, "auth_protocol"), "auth_protocol"),
    ("no-auth-key", _without(V3, "auth_key"), "auth_key"),
    ("no-privacy-protocol", _without(V3, "privacy_protocol"), "privacy_protocol"),
    ("no-privacy-key", _without(V3, "privacy_key"), "privacy_key"),
    ("other-level", {**V3, "security_level": "all"}, "security_level"),
    ("other-auth", {**V3, "auth_protocol": "ROT13"}, "auth_protocol"),
    ("other-privacy", {**V3, "privacy_protocol": "ROT13"}, "privacy_protocol"),
    ("engine-id-in-words", {**V3, "engine_id": "engine"}, "engine_id"),
]
REFUSED = [Row(f"put-{name}", PUT, *BAD, body=body, said=said) for name, body, said in WRONG]
TABLE = [
    Row("none-yet", f"GET {PATH}", *MISSING),
    Row("of-nobody", "GET /v1/storages/{nobody}/snmp-config", 404, "StorageNotFound"),
    Row("put-to-nobody", "PUT /v1/storages/{nobody}/snmp-config", 404, "StorageNotFound", body=V2C),
    Row("put-without-a-body", PUT, 400, "MalformedRequestBody"),
    *REFUSED,
    Row("none-after-what-was-refused", f"GET {PATH}", *MISSING),
    Row("put-v2c", PUT, body={**V2C, "port": 1161}, check=_port_stays),
    Row("put-again-without-a-port", PUT, body=V2C, check=_port_stays),
    Row("put-v1", PUT, body={**V2C, "version": "snmpv1"}),
    Row("put-v3", PUT, body=V3, check=_v3),
    Row("get-v3", f"GET {PATH}", check=_v3),
    Row("all", "GET /v1/snmp-configs", key="snmp_configs", count=1, check=_one),
    Row("delete", f"DELETE {PATH}", empty=True),
    Row("delete-again", f"DELETE {PATH}", *MISSING),
    Row("all-gone", "GET /v1/snmp-configs", key="snmp_configs", count=0),
]
