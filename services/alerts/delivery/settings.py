"""What the delivery does by default."""

from __future__ import annotations

from dataclasses import dataclass

from services.outbound.timeouts import Timeouts

EVENTS_A_BATCH = 500
"""Events that are read, and at most sent, at once."""
BYTES_A_BATCH = 1 << 20
"""Bytes of JSON in a POST, if it has more than one event."""
MAX_RECEIVERS = 100
MAX_SILENCES = 1_000


@dataclass(frozen=True, slots=True)
class DeliverySettings(Timeouts):
    """Times are seconds."""

    first_delay: float = 1.0
    """Before the second attempt; it doubles, up to the longest."""
    longest_delay: float = 60.0
    grace: float = 5.0
    """So long an attempt under way may take when the service stops."""
    backlog_warning: float = 900.0
    """An event that waits longer is worth an alert."""
    public_url: str = ""
    """The address of the REST API as people reach it, for links. Empty: no links."""
