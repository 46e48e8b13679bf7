"""What an SNMP configuration may be, and what a change makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from delphis.alert.v1 import snmp_config_pb2 as pb
from delphis.type.v1 import alert_pb2
from services.alerts.snmp_configs.merging import Given, merged
from services.calls.errors import CallError

V2C, V3 = alert_pb2.SNMP_VERSION_SNMPV2C, alert_pb2.SNMP_VERSION_SNMPV3
PRIV, AUTH = alert_pb2.SNMP_SECURITY_LEVEL_AUTH_PRIV, alert_pb2.SNMP_SECURITY_LEVEL_AUTH_NO_PRIV
NONE = alert_pb2.SNMP_SECURITY_LEVEL_NO_AUTH_NO_PRIV
FULL: dict[str, Any] = {
    "host": "array-1",
    "version": V3,
    "username": "monitor",
    "security_level": PRIV,
    "auth_protocol": alert_pb2.SNMP_AUTH_PROTOCOL_HMACSHA,
    "auth_key": "auth-sentinel",
    "privacy_protocol": alert_pb2.SNMP_PRIV_PROTOCOL_AES,
    "privacy_key": "priv-sentinel",
}
PLAIN: dict[str, Any] = {"host": "192.0.2.7", "version": V2C, "community_string": "public"}


def put(before: Given | None = None, **values: Any) -> Given:
    return merged(before, pb.PutSnmpConfigRequest(storage_id="s", **values))


def refused(before: Given | None = None, **values: Any) -> str:
    with pytest.raises(CallError) as caught:
        put(before, **values)
    assert caught.value.reason == "INVALID_INPUT"
    assert "sentinel" not in caught.value.message
    return caught.value.metadata["field"]


def test_secrets_are_kept_apart() -> None:
    given = put(**FULL)
    assert b"sentinel" not in given.config.SerializeToString()
    assert (given.secrets.auth_key, given.secrets.privacy_key) == ("auth-sentinel", "priv-sentinel")
    assert "sentinel" not in repr(given)


def test_what_is_not_given_stays() -> None:
    changed = put(put(**PLAIN, port=1161, retry_num=3), host="192.0.2.8")
    assert (changed.config.host, changed.config.port, changed.config.retry_num) == ("192.0.2.8", 1161, 3)
    assert changed.secrets.community_string == "public"


def test_another_version_takes_away_what_it_has_no_use_for() -> None:
    given = put(put(**FULL, engine_id="8000000001", context_name="c"), version=V2C, community_string="public")
    assert {field.name for field, _ in given.config.ListFields()} == {"host", "version"}
    assert {field.name for field, _ in given.secrets.ListFields()} == {"community_string"}
    assert refused(given, version=V3) == "username"


@pytest.mark.parametrize(
    ("level", "left"),
    [(AUTH, {"auth_key"}), (NONE, set[str]())],
    ids=["authenticated", "open"],
)
def test_a_lower_level_takes_keys_away(level: int, left: set[str]) -> None:
    given = put(put(**FULL), security_level=level)
    assert {field.name for field, _ in given.secrets.ListFields()} == left
    assert not given.config.HasField("privacy_protocol")


@pytest.mark.parametrize("missing", sorted(FULL))
def test_nothing_that_the_level_needs_may_be_missing(missing: str) -> None:
    assert refused(**{name: value for name, value in FULL.items() if name != missing}) == missing


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", "a,b"),
        ("host", ""),
        ("host", "x" * 256),
        ("community_string", ""),
        ("community_string", "x" * 33),
        ("port", 65536),
        ("port", -1),
        ("retry_num", 11),
        ("expiration", 0),
        ("version", 9),
        ("engine_id", "80000"),
        ("engine_id", "zz00000000"),
        ("engine_id", "800000001"),
        ("auth_key", "short"),
        ("auth_protocol", 99),
        ("privacy_protocol", 1),
        ("security_level", 9),
        ("context_name", "x" * 33),
        ("username", "ü" * 20),
    ],
    ids=str,
)
def test_values_out_of_their_range(field: str, value: Any) -> None:
    base = FULL if field in FULL and field not in ("host", "version") else PLAIN
    assert refused(**{**base, field: value}) == field


def test_an_empty_engine_id_takes_it_away_and_capitals_are_read() -> None:
    given = put(**FULL, engine_id="80001F8880")
    assert given.config.engine_id == "80001f8880"
    assert not put(given, engine_id="").config.HasField("engine_id")


def test_an_empty_trap_receiver_takes_it_away() -> None:
    given = put(**PLAIN, trap_receiver=pb.TrapReceiverAddress(host="192.0.2.1"))
    assert given.config.trap_receiver.port == 162
    assert not put(given, trap_receiver=pb.TrapReceiverAddress()).config.HasField("trap_receiver")
