"""When an array is polled next. Times are microseconds."""

from __future__ import annotations

import random

from services.values import times

SPREAD = 30 * times.SECOND
"""Within this time after a start all arrays are polled."""
JITTER = 0.1
LONGEST = 15 * times.MINUTE
SOON_GAP = 5 * times.SECOND
"""Least time between the beginnings of two polls that traps or callers want."""
UNSUPPORTED = times.DAY
"""An array that can't list alerts is asked again after this, or when its driver has another version."""


def first(now: int, interval: int) -> int:
    """After a start."""
    return now + int(random.uniform(0, min(SPREAD, interval)))


def regular(began: int, interval: int) -> int:
    """After a poll that went well: so that arrays that began together don't stay together."""
    return began + int(interval * random.uniform(1 - JITTER, 1))


def after_failure(now: int, interval: int, failures: int, wait: float | None) -> int:
    """After a poll that failed, `failures` in a row. `wait`: the seconds that the array asked for."""
    delay = min(interval * 2 ** min(failures - 1, 12), max(interval, LONGEST))
    if wait is not None:
        delay = max(delay, int(wait * times.SECOND))
    return now + int(delay * random.uniform(1 - JITTER, 1))


def soon(now: int, last_began: int) -> int:
    """Somebody wants a poll."""
    return max(now, last_began + SOON_GAP)
