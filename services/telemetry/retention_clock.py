"""The time by which old points are removed: of a clock that was set forward by mistake everything would be old."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from services.values import times

log = logging.getLogger(__name__)

PATIENCE = times.HOUR
"""So long a clock that was set forward is not believed."""
STEP = times.MINUTE
"""Less is none."""


class RetentionClock:
    """A clock that is believed after an hour where it was set forward, and at once where it was set back."""

    def __init__(self, *, now: Callable[[], int] = times.now, passed: Callable[[], float] = time.monotonic) -> None:
        """`now` in microseconds; `passed` are seconds that nobody sets."""
        self._now = now
        self._passed = passed
        self._offset = self._found()
        self._since: float | None = None

    def now(self) -> int:
        """The time, in microseconds."""
        found, passed = self._found(), self._passed()
        ahead = found - self._offset
        if ahead > STEP:
            if self._since is None:
                self._since = passed
                hours = ahead / times.HOUR
                log.warning("the clock was set forward by %.2f hours; old points are kept for another hour", hours)
            if (passed - self._since) * times.SECOND < PATIENCE:
                return self._offset + int(passed * times.SECOND)
        self._offset, self._since = found, None
        return self._now()

    def _found(self) -> int:
        return self._now() - int(self._passed() * times.SECOND)
