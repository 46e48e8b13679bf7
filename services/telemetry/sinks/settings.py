"""What sinks do by default."""

from __future__ import annotations

from dataclasses import dataclass

from services.outbound.timeouts import Timeouts

MAX_SINKS = 20


@dataclass(frozen=True, slots=True)
class SinkSettings(Timeouts):
    """Times are seconds."""

    first_delay: float = 1.0
    """Before the second attempt; it doubles, up to the longest."""
    longest_delay: float = 60.0
    grace: float = 5.0
    """So long an attempt under way may take when the service stops."""
    most_bytes: int = 1 << 30
    """What waits for all sinks together."""
    most_age: float = 24 * 3600.0
    """So long something waits."""
    names_wait: float = 60.0
    """So long points of an array whose names were not read yet are held back: they would else make other series."""
