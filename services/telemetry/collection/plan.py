"""Which window of an array's kind is collected next. Times are milliseconds since 1970 UTC.

Windows of a kind lie one behind another: each begins where the last one that was collected ended, the *watermark*. A
window that fails is asked for again, together with what came after it, as long as the array still has it; what it no
longer has is a gap, which is named.
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_WINDOW = 3600 * 1000
"""More is asked for in several calls: each of them must end in time."""
DEFAULT_INTERVAL = 15 * 60 * 1000
LEAST_INTERVAL, MOST_INTERVAL = 10 * 1000, 24 * 3600 * 1000
DEFAULT_RETENTION = 3600 * 1000
"""Of an array that keeps samples and does not say how long."""
MOST_CATCHING_UP = 24 * 3600 * 1000
"""What is older goes into no chart: it is not collected after all."""
_RETRY_FIRST = 30 * 1000

NO_HISTORY = "The array keeps no samples, and was not asked in this time."
TOO_LATE = "The array no longer had the samples of this time when it answered again."
CLOCK_SKEW = 5 * 60 * 1000
"""Clocks differ by so much and are still taken for right."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a kind of an array is collected."""

    interval: int
    """Time between two collections."""
    historic: bool
    """The array keeps samples."""
    retention: int
    """How long. Only of use where it keeps them."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without points."""

    begin: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ask:
    """What to do for a kind now."""

    begin: int
    """Only samples of this time or later."""
    end: int
    """And before this one. The watermark afterwards."""
    gap: Gap | None
    """What is lost, whether the call succeeds or not."""


def pace_interval(wanted: int, sampled: int, retention: int) -> int:
    """The time between two collections, of what is wanted (0: the default) and the array's own sampling (0: unknown).

    Asking more often than the array samples gives nothing, and less often than it forgets (0: it keeps nothing) loses
    some: that has to be wanted.
    """
    default = min(DEFAULT_INTERVAL, retention // 2) if retention else DEFAULT_INTERVAL
    return min(max(wanted or default, sampled, LEAST_INTERVAL), MOST_INTERVAL)


def next_ask(
    pace: Pace, watermark: int, now: int, *, longest: int = LONGEST_WINDOW, hurried: bool = False
) -> Ask | None:
    """The next window; None where none is due. `watermark` is 0 where nothing was collected yet.

    Where it is `hurried`, what there is of a window that has not ended is asked for, too.
    """
    end = now - now % pace.interval
    if not pace.historic:
        return _ask_latest(pace, watermark, now, end, hurried)
    oldest = max(now - min(pace.retention, MOST_CATCHING_UP), 0)
    if oldest >= end:  # it forgets faster than it is asked: it may still have some of the last window
        oldest = end - pace.interval
    begin, gap = watermark, None
    if not watermark:
        begin = max(end - pace.interval, oldest)
    elif watermark < oldest:
        begin = min(oldest, end)
        gap = Gap(watermark, begin, TOO_LATE) if begin > watermark else None
    if hurried:
        end = now
    if begin >= end:
        return None
    return Ask(begin, min(end, begin + max(longest, pace.interval)), gap)


def _ask_latest(pace: Pace, watermark: int, now: int, end: int, hurried: bool) -> Ask | None:
    """An array without history tells its newest sample: in each interval it is asked once, or never."""
    if watermark and end < watermark:
        return Ask(max(0, now - MOST_CATCHING_UP), watermark, None) if hurried else None
    missed = end - pace.interval
    gap = Gap(watermark, end, NO_HISTORY) if watermark and watermark <= missed else None
    return Ask(max(0, now - MOST_CATCHING_UP), end + pace.interval, gap)


def due_at(pace: Pace, watermark: int, failures: int, failed_at: int, offset: int) -> int:
    """When the next collection begins.

    Args:
        pace: Of the kind.
        watermark: Of the kind; 0: at once.
        failures: Windows in a row that failed.
        failed_at: When the last one did.
        offset: Of this array, less than the interval: not all arrays are asked in the same second.
    """
    if failures:
        return failed_at + retry_after(failures, pace.interval)
    if not watermark:
        return 0
    if not pace.historic:
        return watermark + offset
    return watermark - watermark % pace.interval + pace.interval + offset


def retry_after(failures: int, interval: int) -> int:
    """How long after a failure it is tried again: soon, then less often, and at least once in an interval."""
    return min(_RETRY_FIRST << min(failures - 1, 10), interval)


def first_window(pace: Pace, at: int) -> int:
    """Where the window begins that is asked for first at a time: what would be the watermark then."""
    begin = at - at % pace.interval
    return begin - pace.interval if pace.historic else begin


def missed(interval: int, failing_since: int, failed_at: int) -> int:
    """The windows in which it failed, from the first one to the last one in a row."""
    return max(failed_at // interval - failing_since // interval, 0) + 1


def is_ahead(pace: Pace, watermark: int, now: int) -> bool:
    """Whether a clock was set back: what was collected lies in the future."""
    return watermark > now + CLOCK_SKEW + (0 if pace.historic else pace.interval)
