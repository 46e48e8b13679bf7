"""Times: microseconds since 1970 UTC in the store, Timestamp in messages. 0 stands for "never"."""

from __future__ import annotations

import time

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from services.calls.errors import invalid

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def now() -> int:
    """The time, in microseconds."""
    return time.time_ns() // 1000


def stamp(at: int) -> Timestamp | None:
    """The Timestamp for a message; None leaves the field unset."""
    return Timestamp(seconds=at // SECOND, nanos=at % SECOND * 1000) if at else None


def of_stamp(stamp: Timestamp) -> int:
    """Microseconds of a Timestamp; a fraction of one is dropped."""
    return stamp.seconds * SECOND + stamp.nanos // 1000


def duration(span: int) -> Duration | None:
    """The Duration for a message; None leaves the field unset."""
    return Duration(seconds=span // SECOND, nanos=span % SECOND * 1000) if span else None


def of_duration(path: str, span: Duration, *, least: int, most: int) -> int:
    """Microseconds of a Duration; INVALID_INPUT out of the limits."""
    value = span.seconds * SECOND + span.nanos // 1000
    if not least <= value <= most:
        raise invalid(path, f"It must be {least / SECOND:g} s to {most / SECOND:g} s.")
    return value
