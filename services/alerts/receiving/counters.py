"""What receiving did so far."""

from __future__ import annotations

from dataclasses import dataclass, field

_MOST_SOURCES = 1_000
OTHERS = "others"


@dataclass(slots=True)
class Counters:
    """Counts since the start of the process; one object, written by receiver and spool.

    received = accepted + answered_only + refused + lost to the spool (share, disk).
    """

    received: int = 0
    """Datagrams read from the sockets."""
    received_bytes: int = 0
    accepted: int = 0
    """Datagrams that are safe in the spool."""
    kernel_drops: int = 0
    """Datagrams that the kernel dropped: since their socket was full, or since their source is held back."""
    held_back: dict[str, float] = field(default_factory=dict)
    """Sources that flood us at the moment, and the part of their datagrams that is let in."""
    overflow_dropped: int = 0
    """Accepted datagrams that were dropped unread, the oldest first, since the spool was full or they were too old."""
    share_refused: int = 0
    """Datagrams refused since their source held more than its share of a filling spool."""
    disk_refused: int = 0
    """Datagrams lost since the spool couldn't be written."""
    corrupt: int = 0
    """Places in the spool where a damaged record ended a segment, so the rest of it was skipped."""
    informs_answered: int = 0
    """Informs that were kept, then answered."""
    informs_repeated: int = 0
    """Informs that came again and were answered again without being kept twice."""
    reports: int = 0
    """Answers that tell a sender our engine id or clock, or why its inform is refused."""
    unanswered: int = 0
    """Answers that the socket didn't take. The sender repeats its inform."""
    refused: dict[str, int] = field(default_factory=dict)
    """Datagrams refused at receipt, by reason (`services.snmp.Reason`)."""
    lost_by_source: dict[str, int] = field(default_factory=dict)
    """share_refused and overflow_dropped by source address: at most 1,000, the rest under `others`."""

    def refuse(self, reason: str, count: int = 1) -> None:
        """Counts a refusal."""
        self.refused[reason] = self.refused.get(reason, 0) + count

    def lose(self, source: str, count: int = 1) -> None:
        """Counts what a source lost."""
        lost = self.lost_by_source
        if source not in lost and len(lost) >= _MOST_SOURCES:
            source = OTHERS
        lost[source] = lost.get(source, 0) + count
