"""Decoding, against pysnmp's reading: every version, type and algorithm; then what other agents do differently."""

from __future__ import annotations

import time

import pytest

from delphis.type.v1 import alert_pb2
from services.snmp import (
    AuthProtocol,
    Decoder,
    KeyExtension,
    Notification,
    OwnEngine,
    PrivProtocol,
    Reason,
    SnmpError,
    TimeWindows,
    User,
    UserTable,
    ber,
    new_engine_id,
    oid,
    pdu,
)
from services.snmp.notification import SYS_UPTIME, TRAP_OID
from tests.snmp import oracle
from tests.snmp.oracle import AUTHS, EVERY_TYPE, OID, PRIVS, TRAP, V3

NOW = 1_800_000_000.0


def decoder(*users: User) -> Decoder:
    return Decoder(UserTable(users), OwnEngine(new_engine_id(), 1, NOW), TimeWindows())


def decode(data: bytes, *users: User) -> Notification:
    return decoder(*users).decode(data, NOW)


def refusal(data: bytes, *users: User) -> Reason:
    with pytest.raises(SnmpError) as refused:
        decode(data, *users)
    return refused.value.reason


@pytest.mark.parametrize("inform", [False, True], ids=["trap", "inform"])
def test_v2c(inform: bool) -> None:
    data = oracle.v2c_message(inform=inform)
    found = decode(data)
    assert oracle.ours(found) == oracle.read(data)
    assert (found.trap_oid, found.uptime, found.inform, found.request_id) == (TRAP, 4_242, inform, 77)
    assert found.varbinds == EVERY_TYPE
    assert "public" not in repr(found) + str(found)


@pytest.mark.parametrize("generic", range(7))
def test_v1(generic: int) -> None:
    data = oracle.v1_message([bound for bound in EVERY_TYPE if bound[1] != ber.COUNTER64], generic=generic)
    found = decode(data)
    assert oracle.ours(found) == oracle.read(data)
    assert found.trap_oid == (f"{OID}.0.5" if generic == 6 else f"1.3.6.1.6.3.1.1.5.{generic + 1}")
    trap = found.trap("192.0.2.1", 1_500_000_000)
    assert (trap.agent_address, trap.source_address) == ("192.0.2.7", "192.0.2.1")
    assert [(bound.oid, bound.ip_address or bound.object_id) for bound in trap.varbinds[-2:]] == [
        ("1.3.6.1.6.3.18.1.3.0", "192.0.2.7"),
        ("1.3.6.1.6.3.1.1.4.3.0", OID),
    ]
    assert b"public" not in trap.SerializeToString()


def test_the_contracts_trap() -> None:
    trap = decode(oracle.v2c_message()).trap("2001:db8::1", 1_500_000_000)
    assert (trap.version, trap.trap_oid) == (alert_pb2.SNMP_VERSION_SNMPV2C, TRAP)
    assert trap.received_at.ToNanoseconds() == 1_500_000_000
    kinds = ["octets", "integer", "integer", "unsigned", "unsigned", "unsigned", "unsigned", "ip_address", "object_id"]
    assert [bound.WhichOneof("value") for bound in trap.varbinds] == [*kinds, "opaque", "null", "octets"]
    for bound, (name, tag, value) in zip(trap.varbinds, EVERY_TYPE, strict=True):
        assert bound.oid == name
        assert getattr(bound, str(bound.WhichOneof("value"))) == (True if tag == ber.NULL else value)


@pytest.mark.parametrize("auth", AUTHS, ids=lambda auth: auth.name)
@pytest.mark.parametrize("privacy", [None, *PRIVS], ids=lambda p: f"{p[0].name}-{p[1].value}" if p else "plain")
def test_v3(auth: AuthProtocol, privacy: tuple[PrivProtocol, KeyExtension] | None) -> None:
    made = V3(auth=auth, privacy=privacy and privacy[0], extension=privacy[1] if privacy else oracle.BLUMENTHAL)
    mine = User("array", made.user, auth, made.auth_password, made.privacy, made.privacy_password if privacy else "")
    data = made.message()
    found = decode(data, mine)
    assert (found.owners, found.user, found.engine_id) == (("array",), "monitor", oracle.ENGINE)
    assert (found.context_engine_id, found.context_name) == (oracle.ENGINE, b"context")
    assert found.varbinds == EVERY_TYPE
    other = User("array", made.user, auth, "another-password", made.privacy, made.privacy_password if privacy else "")
    assert refusal(data, other) is Reason.WRONG_DIGEST
    broken = data[:-1] + bytes([data[-1] ^ 1])
    assert refusal(broken, mine) is Reason.WRONG_DIGEST
    if privacy is not None:
        other = User("array", made.user, auth, made.auth_password, made.privacy, "another-password")
        assert refusal(data, other) is Reason.DECRYPTION


def test_v3_without_keys() -> None:
    data = V3().message()
    assert oracle.ours(decode(data, User("array", "monitor"))) == oracle.read(data)
    assert refusal(data) is Reason.UNKNOWN_USER
    assert refusal(data, User("array", "monitor", AuthProtocol.SHA, "auth-password")) is (
        Reason.UNSUPPORTED_SECURITY_LEVEL
    )


def test_users_of_several_arrays() -> None:
    sha, aes = AuthProtocol.SHA, PrivProtocol.AES
    first = User("first", "monitor", sha, "auth-password", aes, "privacy-password")
    other_password = User("second", "monitor", sha, "other-password", aes, "privacy-password")
    other_privacy = User("third", "monitor", sha, "auth-password", aes, "other-privacy")
    same = User("fourth", "monitor", sha, "auth-password", aes, "privacy-password")
    other_hash = User("fifth", "monitor", AuthProtocol.SHA256, "auth-password", aes, "privacy-password")
    elsewhere = User("sixth", "monitor", sha, "auth-password", aes, "privacy-password", engine_id=b"\x80elsewhere")
    here = User("seventh", "monitor", sha, "auth-password", aes, "privacy-password", engine_id=oracle.ENGINE)
    data = V3(auth=sha, privacy=aes).message()
    others = (other_hash, other_privacy, other_password, elsewhere)
    for _ in range(2):
        assert decode(data, *others, first).owners == ("first",)
    assert decode(data, *others, first, same).owners == ("first", "fourth")
    assert decode(data, *others, first, here).owners == ("seventh",)
    assert refusal(data, other_password, other_hash) is Reason.WRONG_DIGEST
    assert refusal(data, elsewhere) is Reason.UNKNOWN_USER
    assert refusal(data, other_privacy) is Reason.DECRYPTION
    assert refusal(data, User("array", "monitor", sha, "auth-password")) is Reason.UNSUPPORTED_SECURITY_LEVEL
    table = decoder(*others, first)
    for message_id in range(3):  # the same user again and again, after others were tried before it
        again = V3(auth=sha, privacy=aes, message_id=message_id).message()
        assert table.decode(again, NOW).owners == ("first",)
        second = V3(auth=sha, privacy=aes, message_id=message_id, auth_password="other-password").message()
        assert table.decode(second, NOW).owners == ("second",)


def test_what_users_cant_be() -> None:
    sha = AuthProtocol.SHA
    for fields, problem in (
        ({"name": ""}, "name"),
        ({"name": "x" * 33}, "name"),
        ({"auth": sha, "auth_password": "seven77"}, "auth_password"),
        ({"privacy": PrivProtocol.AES, "privacy_password": "privacy-password"}, "privacy"),
        ({"engine_id": b"four"}, "engine_id"),
    ):
        with pytest.raises(ValueError, match=problem) as refused:
            User(**{"owner": "array", "name": "monitor", **fields})  # type: ignore[arg-type]
        assert "seven77" not in str(refused.value)
    shown = repr(User("array", "monitor", sha, "sentinel-9c1f", PrivProtocol.AES, "sentinel-77aa"))
    assert "sentinel" not in shown
    assert "sentinel" not in repr(User("array", "monitor", sha, "sentinel-9c1f").credentials)


def sequence(*parts: bytes, tag: int = ber.SEQUENCE) -> bytes:
    return ber.encode(tag, b"".join(parts))


def bound(name: str, tag: int, value: bytes) -> bytes:
    return sequence(ber.encode(ber.OBJECT_ID, oid.encoded(name)), ber.encode(tag, value))


def trap(*varbinds: bytes) -> bytes:
    pdu = sequence(*(ber.encode_integer(number) for number in (1, 0, 0)), sequence(*varbinds), tag=0xA7)
    return sequence(ber.encode_integer(1), ber.encode(ber.OCTETS, b"public"), pdu)


NAMED = bound(TRAP_OID, ber.OBJECT_ID, oid.encoded(TRAP))


def test_long_lengths() -> None:
    plain = trap(NAMED, bound(f"{OID}.1", ber.OCTETS, b"x"))
    inner = ber.encode(ber.OBJECT_ID, oid.encoded(f"{OID}.1")) + b"\x04\x83\x00\x00\x01x"
    longer = trap(NAMED, b"\x30\x84" + len(inner).to_bytes(4, "big") + inner)
    assert len(longer) == len(plain) + 7
    assert oracle.ours(decode(longer)) == oracle.ours(decode(plain)) == oracle.read(longer)
    stretched = b"\x30\x82" + (len(plain) - 2).to_bytes(2, "big") + plain[2:]
    assert oracle.ours(decode(stretched)) == oracle.ours(decode(plain))
    assert refusal(b"\x30\x80" + plain[2:] + b"\0\0") is Reason.MALFORMED  # indefinite
    assert refusal(b"\x30\x89" + bytes(9) + plain[2:]) is Reason.MALFORMED


@pytest.mark.parametrize(
    ("tag", "octets", "read"),
    [
        (ber.COUNTER32, "ffffffff", 2**32 - 1),  # no leading zero: common, if wrong
        (ber.GAUGE32, "80000000", 2**31),
        (ber.COUNTER64, "ffffffffffffffff", 2**64 - 1),
        (ber.COUNTER64, "00ffffffffffffffff", 2**64 - 1),
        (ber.INTEGER, "0000000001", 1),
        (ber.INTEGER, "ffffffff", -1),
        (ber.INTEGER, "80", -128),
    ],
)
def test_numbers_of_careless_agents(tag: int, octets: str, read: int) -> None:
    found = decode(trap(NAMED, bound(OID, tag, bytes.fromhex(octets))))
    assert found.varbinds == ((OID, tag, read),)


def test_what_is_remembered_of_bindings_changes_no_reading() -> None:
    """Each octet of a message changed, read by a decoder that saw the message before and by one that saw nothing."""
    plain = oracle.v2c_message()

    def outcome(data: bytes) -> object:
        try:
            return decode(data)
        except SnmpError as refused:
            return refused.reason

    for place in range(len(plain)):
        for octet in {0x06, 0x81, plain[place] ^ 1, plain[place] + 1 & 0xFF}:
            changed = plain[:place] + bytes([octet]) + plain[place + 1 :]
            decode(plain)
            warm = outcome(changed)
            pdu._heads.clear()
            assert outcome(changed) == warm, (place, octet)


def test_where_time_and_name_stand() -> None:
    """RFC 3416 wants them first; agents differ."""
    ticks = bound(SYS_UPTIME, ber.TIME_TICKS, b"\x07")
    other = bound(OID, ber.INTEGER, b"\x01")
    assert decode(trap(NAMED)).uptime is None
    for order in ((ticks, NAMED, other), (NAMED, ticks, other), (other, ticks, NAMED), (ticks, other, NAMED)):
        found = decode(trap(*order))
        assert (found.uptime, found.trap_oid, found.varbinds) == (7, TRAP, ((OID, ber.INTEGER, 1),))
    twice = decode(trap(ticks, NAMED, ticks, other))
    assert [oid for oid, _, _ in twice.varbinds] == [SYS_UPTIME, OID]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.TRUNCATED),
        (b"\x30", Reason.TRUNCATED),
        (b"\x30\x82\x01", Reason.TRUNCATED),
        (b"GET / HTTP/1.1\r\n\r\n", Reason.MALFORMED),
        (trap(NAMED)[:-1], Reason.TRUNCATED),
        (trap(NAMED) + b"\0", Reason.MALFORMED),
        (trap(), Reason.MALFORMED),
        (trap(bound(TRAP_OID, ber.OCTETS, b"x")), Reason.MALFORMED),
        (trap(bound(SYS_UPTIME, ber.OCTETS, b"x"), NAMED), Reason.MALFORMED),
        (trap(NAMED, bound(OID, ber.INTEGER, b"")), Reason.MALFORMED),
        (trap(NAMED, bound(OID, ber.INTEGER, b"\1" * 5)), Reason.MALFORMED),
        (trap(NAMED, bound(OID, ber.COUNTER32, b"\1" * 5)), Reason.MALFORMED),
        (trap(NAMED, bound(OID, ber.COUNTER64, b"\1" * 9)), Reason.MALFORMED),
        (trap(NAMED, bound(OID, ber.IP_ADDRESS, b"\1" * 5)), Reason.MALFORMED),
        (trap(NAMED, bound(OID, ber.NULL, b"\0")), Reason.MALFORMED),
        (trap(NAMED, bound(OID, 0x30, b"")), Reason.MALFORMED),
        (trap(NAMED, bound(OID, ber.OBJECT_ID, b"\x2b\x80\x01")), Reason.MALFORMED),
        (trap(NAMED, bound(OID, ber.OBJECT_ID, b"\x2b\x81")), Reason.MALFORMED),
        (trap(NAMED, bound(OID, ber.OBJECT_ID, b"")), Reason.MALFORMED),
        (trap(NAMED, bound(OID, ber.OBJECT_ID, b"\x2b" + b"\1" * 127)), Reason.OVERSIZED),
        (trap(NAMED, bound(OID, ber.OBJECT_ID, b"\x2b\xff\xff\xff\xff\x7f")), Reason.OVERSIZED),
        (trap(NAMED, bound(OID, ber.OBJECT_ID, b"\xff" * 2000 + b"\1")), Reason.OVERSIZED),
        (bytes(65_536), Reason.OVERSIZED),
        (oracle.v2c_message().replace(b"\x02\x01\x01", b"\x02\x01\x02", 1), Reason.UNSUPPORTED_VERSION),
        (oracle.v2c_message().replace(b"\xa7", b"\xa0", 1), Reason.UNSUPPORTED_PDU),
        (oracle.v2c_message().replace(b"\xa7", b"\xa4", 1), Reason.UNSUPPORTED_PDU),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value.value,
)
def test_refusals(data: bytes, reason: Reason) -> None:
    assert refusal(data) is reason


def test_deep_nesting_and_great_lists() -> None:
    begun = time.process_time()
    assert refusal(b"\x30\x82\xff\x00" * 16_000) is Reason.TRUNCATED
    many = trap(NAMED, *[bound(OID, ber.NULL, b"")] * 3_000)
    assert len(decode(many).varbinds) == 3_000
    nested = b""
    for _ in range(5_000):
        nested = ber.encode(ber.SEQUENCE, nested)
    assert refusal(trap(NAMED, nested)) is Reason.MALFORMED
    assert time.process_time() - begun < 5


def test_ever_new_heads_of_bindings_dont_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdu, "_MOST_HEADS", 20)
    pdu._heads.clear()
    for number in range(100):
        decode(trap(NAMED, bound(f"{OID}.{number}", ber.INTEGER, b"\x01")))
        assert 0 < len(pdu._heads) <= 20


def test_ever_new_identifiers_dont_pile_up() -> None:
    for number in range(40_000):
        oid.dotted(oid.encoded(f"{OID}.{number}"))
    assert len(oid._cache) <= 16_384
    assert oid.dotted(oid.encoded("2.999.3")) == "2.999.3"
    for bad in ("1", "3.1", "1.40", "1.3.x", "1.-3"):
        with pytest.raises(ValueError, match=r"object identifier|invalid literal"):
            oid.encoded(bad)
