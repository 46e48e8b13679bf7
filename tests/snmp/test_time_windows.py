"""Late and repeated messages are refused, across restarts too."""

from __future__ import annotations

import pytest

from services.snmp import (
    AuthProtocol,
    Decoder,
    EngineClock,
    OwnEngine,
    PrivProtocol,
    Reason,
    SnmpError,
    TimeWindows,
    User,
    UserTable,
    new_engine_id,
)
from tests.snmp import oracle
from tests.snmp.oracle import V3

NOW = 1_800_000_000.0
USER = User("array", "monitor", AuthProtocol.SHA, "auth-password", PrivProtocol.AES, "privacy-password")


def decoder(*clocks: EngineClock, users: tuple[User, ...] = (USER,)) -> Decoder:
    return Decoder(UserTable(users), OwnEngine(new_engine_id(), 1, NOW), TimeWindows(clocks))


def sent(boots: int, time: int, number: int = 1, *, auth_password: str = "auth-password") -> bytes:
    made = V3("monitor", AuthProtocol.SHA, auth_password, PrivProtocol.AES, boots=boots, time=time, message_id=number)
    return made.message(oracle.EVERY_TYPE[:1])


def refusal(reader: Decoder, data: bytes, now: float) -> Reason | None:
    try:
        reader.decode(data, now)
    except SnmpError as refused:
        return refused.reason
    return None


def test_the_same_message_twice() -> None:
    reader, data = decoder(), sent(3, 1_000)
    assert refusal(reader, data, NOW) is None
    for later in (0, 1, 149, 151, 10_000):
        assert refusal(reader, data, NOW + later) in (Reason.REPLAYED, Reason.NOT_IN_TIME_WINDOW)
    assert refusal(reader, sent(3, 1_000, 2), NOW + 1) is None


def test_old_messages() -> None:
    reader = decoder()
    assert refusal(reader, sent(3, 1_000), NOW) is None
    assert refusal(reader, sent(3, 860, 2), NOW) is None  # overtaken on the way
    assert refusal(reader, sent(3, 840, 3), NOW) is Reason.NOT_IN_TIME_WINDOW
    assert refusal(reader, sent(3, 990, 4), NOW + 200) is Reason.NOT_IN_TIME_WINDOW  # the engine's clock ran on
    assert refusal(reader, sent(3, 1_001, 5), NOW + 10_000) is None  # and it may stand still
    assert refusal(reader, sent(2, 2_000, 6), NOW) is Reason.NOT_IN_TIME_WINDOW
    assert refusal(reader, sent(4, 1, 7), NOW) is None
    assert refusal(reader, sent(3, 1_002, 8), NOW) is Reason.NOT_IN_TIME_WINDOW
    assert refusal(reader, sent(2**31 - 1, 5, 9), NOW) is Reason.NOT_IN_TIME_WINDOW


def test_our_clock_may_jump() -> None:
    reader = decoder()
    assert refusal(reader, sent(3, 1_000), NOW) is None
    assert refusal(reader, sent(3, 1_001, 2), NOW + 86_400) is None
    assert refusal(reader, sent(3, 1_002, 3), NOW) is None


def test_restarts() -> None:
    reader = decoder()
    old, new = sent(3, 1_000), sent(3, 2_000, 2)
    assert refusal(reader, old, NOW) is None
    assert refusal(reader, new, NOW + 1_000) is None
    clocks = reader.windows.changed()
    assert clocks == [EngineClock(oracle.ENGINE, "array", 3, 2_000, NOW + 1_000)]
    assert reader.windows.changed() == []
    again = decoder(*clocks)
    assert refusal(again, old, NOW + 1_010) is Reason.NOT_IN_TIME_WINDOW
    assert refusal(again, sent(3, 2_001, 3), NOW + 1_010) is None


def test_only_who_is_authentic_moves_a_clock() -> None:
    reader = decoder()
    assert refusal(reader, sent(3, 1_000), NOW) is None
    assert refusal(reader, sent(9, 9_000, 2, auth_password="wrong-password"), NOW) is Reason.WRONG_DIGEST
    assert refusal(reader, sent(3, 1_001, 3), NOW) is None


def test_cloned_arrays() -> None:
    """Two arrays with one engine id and two clocks, each with its own password."""
    other = User("clone", "monitor", AuthProtocol.SHA, "clone-password", PrivProtocol.AES, "privacy-password")
    reader = decoder(users=(USER, other))
    for number in range(3):
        assert refusal(reader, sent(3, 1_000 + number, number), NOW) is None
        assert refusal(reader, sent(90, 50 + number, number, auth_password="clone-password"), NOW) is None


def test_memory_is_bounded() -> None:
    windows = TimeWindows()
    for number in range(200_000):
        windows.check(oracle.ENGINE, "array", 1, 5, number.to_bytes(12, "big"), NOW)
    assert len(windows._young) + len(windows._old) <= 2 * 65_536
    with pytest.raises(SnmpError, match="before"):
        windows.check(oracle.ENGINE, "array", 1, 5, (199_999).to_bytes(12, "big"), NOW)
