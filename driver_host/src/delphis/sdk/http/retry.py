"""When and after how long a request is sent again."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from delphis.sdk.context import Context

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Retry:
    """How requests that may be repeated are repeated.

    Attributes:
        attempts: How often a request is sent at most, the first time included.
        first_delay: Seconds before the first repetition; doubled before each further one, and shortened at random by up
            to a half, so that many hosts don't come back at the same moment.
        longest_delay: Most seconds between two attempts. An array that asks for a longer pause (Retry-After) is not
            waited for: the caller is told instead.
        statuses: HTTP statuses that are worth a repetition.
    """

    attempts: int = 3
    first_delay: float = 0.5
    longest_delay: float = 10.0
    statuses: frozenset[int] = frozenset({429, 502, 503, 504})

    def delay(self, attempt: int, asked_for: float | None = None) -> float | None:
        """Seconds to wait after an attempt that failed.

        Args:
            attempt: Which one it was, from 1.
            asked_for: Seconds that the array asked for, if it did.

        Returns:
            The seconds, or None: no more attempts.
        """
        if attempt >= self.attempts:
            return None
        if asked_for is not None:
            return asked_for if asked_for <= self.longest_delay else None
        delay: float = self.first_delay * 2 ** (attempt - 1)
        return min(self.longest_delay, delay) * random.uniform(0.5, 1.0)


def pause(context: Context, seconds: float) -> None:
    """Waits, but no longer than somebody waits for the answer.

    Raises:
        errors.ArrayTimeout: Nobody does any more.
    """
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        context.check()
        time.sleep(min(left, 0.2))
    context.check()
