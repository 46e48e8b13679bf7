"""Hands each array's traps to its driver, in order; several arrays at once.

A trap leaves the queue in the transaction in which it becomes an alert, so none is lost and none is counted twice. A
driver that can't be asked delays the traps of its arrays, and nobody else's.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Protocol

import grpc

from delphis.driver.v1 import storage_driver_pb2
from delphis.tracing import scope, spans
from delphis.tracing.scope import Scope
from services.alerts.arrays import Array, Arrays
from services.alerts.book.reporting import report
from services.alerts.counts import Counts
from services.alerts.parsing import outcomes as outcomes_module
from services.alerts.parsing import records
from services.alerts.parsing.outcomes import Outcomes
from services.alerts.parsing.records import Kept, WaitingTrap
from services.calls.errors import CallError
from services.fleet.core import Core, target
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import StoreFault

log = logging.getLogger(__name__)

BATCH = 500
BATCH_BYTES = 1 << 20
AT_ONCE = 4
"""Arrays of one driver: a driver that hangs keeps the traps of others from nothing."""
TURN_SECONDS = 0.005
"""Between two calls, about whatever arrays: one costs more than ten traps, so when many come, they go together."""
FIRST_WAIT, LONGEST_WAIT = 0.25, 15.0
TRIES = 2
"""How often a single trap may end the host, or break the driver's answer, before it is given up."""
WARY_SECONDS = 600.0
"""How long traps are asked about one by one after one of them ended the driver's process."""
MOST_WAITING = 100_000
OLDEST_SECONDS = 7 * 86_400
SWEEP_SECONDS = 30.0

_LOST = "DRIVER_HOST_UNAVAILABLE"
_UNABLE = frozenset({grpc.StatusCode.UNIMPLEMENTED})
# The driver was asked, and what it did is wrong: asking it about one trap at a time finds the one that it is about.
_FAULTS = frozenset({"DRIVER_BROKE_CONTRACT", "DRIVER_FAULT", "BAD_RESPONSE", "ARRAY_TIMEOUT", "INVALID_INPUT"})


class Polls(Protocol):
    """Who lists the alerts of arrays."""

    def want(self, storage_id: str) -> None:
        """The array's traps said too little: it is polled soon."""
        ...


class Queues:
    """The traps that wait for drivers."""

    def __init__(self, store: Store, core: Core, arrays: Arrays, polls: Polls, counts: Counts) -> None:
        self._store = store
        self._core = core
        self._arrays = arrays
        self._polls = polls
        self._counts = counts
        self._waiting: defaultdict[str, int] = defaultdict(int)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._gates: defaultdict[tuple[str, str], asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        self._sweeper: asyncio.Task[None] | None = None
        self._woken: dict[str, asyncio.Event] = {}
        self._workers: dict[str, _Worker] = {}
        self._lost: dict[str, int] = {}
        self._last_turn = 0.0

    @property
    def waiting(self) -> int:
        """How many traps wait for drivers."""
        return sum(self._waiting.values())

    @property
    def lost(self) -> dict[str, int]:
        """Traps that were given up since they waited too long or were too many, by array, since the start."""
        return dict(self._lost)

    async def start(self) -> None:
        """Goes on with what waits."""
        for storage_id, count in (await self._store.scan(records.counts)).items():
            self._waiting[storage_id] = count
            self._run(storage_id)
        self._sweeper = asyncio.create_task(self._sweep(), name="traps: sweep")

    async def stop(self) -> None:
        """Stops; what waits is gone on with at the next start."""
        tasks = [*self._tasks.values(), *([self._sweeper] if self._sweeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def added(self, storage_ids: Iterable[str]) -> None:
        """Traps were stored for these arrays, one for each time that an array is named."""
        for storage_id in storage_ids:
            self._waiting[storage_id] += 1
            self._run(storage_id)

    def retry(self, storage_id: str) -> None:
        """Something changed about the array: its driver is asked at once."""
        woken = self._woken.get(storage_id)
        if woken is not None:
            woken.set()

    def _run(self, storage_id: str) -> None:
        if storage_id not in self._tasks:
            task = asyncio.create_task(self._work(storage_id), name=f"traps of {storage_id}")
            self._tasks[storage_id] = task
            task.add_done_callback(partial(self._ended, storage_id))

    def _ended(self, storage_id: str, task: asyncio.Task[None]) -> None:
        del self._tasks[storage_id]
        self._woken.pop(storage_id, None)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.error("the traps of %s wait, by a fault of Delphis: %s", storage_id, error, exc_info=error)
        elif self._waiting.get(storage_id):
            self._run(storage_id)

    def _gate(self, storage_id: str) -> asyncio.Semaphore:
        array = self._arrays.get(storage_id)
        return self._gates[array.pair if array is not None else ("", "")]

    async def _work(self, storage_id: str) -> None:
        scope.enter(Scope(storage_id=storage_id))  # for the rest of this task
        worker = self._workers.get(storage_id)
        if worker is None:
            worker = self._workers[storage_id] = _Worker(self._store, self._core, self._arrays, storage_id)
        failures = 0
        while self._waiting.get(storage_id):
            await self._turn()
            try:
                async with self._gate(storage_id):
                    written = await worker.step()
            except _Later as later:
                failures += 1
                if failures == 1 or failures % 100 == 0:
                    log.warning("the traps of %s wait: %s", storage_id, later)
                await self._sleep(storage_id, later.seconds or _backoff(failures))
                continue
            failures = 0
            if written is None:
                self._waiting.pop(storage_id, None)
                if not worker.wary:
                    self._workers.pop(storage_id, None)
                return
            self._account(storage_id, written)
            if worker.rest:
                await self._sleep(storage_id, worker.rest)

    async def _turn(self) -> None:
        now = time.monotonic()
        self._last_turn = max(now, self._last_turn + TURN_SECONDS)
        await asyncio.sleep(self._last_turn - now)

    def _account(self, storage_id: str, written: Outcomes) -> None:
        gone = len(written.done) + len(written.kept) + len(written.moved)
        self._waiting[storage_id] = max(0, self._waiting[storage_id] - gone)
        self._counts["parsed"] += len(written.done)
        self._counts["reported"] += len(written.reports)
        for kept in written.kept:
            self._counts[_COUNTED_AS[kept.state]] += 1
        self.added(to for _, to, _ in written.moved)
        for wanted in written.to_poll:
            self._polls.want(wanted)

    async def _sleep(self, storage_id: str, seconds: float) -> None:
        woken = self._woken.setdefault(storage_id, asyncio.Event())
        woken.clear()
        try:
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            return

    async def _sweep(self) -> None:
        """Gives up what waits too long, or is too much. Tries again what ended by a fault."""
        while True:
            for storage_id in [one for one, count in self._waiting.items() if count]:
                self._run(storage_id)
            try:
                await self._give_up()
            except StoreFault as fault:
                log.error("old traps can't be removed: %s", fault)
            await asyncio.sleep(SWEEP_SECONDS)

    async def _give_up(self) -> None:
        for storage_id, count in list(self._waiting.items()):
            if count > MOST_WAITING:
                excess = count - MOST_WAITING
                dropped = await self._store.write(
                    partial(records.drop_first, storage_id=storage_id, count=excess), bulk=True
                )
                self._gave_up(storage_id, dropped, "are too many")
        before = int((time.time() - OLDEST_SECONDS) * 1_000_000)
        was = await self._store.scan(records.counts)
        if await self._store.write(partial(records.drop_before, at=before), bulk=True):
            now = await self._store.scan(records.counts)
            for storage_id, count in was.items():
                self._gave_up(storage_id, max(0, count - now.get(storage_id, 0)), "waited too long")

    def _gave_up(self, storage_id: str, count: int, why: str) -> None:
        if count:
            self._waiting[storage_id] = max(0, self._waiting[storage_id] - count)
            self._lost[storage_id] = self._lost.get(storage_id, 0) + count
            self._counts["dropped_waiting"] += count
            log.error("%d traps of %s were dropped: they %s", count, storage_id, why)


_COUNTED_AS: dict[int, str] = {
    outcomes_module.UNPARSED: "unparsed",
    outcomes_module.UNMATCHED: "unmatched",
    outcomes_module.AMBIGUOUS: "ambiguous",
}


class _Later(Exception):
    """The driver can't be asked now."""

    def __init__(self, problem: str, seconds: float = 0.0) -> None:
        super().__init__(problem)
        self.seconds = seconds


class _Worker:
    """One array's traps."""

    def __init__(self, store: Store, core: Core, arrays: Arrays, storage_id: str) -> None:
        self._store = store
        self._core = core
        self._arrays = arrays
        self._storage_id = storage_id
        self._singles = 0
        """So many traps are asked about one by one: something is wrong with one of them."""
        self._tries: dict[int, int] = {}
        self._endings: list[float] = []
        """When traps were given up since the driver's process ended at them, lately."""
        self.rest = 0.0
        """Seconds to leave the driver alone: it is started again for other arrays too."""

    @property
    def wary(self) -> bool:
        """Whether its traps ended the driver's process lately."""
        since = time.monotonic() - WARY_SECONDS
        self._endings = [at for at in self._endings if at >= since]
        return bool(self._endings)

    async def step(self) -> Outcomes | None:
        """Takes one batch to its end: what was written. None: nothing waits. `_Later`."""
        self.rest = 0.0
        count = 1 if self._singles or self.wary else BATCH
        try:
            traps = await self._store.scan(partial(records.waiting, storage_id=self._storage_id, count=count))
        except StoreFault as fault:
            raise _Later(str(fault)) from fault
        if not traps:
            return None
        traps = _bounded(traps)
        array = self._arrays.get(self._storage_id)
        if array is None and not self._arrays.known:
            raise _Later("which storages there are is not known yet")
        found: Outcomes | None
        try:
            if array is None:
                found = self._gone(traps)
            else:
                with spans.work("traps", storage_id=self._storage_id):
                    found = await self._asked(array, traps)
        except CallError as error:
            found = await self._judged(error, traps)
        if found is None:
            return Outcomes()
        outcomes = found
        await self._write(outcomes)
        self._singles = max(0, self._singles - len(traps))
        for trap in traps:
            self._tries.pop(trap.seq, None)
        return outcomes

    async def _asked(self, array: Array, traps: Sequence[WaitingTrap]) -> Outcomes:
        request = storage_driver_pb2.ParseAlertRequest(target=target(array.id), traps=[one.trap for one in traps])
        answer = await self._core.ask_array("ParseAlert", request, storage_driver_pb2.ParseAlertResponse)
        if len(answer.results) != len(traps):
            raise CallError(
                "DRIVER_BROKE_CONTRACT",
                f"The driver of {' '.join(array.pair)} gave {len(answer.results)} results for {len(traps)} traps.",
            )
        return outcomes_module.take(self._arrays, array, traps, answer.results)

    def _gone(self, traps: Sequence[WaitingTrap]) -> Outcomes:
        """The storage was removed; of several candidates another may be asked."""
        outcomes = Outcomes()
        for trap in traps:
            others = [one for one in trap.candidates if self._arrays.get(one) is not None]
            if others:
                outcomes.moved.append((trap.seq, others[0], trap.asked))
            else:
                outcomes.kept.append(
                    Kept(trap.seq, outcomes_module.UNMATCHED, "", f"The storage {self._storage_id} was removed.")
                )
        return outcomes

    async def _judged(self, error: CallError, traps: Sequence[WaitingTrap]) -> Outcomes | None:
        """What a call that failed says about the traps. None: they are asked about one by one. `_Later`."""
        if error.reason == "STORAGE_NOT_FOUND":
            if self._arrays.get(self._storage_id) is not None:
                raise _Later(error.message)  # the fleet hears of it in a moment
            return self._gone(traps)
        if error.code in _UNABLE:
            outcomes = Outcomes()
            for trap in traps:
                outcomes.unparsed(trap, self._storage_id, error.message)
            return outcomes
        single = len(traps) == 1
        ended = error.reason == _LOST or (single and error.reason == "ARRAY_QUARANTINED")
        if not ended and error.reason not in _FAULTS:
            raise _Later(error.message, min(error.retry_after or 0.0, LONGEST_WAIT))
        if not single:
            said = (len(traps), self._storage_id, error.message)
            log.warning("the driver fails at %d traps of %s, which are asked about one by one: %s", *said)
            self._singles = len(traps)
            return None
        tries = self._tries[traps[0].seq] = self._tries.get(traps[0].seq, 0) + 1
        if ended and not await self._driver_lives():
            self._tries[traps[0].seq] = 0
            raise _Later(error.message)
        if tries < TRIES:
            return None
        outcomes = Outcomes()
        why = "The driver's process ends" if ended else f"The driver fails ({error.message})"
        outcomes.unparsed(traps[0], self._storage_id, f"{why} at it each time.")
        log.error("a trap of %s is given up: %s at it each time", self._storage_id, why)
        if ended:
            self._endings.append(time.monotonic())
            self.rest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** len(self._endings))
        return outcomes

    async def _driver_lives(self) -> bool:
        """Whether the driver answers where no trap is in its way."""
        request = storage_driver_pb2.ParseAlertRequest(target=target(self._storage_id))
        try:
            await self._core.ask_array("ParseAlert", request, storage_driver_pb2.ParseAlertResponse)
        except CallError as error:
            log.info("the driver of %s does not answer without a trap either: %s", self._storage_id, error.message)
            return False
        return True

    async def _write(self, outcomes: Outcomes) -> None:
        def work(connection: Connection) -> None:
            report(connection, outcomes.reports)
            records.remove(connection, outcomes.done)
            records.keep(connection, outcomes.kept)
            for seq, storage_id, asked in outcomes.moved:
                records.move(connection, seq, storage_id, asked)

        try:
            await self._store.write(work)
        except StoreFault as fault:
            raise _Later(str(fault)) from fault


def _bounded(traps: list[WaitingTrap]) -> list[WaitingTrap]:
    """As many of the first ones as fit into a message."""
    size = 0
    for count, trap in enumerate(traps):
        size += trap.trap.ByteSize()
        if count and size > BATCH_BYTES:
            return traps[:count]
    return traps


def _backoff(failures: int) -> float:
    return float(min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures - 1, 10))) * random.uniform(0.75, 1.0)
