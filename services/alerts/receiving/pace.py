"""How often one source may have us do costly things: a bucket of tokens each."""

from __future__ import annotations

_MOST_SOURCES = 10_000


class Pace:
    """`rate` a second, `burst` at once. Knows the last 10,000 sources."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: dict[str, tuple[float, float]] = {}

    def allows(self, source: str, now: float) -> bool:
        """Takes a token, if there is one. `now` is in seconds."""
        tokens, at = self._buckets.get(source, (self._burst, now))
        tokens = min(self._burst, tokens + max(0.0, now - at) * self._rate)
        allowed = tokens >= 1
        if source not in self._buckets and len(self._buckets) >= _MOST_SOURCES:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[source] = (tokens - 1 if allowed else tokens, now)
        return allowed
