"""What we know of the clocks of the engines that send traps, so that old messages are refused (RFC 3414, 3.2.7).

The standard lets a message be repeated within 150 seconds. We don't: digests of that time are remembered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.snmp.engine import MOST_BOOTS, WINDOW
from services.snmp.errors import Reason, SnmpError

_MOST_ENGINES = 100_000
_MOST_DIGESTS = 65_536


@dataclass(frozen=True, slots=True)
class EngineClock:
    """The newest authentic time of an engine. To be stored, and given back after a restart.

    `owner` is part of the key: cloned arrays may have one engine id and two clocks.
    """

    engine_id: bytes
    owner: str
    boots: int
    time: int
    received_at: float
    """Seconds since 1970."""


class TimeWindows:
    """Refuses what is late or was here before. Only authenticated messages may be shown to it."""

    def __init__(self, clocks: Iterable[EngineClock] = ()) -> None:
        self._clocks = {(clock.engine_id, clock.owner): clock for clock in clocks}
        self._changed: dict[tuple[bytes, str], EngineClock] = {}
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()
        self._young_since = 0.0

    def check(self, engine_id: bytes, owner: str, boots: int, time: int, digest: bytes, now: float) -> None:
        """SnmpError where a message is out of its window or was seen already; else it is remembered.

        `now` is when it was received, in seconds since 1970: checks may lag behind the socket.
        """
        key = engine_id, owner
        known = self._clocks.get(key)
        if boots == MOST_BOOTS:
            raise SnmpError(Reason.NOT_IN_TIME_WINDOW, "the sender's count of boots ran out: it needs a new engine id")
        if known is not None:
            if boots < known.boots:
                raise SnmpError(Reason.NOT_IN_TIME_WINDOW, f"sent in boot {boots}; the engine is in boot {known.boots}")
            if boots == known.boots and time <= known.time:
                # The clock runs on from the newest message, whatever our own clock did meanwhile.
                late = known.time + max(0.0, now - known.received_at) - time
                if late > WINDOW:
                    raise SnmpError(Reason.NOT_IN_TIME_WINDOW, f"{late:.0f} seconds late by the engine's clock")
        if digest in self._young or digest in self._old:
            raise SnmpError(Reason.REPLAYED, "the same message was received before")
        if now - self._young_since > WINDOW or len(self._young) >= _MOST_DIGESTS:
            self._old, self._young, self._young_since = self._young, set(), now
        self._young.add(digest)
        if known is None or (boots, time) > (known.boots, known.time):
            if known is None and len(self._clocks) >= _MOST_ENGINES:
                del self._clocks[next(iter(self._clocks))]
            self._clocks[key] = self._changed[key] = EngineClock(engine_id, owner, boots, time, now)

    def changed(self) -> list[EngineClock]:
        """The clocks that moved since the last call: what has to be stored."""
        found = list(self._changed.values())
        self._changed.clear()
        return found
