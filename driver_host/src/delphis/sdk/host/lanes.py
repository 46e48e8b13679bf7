"""Who may call the driver next: a limit and a queue for each array, and a fair share of the threads for all of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import Hashable

from delphis.sdk import errors

# What a refused caller is told to wait.
RETRY_AFTER = 1.0


class Lane:
    """The calls of one array: those that run, and those that wait."""

    __slots__ = ("key", "limit", "running", "waiting")

    def __init__(self, key: Hashable, limit: int) -> None:
        self.key = key
        self.limit = limit
        self.running = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


class Permit:
    """One call's place in its array's limit, and its thread.

    A call that outlives its deadline gives the place back at once, and the thread when the driver comes back.
    """

    def __init__(self, lanes: Lanes, lane: Lane) -> None:
        self._lanes = lanes
        self._lane: Lane | None = lane
        self._has_thread = True
        self._busy = False
        self._done = False
        self.is_stuck = False

    def job_started(self) -> None:
        """The driver works in the thread."""
        self._busy = True

    def job_returned(self) -> None:
        """The driver came back."""
        self._busy = False
        if self.is_stuck:
            self.is_stuck = False
            self._lanes.stuck -= 1
            self._done = True
        if self._done:
            self._give_back()

    def expire(self) -> None:
        """The deadline passed while the driver works."""
        if self._busy and not self.is_stuck:
            self.is_stuck = True
            self._lanes.count_stuck()
            self._give_back_place()

    def close(self) -> None:
        """The call has ended for its caller."""
        self._done = True
        if not self._busy:
            self._give_back()

    def _give_back_place(self) -> None:
        lane, self._lane = self._lane, None
        if lane is not None:
            self._lanes.place_free(lane)

    def _give_back(self) -> None:
        if self._has_thread:
            self._has_thread = False
            self._lanes.free_threads += 1
        self._give_back_place()
        self._lanes.admit()


class Lanes:
    """All arrays' lanes. Used in the host's event loop only."""

    def __init__(self, threads: int, queue_limit: int, stuck_limit: int) -> None:
        self.free_threads = threads
        self.stuck = 0
        self.too_many_stuck = False
        self.waiting = 0
        self._threads = threads
        self._queue_limit = queue_limit
        self._stuck_limit = stuck_limit
        self._lanes: dict[Hashable, Lane] = {}
        # Lanes in which a call waits, the one whose turn it is first.
        self._turns: OrderedDict[Hashable, Lane] = OrderedDict()

    @property
    def running(self) -> int:
        """Calls that have a thread, stuck ones too."""
        return self._threads - self.free_threads

    async def enter(self, key: Hashable, limit: int, deadline: float) -> Permit:
        """Waits for a place among the array's calls and for a thread.

        Args:
            key: The array.
            limit: Calls of the array that may run at a time.
            deadline: When to give up, in the loop's time.

        Raises:
            errors.DriverOverloaded: Too many calls wait for the array.
            TimeoutError: The deadline passed.
        """
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key, limit)
        lane.limit = limit
        if self.free_threads and lane.running < limit and not lane.waiting:
            return self._take(lane)
        if len(lane.waiting) >= self._queue_limit:
            raise errors.DriverOverloaded(
                f"{len(lane.waiting)} calls wait for this array already; {lane.running} run.",
                retry_after=RETRY_AFTER,
                waiting=len(lane.waiting),
                running=lane.running,
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.waiting.append(turn)
        self._turns.setdefault(key, lane)
        self.waiting += 1
        try:
            async with asyncio.timeout_at(deadline):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                Permit(self, lane).close()  # the turn came in the same moment: pass it on
            else:
                with contextlib.suppress(ValueError):
                    lane.waiting.remove(turn)
                self._forget(lane)
            raise
        finally:
            self.waiting -= 1
        return Permit(self, lane)

    def admit(self) -> None:
        """Gives free threads to lanes in turn."""
        blocked = 0
        while self.free_threads and blocked < len(self._turns):
            key, lane = self._turns.popitem(last=False)
            if not lane.waiting:
                continue
            if lane.running >= lane.limit:
                self._turns[key] = lane
                blocked += 1
                continue
            turn = lane.waiting.popleft()
            if lane.waiting:
                self._turns[key] = lane
            if turn.done():
                continue
            blocked = 0
            self._count(lane)
            turn.set_result(None)

    def count_stuck(self) -> None:
        """One more call outlived its deadline."""
        self.stuck += 1
        if self.stuck >= self._stuck_limit:
            self.too_many_stuck = True

    def place_free(self, lane: Lane) -> None:
        """A call of the lane has ended, or counts no more."""
        lane.running -= 1
        self._forget(lane)
        self.admit()

    def _take(self, lane: Lane) -> Permit:
        self._count(lane)
        return Permit(self, lane)

    def _count(self, lane: Lane) -> None:
        self.free_threads -= 1
        lane.running += 1

    def _forget(self, lane: Lane) -> None:
        if not lane.running and not lane.waiting:
            self._lanes.pop(lane.key, None)
            self._turns.pop(lane.key, None)
