"""When each array is asked next: with thousands of them they can't all be looked at whenever one was asked."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator

_CLOCK_STEP = 1.0
"""Seconds by which the clock differs from what has passed when it was set."""


class Schedule:
    """Arrays by the time at which they are due, in milliseconds since 1970 UTC."""

    def __init__(self, now: Callable[[], int]) -> None:
        """`now` is the clock that these times are of, in microseconds."""
        self._now = now
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._since = self._offset()

    def set(self, storage_id: str, due: int | None) -> None:
        """Takes the place of what was known of an array; None: it is not asked, until this is called again."""
        if due is None:
            self._due.pop(storage_id, None)
        elif self._due.get(storage_id) != due:
            self._due[storage_id] = due
            heapq.heappush(self._heap, (due, storage_id))

    def take(self, now: int) -> Iterator[str]:
        """The arrays that are due, without their places."""
        while self._first() is not None and self._heap[0][0] <= now:
            _, storage_id = heapq.heappop(self._heap)
            del self._due[storage_id]
            yield storage_id

    def wait(self, now: int, most: float) -> float:
        """Seconds until one is due, at most so many."""
        first = self._first()
        return most if first is None else min(most, max(0.0, (first - now) / 1000))

    def clock_was_set(self) -> bool:
        """Whether it was since the last call: then times that follow from it may have to be worked out anew."""
        before, self._since = self._since, self._offset()
        return abs(self._since - before) > _CLOCK_STEP

    def _first(self) -> int | None:
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _offset(self) -> float:
        return self._now() / 1_000_000 - time.monotonic()
