"""How many requests a second an array is asked at most."""

from __future__ import annotations

import threading
import time

from delphis.sdk import errors
from delphis.sdk.context import Context
from delphis.sdk.http.retry import pause


class RateLimit:
    """Spaces requests evenly. One object belongs to one array, whatever the number of threads that ask it."""

    def __init__(self, per_second: float, *, burst: int = 1) -> None:
        """
        Args:
            per_second: Requests per second; 0: no limit.
            burst: Requests that an array which was left alone for a while takes at once.
        """
        self._interval = 1.0 / per_second if per_second > 0 else 0.0
        self._tolerance = self._interval * (max(1, burst) - 1)
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, context: Context) -> None:
        """Returns when the next request may be sent.

        Raises:
            errors.ArrayTimeout: That would be after the deadline.
        """
        if not self._interval:
            return
        with self._lock:
            now = time.monotonic()
            due = max(self._next, now)
            delay = max(0.0, due - self._tolerance - now)
            if delay >= context.remaining:
                raise errors.ArrayTimeout(
                    f"The limit of {1 / self._interval:g} requests per second for this array leaves no time for another"
                    " one before the deadline."
                )
            self._next = due + self._interval
        pause(context, delay)
