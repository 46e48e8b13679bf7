"""When to try what fails again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Doubles the time between two attempts, and spreads them, so that they don't all come at once."""

    first: float
    longest: float
    failures: int = 0
    """Attempts in a row that failed."""
    longest_asked: float = 3600.0
    """It may ask for at most this time."""
    _random: random.Random = field(default_factory=random.Random)

    def failed(self, retry_after: float = 0.0) -> float:
        """Counts a failure; answers the seconds to wait, no less than is asked for."""
        self.failures += 1
        span = min(self.longest, self.first * 2.0 ** min(self.failures - 1, 30))
        return max(span * self._random.uniform(0.5, 1.0), min(retry_after, self.longest_asked))

    def succeeded(self) -> None:
        """The next failure is the first again."""
        self.failures = 0
