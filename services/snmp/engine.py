"""Our own SNMP engine: authoritative for the informs that we get (RFC 3411, RFC 3414)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from services.snmp.errors import Reason

MOST_BOOTS = 2**31 - 1
WINDOW = 150
_ENTERPRISE = bytes.fromhex("80001f88")  # net-snmp's number: we have none of our own, and random octets follow
_OF_OCTETS = b"\x05"


def new_engine_id() -> bytes:
    """An engine id that nobody else has. Made once, then kept: users' keys depend on it."""
    return _ENTERPRISE + _OF_OCTETS + os.urandom(12)


@dataclass(slots=True)
class OwnEngine:
    """Who we are. `boots` has to be larger at every start; `started_at` is in seconds since 1970."""

    engine_id: bytes
    boots: int
    started_at: float
    reported: dict[Reason, int] = field(default_factory=dict)
    """How often each refusal was reported: the value that a report carries."""

    def __post_init__(self) -> None:
        if not 5 <= len(self.engine_id) <= 32:
            raise ValueError(f"an engine id has 5 to 32 octets, not {len(self.engine_id)}")
        if not 0 < self.boots <= MOST_BOOTS:
            raise ValueError(f"boots count from 1 to {MOST_BOOTS}, not {self.boots}")

    def time(self, now: float) -> int:
        """Seconds since the start."""
        return max(0, min(int(now - self.started_at), MOST_BOOTS))

    def in_window(self, boots: int, time: int, now: float) -> bool:
        """Whether a sender that knows our clock made this message just now."""
        return boots == self.boots < MOST_BOOTS and abs(time - self.time(now)) <= WINDOW

    def report(self, reason: Reason) -> int:
        """Counts a report, and returns the count."""
        count = self.reported[reason] = (self.reported.get(reason, 0) + 1) & 0xFFFFFFFF
        return count
