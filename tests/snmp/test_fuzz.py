"""Mutations and noise: what we read, pysnmp reads alike; everything else is our one refusal."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.snmp import (
    AuthProtocol,
    Decoder,
    InformDesk,
    Notification,
    OwnEngine,
    PrivProtocol,
    SnmpError,
    TimeWindows,
    User,
    UserTable,
    ber,
    peek,
)
from services.snmp.notification import SYS_UPTIME, TRAP_OID
from tests.snmp import oracle
from tests.snmp.oracle import EVERY_TYPE, V3

NOW = 1_800_000_000.0
V1_TYPES = [bound for bound in EVERY_TYPE if bound[1] != ber.COUNTER64]
ENGINE = b"\x80fuzzed-engine"
FUZZED = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)

SEEDS = (
    oracle.v2c_message(),
    oracle.v2c_message(EVERY_TYPE[:3], inform=True),
    oracle.v1_message(V1_TYPES),
    oracle.v1_message(V1_TYPES[:2], generic=2),
    V3().message(),
    V3(engine_id=ENGINE, reportable=True).message(EVERY_TYPE[:3], inform=True),
)
SECRET = (
    V3("both", AuthProtocol.SHA, privacy=PrivProtocol.AES).message(),
    V3("both", AuthProtocol.SHA, privacy=PrivProtocol.AES, engine_id=ENGINE, reportable=True).message(inform=True),
)
USERS = UserTable(
    [
        User("array", "monitor"),
        User("array", "both", AuthProtocol.SHA, "auth-password", PrivProtocol.AES, "privacy-password"),
    ]
)
UNSIGNED = (ber.COUNTER32, ber.GAUGE32, ber.TIME_TICKS, ber.COUNTER64)

edit = st.tuples(st.sampled_from(["set", "cut", "insert", "copy"]), st.integers(0, 2**16), st.binary(max_size=6))


def mutated(data: bytes, edits: list[tuple[str, int, bytes]], *, mend: bool) -> bytes:
    """`mend`: the outermost length is made right again, so that more is looked at than that."""
    found = bytearray(data)
    for kind, place, octets in edits:
        at = place % (len(found) + 1)
        if kind == "set":
            found[at : at + len(octets)] = octets
        elif kind == "cut":
            del found[at : at + 1 + len(octets)]
        elif kind == "insert":
            found[at:at] = octets
        else:
            found[at:at] = found[at : at + 40]
    if mend and len(found) > 4 and found[1] == 0x82:
        found[2:4] = (len(found) - 4).to_bytes(2, "big")
    return bytes(found)


def read(data: bytes) -> Notification | None:
    """What we make of it, by every way in; None where it is refused."""
    engine = OwnEngine(ENGINE, 3, NOW - 1_000)
    decoder = Decoder(USERS, engine, TimeWindows())
    for ask in (peek, lambda data: InformDesk(decoder, lambda *_: True).take(data, "192.0.2.1", NOW)):
        with contextlib.suppress(SnmpError):
            ask(data)
    try:
        return decoder.decode(data, NOW)
    except SnmpError:
        return None


def agrees(data: bytes) -> None:
    found = read(data)
    if found is None:
        return
    expected = oracle.read(data)
    if expected is None:
        # We are kinder than pysnmp in two things: unsigned numbers without their leading zero, and v2's types in v1.
        assert found.version.name == "V1" or any(tag in UNSIGNED for _, tag, _ in found.varbinds) or found.uptime
        bound = list(found.varbinds)
        named = [(SYS_UPTIME, ber.TIME_TICKS, found.uptime or 0), (TRAP_OID, ber.OBJECT_ID, found.trap_oid)]
        expected = oracle.read(oracle.v2c_message([*named, *bound], whole=True))
        assert expected is not None
        assert (found.trap_oid, tuple(bound)) == (expected.trap_oid, expected.varbinds)
    else:
        assert oracle.ours(found) == expected


@pytest.mark.parametrize("data", SEEDS, ids=["v2c", "inform", "v1", "v1-link", "v3", "v3-inform"])
def test_seeds_are_read(data: bytes) -> None:
    found = read(data)
    assert found is not None
    assert oracle.ours(found) == oracle.read(data)


@FUZZED
@given(st.sampled_from(SEEDS), st.lists(edit, min_size=1, max_size=3), st.booleans())
def test_mutations(data: bytes, edits: list[tuple[str, int, bytes]], mend: bool) -> None:
    agrees(mutated(data, edits, mend=mend))


@FUZZED
@given(st.sampled_from(SEEDS), st.data())
def test_one_octet(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    agrees(data[:at] + draw.draw(st.binary(min_size=1, max_size=1)) + data[at + 1 :])


@FUZZED
@given(st.sampled_from(SECRET), st.lists(edit, min_size=1, max_size=3), st.booleans())
def test_mutations_of_what_is_encrypted(data: bytes, edits: list[tuple[str, int, bytes]], mend: bool) -> None:
    changed = mutated(data, edits, mend=mend)
    assert read(changed) is None or changed == data


@FUZZED
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda data: ber.encode(ber.SEQUENCE, data))))
def test_noise(data: bytes) -> None:
    agrees(data)


@pytest.mark.parametrize("data", [*SEEDS, *SECRET], ids=range(len(SEEDS) + len(SECRET)))
def test_every_truncation(data: bytes) -> None:
    for size in range(len(data)):
        assert read(data[:size]) is None
