"""Whose a notification is."""

from __future__ import annotations

from typing import Any

import pytest

from delphis.type.v1 import alert_pb2
from services.alerts.matching.address import normalised
from services.alerts.matching.sources import Guard, Origin, Place, Sender, Source, resolved
from services.alerts.matching.table import MATCHED, REFUSED, UNMATCHED, MatchTable
from services.snmp import Notification, Version

V1, V2C, V3 = alert_pb2.SNMP_VERSION_SNMPV1, alert_pb2.SNMP_VERSION_SNMPV2C, alert_pb2.SNMP_VERSION_SNMPV3
ENGINE = "80001f8801"


def notification(version: Version = Version.V2C, **values: Any) -> Notification:
    given: dict[str, Any] = {
        "version": version,
        "inform": False,
        "trap_oid": "1.3.6.1.4.1.8072.9999.8190.0.1",
        "varbinds": (),
        "uptime": None,
        "request_id": 1,
        "community": b"",
        "enterprise": "",
        "agent_address": "",
        "engine_id": b"",
        "user": "",
        "owners": (),
        "context_engine_id": b"",
        "context_name": b"",
    }
    return Notification(**{**given, **values})


def sender(storage_id: str, *addresses: str, guard: Guard | None = None, origin: Origin = "access_info") -> Sender:
    return Sender(storage_id, tuple(Source(address, origin) for address in addresses), guard)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("2001:db8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.01", ""),
        ("array-1", ""),
        ("", ""),
    ],
)
def test_addresses_have_one_form(text: str, address: str) -> None:
    assert normalised(text) == address


def test_by_the_whole_address_alone() -> None:
    table = MatchTable([sender("a", "127.0.0.10"), sender("b", "127.0.0.2", "127.0.0.3")])
    assert table.match(notification(), "127.0.0.10").candidates == ("a",)
    assert table.match(notification(), "::ffff:127.0.0.3").candidates == ("b",)
    assert table.match(notification(), "127.0.0.1").state == UNMATCHED


def test_several_at_an_address_are_told_apart_by_what_they_ask() -> None:
    guards = [Guard(V2C, b"one"), Guard(V2C, b"two"), Guard(V3)]
    table = MatchTable(sender(name, "127.0.0.1", guard=guard) for name, guard in zip("abc", guards, strict=True))
    assert table.match(notification(community=b"two"), "127.0.0.1").candidates == ("b",)
    refused = table.match(notification(community=b"three"), "127.0.0.1")
    assert (refused.state, refused.counted_as) == (REFUSED, "refused_wrong_community")
    assert b"three".decode() not in refused.problem
    assert set(refused.candidates) == {"a", "b", "c"}


def test_no_configuration_takes_any_community_but_no_user() -> None:
    table = MatchTable([sender("a", "127.0.0.1")])
    assert table.match(notification(community=b"any"), "127.0.0.1").state == MATCHED
    stranger = notification(Version.V3, engine_id=bytes.fromhex(ENGINE), user="u", owners=("b",))
    assert table.match(stranger, "127.0.0.1").counted_as == "refused_foreign_user"


def test_a_configuration_of_v3_takes_nothing_less() -> None:
    table = MatchTable([sender("a", "127.0.0.1", guard=Guard(V3))])
    assert table.match(notification(community=b"public"), "127.0.0.1").counted_as == "refused_wrong_version"


def test_engine_ids_tell_apart_and_find_from_elsewhere() -> None:
    guard = Guard(V3, engine_id=ENGINE)
    table = MatchTable([sender("a", "127.0.0.1", guard=guard), sender("b", "127.0.0.1", guard=Guard(V3))])
    known = notification(Version.V3, engine_id=bytes.fromhex(ENGINE), owners=("a", "b"))
    assert table.match(known, "127.0.0.1").candidates == ("a",)
    assert table.match(known, "127.9.9.9").candidates == ("a",)
    other = notification(Version.V3, engine_id=b"\x80\x00\x1f\x88\x99", owners=("a",))
    assert table.match(other, "127.0.0.1").counted_as == "refused_foreign_engine"
    # Informs name our engine, not the sender's.
    inform = notification(Version.V3, engine_id=b"\x80\x00\x1f\x88\x99", owners=("a",), inform=True)
    assert table.match(inform, "127.0.0.1").candidates == ("a",)


def test_relays_only_where_they_are_trusted() -> None:
    relayed = notification(Version.V1, agent_address="127.0.0.1", community=b"public")
    table = MatchTable([sender("a", "127.0.0.1", guard=Guard(V1, b"public"), origin="snmp_config")])
    assert table.match(relayed, "127.9.9.9").state == UNMATCHED
    guard = Guard(V1, b"public", relayed=True)
    table = MatchTable([sender("a", "127.0.0.1", guard=guard, origin="snmp_config"), sender("relay", "127.9.9.9")])
    assert table.match(relayed, "127.9.9.9").candidates == ("a",)
    assert table.match(relayed._replace(community=b"no"), "127.9.9.9").state == REFUSED
    # The agent's address counts in SNMPv1 alone: later versions have none.
    assert table.match(notification(agent_address="127.0.0.1"), "127.9.9.9").candidates == ("relay",)


def test_the_controller_is_that_of_the_address() -> None:
    places = [Place("array-1", "snmp_config"), Place("127.0.0.5", "controller", "", "Controller 0B")]
    known = {"array-1": ("127.0.0.1",), "127.0.0.5": ("127.0.0.5",)}
    sources = resolved(places, lambda host: known[host])
    assert [(source.address, source.name) for source in sources] == [("127.0.0.1", "array-1"), ("127.0.0.5", "")]
    table = MatchTable([Sender("a", sources)])
    assert table.controller("a", "::ffff:127.0.0.5") == "Controller 0B"
    assert table.controller("a", "127.0.0.1") == ""
