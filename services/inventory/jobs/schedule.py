"""When the next sync of each storage is due: spread over the interval, kept in memory, without polling."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
from collections.abc import Awaitable, Callable

import xxhash

from services.store.errors import StoreFault
from services.values import times

log = logging.getLogger(__name__)

SPREAD_OVERDUE = 30 * times.SECOND
AT_ONCE = 200
"""Storages that are looked at in one transaction."""
_RETRY_SECONDS = 5.0
_FAULT_SECONDS = 300.0


def next_due(storage_id: bytes, interval: int, now: int) -> int:
    """The first time that is the storage's own within the interval, so that not all are due at once.

    At least half an interval from now: whoever just synced a storage is not overtaken by the clock.
    """
    earliest = now + interval // 2
    phase = xxhash.xxh64_intdigest(storage_id) % interval
    return earliest + (phase - earliest) % interval


def soon(storage_id: bytes, now: int) -> int:
    """A time within the next 30 s, for what was due while no core ran."""
    return now + 1 + xxhash.xxh64_intdigest(storage_id) % SPREAD_OVERDUE


class Schedule:
    """Calls `due` with the numbers of the storages whose time has come."""

    def __init__(self, due: Callable[[list[int]], Awaitable[None]]) -> None:
        self._due = due
        self._times: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def set(self, no: int, at: int) -> None:
        """The storage is due at this time, in microseconds; 0: never."""
        if not at:
            self._times.pop(no, None)
            return
        self._times[no] = at
        heapq.heappush(self._heap, (at, no))
        if self._heap[0] == (at, no):
            self._wake.set()

    def start(self) -> None:
        """Begins to watch the clock."""
        self._task = asyncio.create_task(self._watch(), name="schedule")

    async def stop(self) -> None:
        """Ends watching."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            self._wake.clear()
            numbers = self._take(times.now())
            if not numbers:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds_left()):
                        await self._wake.wait()
                continue
            try:
                await self._due(numbers)
                continue
            except StoreFault as fault:
                log.error("periodic syncs wait for the store: %s", fault)
                again = _RETRY_SECONDS
            except Exception:
                log.exception("periodic syncs of %d storages failed by a fault of Delphis", len(numbers))
                again = _FAULT_SECONDS
            for no in numbers:
                self.set(no, times.now() + int(again * times.SECOND))

    def _take(self, now: int) -> list[int]:
        numbers: list[int] = []
        while self._heap and self._heap[0][0] <= now and len(numbers) < AT_ONCE:
            at, no = heapq.heappop(self._heap)
            if self._times.get(no) == at:  # else it was set anew since
                del self._times[no]
                numbers.append(no)
        return numbers

    def _seconds_left(self) -> float | None:
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if not self._heap:
            return None
        # Not for ever, since the clock may be set.
        return min(max((self._heap[0][0] - times.now()) / times.SECOND, 0.001), 60.0)
