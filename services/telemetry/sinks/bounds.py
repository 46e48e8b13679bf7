"""What waits for sinks is bounded: by size and by age. Beyond, the oldest goes, and who did not get it has a gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.store.connection import Connection
from services.telemetry import journal
from services.telemetry.journal import Outline
from services.telemetry.sinks import records
from services.telemetry.sinks.records import MAX_GAPS, StoredSink
from services.values import times

_ENTRIES = 500
"""Looked at in a transaction."""
_SAME_GAP = 15 * 60 * 1000
"""Gaps that are no further apart are one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds at a moment."""

    most_bytes: int
    """So much may wait."""
    most_age: float
    """So many seconds it may wait."""
    now: int
    """Microseconds."""

    @property
    def oldest(self) -> int:
        """What was collected earlier has to go."""
        return self.now - int(self.most_age * times.SECOND)


def trim(connection: Connection, limits: Limits) -> tuple[Mapping[bytes, int], bool]:
    """Removes what all sinks have, and what they don't have but is too old or too much.

    Returns:
        Up to where sinks that lost something were moved, by their ids, and whether there may be more to remove.
    """
    sinks = records.load_all(connection)
    taken = min((sink.position for sink in sinks), default=journal.end(connection))
    if journal.drop(connection, taken, count=_ENTRIES):
        return {}, True
    first = journal.outlines(connection, taken, count=_ENTRIES)
    ending = journal.total(connection)
    large = [one for one in first if ending - one.beginning > limits.most_bytes]
    # Up to the first that is not old: a clock that was set back makes later ones look older.
    old = list(takewhile(lambda one: one.collected_at < limits.oldest, first[len(large) :]))
    moved: dict[bytes, int] = {}
    for lost, reason in (
        (large, f"More than {_shown(limits.most_bytes)} waited."),
        (old, f"It waited for {_span(limits.most_age)}."),
    ):
        if lost:
            moved |= {sink.id: lost[-1].position for sink in _give_up(connection, lost, reason)}
    if moved:
        journal.drop(connection, max(moved.values()), count=_ENTRIES)
    return moved, len(large) + len(old) == _ENTRIES


def wanted(connection: Connection, limits: Limits) -> bool:
    """Whether there is something to remove."""
    first = journal.outlines(connection, 0, count=1)
    if not first:
        return False
    taken = min((sink.position for sink in records.load_all(connection)), default=journal.end(connection))
    return (
        first[0].position <= taken
        or journal.total(connection) - first[0].beginning > limits.most_bytes
        or first[0].collected_at < limits.oldest
    )


def _give_up(connection: Connection, lost: Sequence[Outline], reason: str) -> list[StoredSink]:
    """Moves all sinks behind entries that go; those that did not have all of them."""
    behind = [sink for sink in records.load_all(connection) if sink.position < lost[-1].position]
    for sink in behind:
        missed = [one for one in lost if one.position > sink.position and sink.takes(one.kind)]
        gaps = _with_gap(sink.gaps, missed, reason) if missed else sink.gaps
        points = sum(one.points for one in missed)
        records.give_up(connection, sink, lost[-1].position, points, gaps)
    return behind


def _with_gap(gaps: bytes, missed: Sequence[Outline], reason: str) -> bytes:
    kept = pb.SinkStatus.FromString(gaps)
    begin, end = min(one.first for one in missed), max(one.last for one in missed) + 1
    last = kept.gaps[-1] if kept.gaps else None
    if last is not None and last.reason == reason and begin <= last.end_time.ToMilliseconds() + _SAME_GAP:
        last.begin_time.FromMilliseconds(min(begin, last.begin_time.ToMilliseconds()))
        last.end_time.FromMilliseconds(max(end, last.end_time.ToMilliseconds()))
    else:
        added = kept.gaps.add(reason=reason)
        added.begin_time.FromMilliseconds(begin)
        added.end_time.FromMilliseconds(end)
        del kept.gaps[:-MAX_GAPS]
    return kept.SerializeToString()


def _shown(size: int) -> str:
    return f"{size / (1 << 30):.3g} GiB" if size >= 1 << 28 else f"{size:,} bytes"


def _span(seconds: float) -> str:
    return f"more than {seconds / 3600:.3g} hours" if seconds >= 3600 else f"more than {seconds:.3g} s"
