"""Collects from all arrays, each when its time comes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from delphis.telemetry.v1 import telemetry_pb2
from delphis.tracing import spans
from delphis.type.v1 import storage_pb2
from services.calls.errors import CallError
from services.fleet.core import Core
from services.fleet.fleet import Fleet
from services.fleet.storage import Storage
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import StoreFault
from services.telemetry import journal
from services.telemetry.collection import plan, records
from services.telemetry.collection.announced import ALL, paces, usable
from services.telemetry.collection.plan import CLOCK_SKEW, Ask, Pace
from services.telemetry.collection.reading import read_capabilities, read_newest, read_points
from services.telemetry.collection.records import Collection, KindState
from services.telemetry.collection.refused import RefusedValues
from services.telemetry.collection.schedule import Schedule
from services.telemetry.forecast import days
from services.telemetry.history.recorder import Recorded, Recorder
from services.telemetry.history.recorder import forget_storage as forget_history
from services.telemetry.window import Window
from services.values import times

log = logging.getLogger(__name__)

AT_ONCE = 128
"""Arrays that are asked at the same time."""
APART_SECONDS, SPREAD_SECONDS = 0.1, 30.0
"""After a start, and in each interval, the arrays are asked one after another: so far apart, all within this time."""
RETRY_SECONDS = 30.0
IDLE_SECONDS = 5.0
CAPABILITIES_SECONDS, CAPABILITIES_AGAIN_SECONDS = 6 * 3600, 900
"""What an array measures is asked again this often, and where it did not say."""
WINDOWS_A_RUN = 8
"""So many windows of an array are caught up before others have their turn."""
_STALE_MILLISECONDS = 3600 * 1000

Took = Callable[[Storage, list[Window]], None]


class Collector:
    """All collections."""

    def __init__(self, store: Store, core: Core, fleet: Fleet, recorder: Recorder, *, took: Took) -> None:
        """`took` is told what was committed."""
        self._store = store
        self._core = core
        self._fleet = fleet
        self._recorder = recorder
        self._took = took
        self._collections: dict[str, Collection] = {}
        self.points_taken = 0
        """Since the start, of all arrays."""
        self.refused = RefusedValues()
        self._longest: dict[str, int] = {}
        """Windows of arrays that tell too much at once, in milliseconds."""
        self._hurried: set[str] = set()
        self._warnings: dict[str, list[str]] = {}
        self._not_before: dict[str, float] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._schedule = Schedule(times.now)
        self._changed: set[str] = set()
        """Arrays whose place in the schedule is to be looked at."""
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins. What is overdue is collected within 30 seconds."""
        loaded = await self._store.scan(records.load)
        now = times.now() / times.SECOND
        for storage_id, collection in loaded.items():
            text = str(UUID(bytes=storage_id))
            self._collections[text] = collection
            self._not_before[text] = now + random.uniform(0, min(SPREAD_SECONDS, APART_SECONDS * len(loaded)))
        self._fleet.listen(self._look_at)
        self._task = asyncio.create_task(self._run(), name="collections")

    async def stop(self) -> None:
        """Ends what runs; what was not committed is collected again after the next start."""
        tasks = [*self._running.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def running(self) -> int:
        """Arrays that are asked just now."""
        return len(self._running)

    def known(self, storage_id: str) -> Collection:
        """What is known of an array's collection."""
        return self._collections.setdefault(storage_id, records.new())

    def announced(self, storage_id: str, kind: str) -> frozenset[str]:
        """The metrics that an array announces for a kind, as far as is known."""
        told = self.known(storage_id).capabilities
        found = (one for one in told.resource_metrics if one.kind == kind) if told is not None else ()
        return frozenset(metric.name for one in found for metric in one.metrics)

    def warnings(self, storage_id: str) -> list[str]:
        """What its driver said last."""
        return self._warnings.get(storage_id, [])

    def next_at(self, storage: Storage) -> int | None:
        """When the array is asked next, in milliseconds; None: never."""
        collection = self.known(storage.id)
        if collection.settings.off:
            return None
        now = times.now() // 1000
        not_before = int(self._not_before.get(storage.id, 0) * 1000)
        most = plan.DEFAULT_INTERVAL if collection.capabilities is None else int(RETRY_SECONDS * 1000)
        if not_before > now + most:  # the clock was set back
            not_before = 0
        if storage.paused:
            if not storage.message.pause.HasField("until"):
                return None
            not_before = max(not_before, storage.message.pause.until.ToMilliseconds())
        if collection.capabilities is None:
            return not_before
        dues = [
            self._due(storage, pace, self._state(storage, collection, kind, pace, now))
            for kind, pace in paces(collection).items()
        ]
        if not dues:  # it may measure something when it, or its driver, is replaced
            dues.append(collection.asked_at // 1000 + CAPABILITIES_SECONDS * 1000)
        return max(min(dues), not_before)

    async def set(self, storage_id: str, settings: telemetry_pb2.CollectionSettings) -> None:
        """Changes how an array is collected. StoreFault where that can't be kept."""
        await self._store.write(lambda c: records.save_settings(c, UUID(storage_id).bytes, settings))
        collection = self.known(storage_id)
        collection.settings = settings
        now = times.now() // 1000
        for kind, pace in paces(collection).items():
            state = collection.kinds.get(kind)
            if state is not None and not pace.historic:  # it was asked in this interval, and in no later one
                until = now - now % pace.interval + pace.interval
                collection.kinds[kind] = replace(state, watermark=min(state.watermark, until))
        self._look_at((storage_id,))

    def want(self, storage_id: str) -> None:
        """Collects soon."""
        self._not_before.pop(storage_id, None)
        self.known(storage_id).asked_at = 0
        self._hurried.add(storage_id)
        self._look_at((storage_id,))

    def _look_at(self, storage_ids: Iterable[str]) -> None:
        self._changed.update(storage_ids)
        self._wake.set()

    def _state(self, storage: Storage, collection: Collection, kind: str, pace: Pace, now: int) -> KindState:
        """How far a kind is. Where that lies in the future a clock was set back: the collection goes on from now."""
        state = collection.kinds.get(kind, KindState())
        if plan.is_ahead(pace, state.watermark, now):
            log.warning("a clock was set back: %s of %s is collected from now on again", kind, storage.id)
            state = collection.kinds[kind] = state.set_back(now)
        if state.failed_at // 1000 > now + CLOCK_SKEW:
            state = collection.kinds[kind] = replace(state, failed_at=now * 1000, failing_since=now * 1000)
        if state.failures and not state.watermark:  # what failed first is asked for again, with what came after it
            watermark = plan.first_window(pace, state.failing_since // 1000)
            state = collection.kinds[kind] = replace(state, watermark=watermark)
        return state

    def _due(self, storage: Storage, pace: Pace, state: KindState) -> int:
        if storage.id in self._hurried:
            return 0
        spread = min(pace.interval, int(min(SPREAD_SECONDS, APART_SECONDS * len(self._fleet.all())) * 1000))
        offset = zlib.crc32(storage.id.encode()) % max(spread, 1)
        return plan.due_at(pace, state.watermark, state.failures, state.failed_at // 1000, offset)

    async def _run(self) -> None:
        await self._fleet.wait_known()
        self._changed.update(self._fleet.all())
        while True:
            self._wake.clear()
            await self._forget_gone()
            if self._schedule.clock_was_set():
                self._changed.update(self._fleet.all())
            changed, self._changed = self._changed, set()
            now = times.now() // 1000
            for storage_id in (*changed, *self._schedule.take(now)):
                storage = self._fleet.get(storage_id)
                due = None
                if storage is not None and storage_id not in self._running and _is_known(storage):
                    due = self.next_at(storage)
                    if due is not None and due <= now:
                        self._begin(storage)
                        due = None
                self._schedule.set(storage_id, due)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(self._schedule.wait(now, IDLE_SECONDS), 0.05)):
                    await self._wake.wait()

    async def _forget_gone(self) -> None:
        for storage_id in self._collections.keys() - self._fleet.all().keys():
            task = self._running.get(storage_id)
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

            key = UUID(storage_id).bytes

            def work(connection: Connection, key: bytes = key) -> None:
                records.forget(connection, key)
                forget_history(connection, key)
                days.forget(connection, key)

            try:
                await self._store.write(work, bulk=True)
            except StoreFault as fault:
                log.error("the metrics of %s, which was removed, can't be removed: %s", storage_id, fault)
                continue
            self._recorder.forget(key)
            self.refused.forget(storage_id)
            self._hurried.discard(storage_id)
            for known in (self._collections, self._warnings, self._not_before, self._longest):
                known.pop(storage_id, None)

    def _begin(self, storage: Storage) -> None:
        task = asyncio.create_task(self._collect(storage), name=f"collection from {storage.id}")
        self._running[storage.id] = task

        def over(task: asyncio.Task[None]) -> None:
            del self._running[storage.id]
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("the collection from %s broke", storage.id, exc_info=error)
                self._not_before[storage.id] = times.now() / times.SECOND + RETRY_SECONDS
            self._look_at((storage.id,))

        task.add_done_callback(over)

    async def _collect(self, storage: Storage) -> None:
        async with self._gate:
            with spans.work("collection", storage_id=storage.id):
                await self._windows(storage)

    async def _windows(self, storage: Storage) -> None:
        collection = self.known(storage.id)
        if not await self._learn(storage, collection):
            return
        self._not_before.pop(storage.id, None)
        try:
            for run in range(WINDOWS_A_RUN):
                asked = self._asks(storage, collection)
                self._hurried.discard(storage.id)
                if not asked:
                    if run == 0:  # its interval was changed, so that no window ended yet
                        self._not_before[storage.id] = times.now() / times.SECOND + RETRY_SECONDS
                    return
                # The oldest first: a kind of which there is nothing new holds up no other then.
                for (begin, end), kinds in sorted(asked.items(), key=lambda window: window[0]):
                    if not await self._window(storage, collection, begin, end, kinds):
                        return
        finally:
            self._hurried.discard(storage.id)

    async def _learn(self, storage: Storage, collection: Collection) -> bool:
        """Asks what the array measures where it is time to; whether that is known."""
        now = times.now()
        if collection.capabilities is not None and 0 <= now - collection.asked_at < CAPABILITIES_SECONDS * times.SECOND:
            return True
        key = UUID(storage.id).bytes
        try:
            told = await read_capabilities(self._core, storage.id)
        except CallError as error:
            if collection.capabilities is not None:  # as it was before
                collection.asked_at = now - (CAPABILITIES_SECONDS - CAPABILITIES_AGAIN_SECONDS) * times.SECOND
                return True
            state = collection.kinds.get(ALL, KindState())
            state = state.failed(times.now(), error.reason, error.message, since=now)
            wait = plan.retry_after(state.failures, plan.DEFAULT_INTERVAL) / 1000
            self._not_before[storage.id] = times.now() / times.SECOND + wait
            self._warnings[storage.id] = [f"The array does not say what it measures: {error.message}"]
            await self._keep_failures(storage, collection, {ALL: state})
            return False

        def work(connection: Connection) -> None:
            records.save_capabilities(connection, key, told, now)

        try:
            await self._store.write(work)
        except StoreFault as fault:
            log.error("what %s measures can't be stored, and is asked again after a start: %s", storage.id, fault)
        before = collection.kinds.get(ALL)
        if collection.capabilities is None and before is not None:  # that it did not say holds nothing up any longer
            collection.kinds[ALL] = replace(before, failed_at=0)
        collection.capabilities, collection.asked_at = told, now
        return True

    def _asks(self, storage: Storage, collection: Collection) -> dict[tuple[int, int], dict[str, Ask]]:
        """The windows that are due, with the kinds that are asked for together."""
        now = times.now() // 1000
        asked: dict[tuple[int, int], dict[str, Ask]] = {}
        for kind, pace in paces(collection).items():
            state = self._state(storage, collection, kind, pace, now)
            if self._due(storage, pace, state) > now:
                continue
            longest = self._longest.get(storage.id, plan.LONGEST_WINDOW)
            ask = plan.next_ask(pace, state.watermark, now, longest=longest, hurried=storage.id in self._hurried)
            if ask is not None:
                asked.setdefault((ask.begin, ask.end), {})[kind] = ask
        return asked

    async def _window(
        self, storage: Storage, collection: Collection, begin: int, end: int, asks: dict[str, Ask]
    ) -> bool:
        """Collects some kinds; whether the array can be asked for more at once."""
        assert collection.capabilities is not None
        historic = collection.capabilities.is_historic
        since = times.now()
        began = {kind: collection.kinds.get(kind, KindState()).with_gap(asks[kind].gap) for kind in asks}
        try:
            beyond = times.now() // 1000 + CLOCK_SKEW
            if historic:
                newest = await read_newest(self._core, storage.id)
                if newest is not None and newest < end:
                    end = newest + 1  # what the array has not complete yet comes with the next window
                beyond = end
            if end <= begin:
                return self._has_nothing_new(storage, begin)
            wanted = [one for one in usable(collection.capabilities) if one.kind in asks]
            reading = await read_points(self._core, storage, wanted, begin, beyond)
            if not reading.complete:
                raise CallError("BAD_RESPONSE", "The answer broke off before it was complete.")
        except CallError as error:
            at = times.now()
            failed = {kind: state.failed(at, error.reason, error.message, since=since) for kind, state in began.items()}
            await self._keep_failures(storage, collection, failed)
            return False
        if reading.overflowed and self._shorten(storage, end - begin, paces(collection), asks):
            return True
        # An array without history may tell the same sample twice.
        new = reading.windows if historic else _after(reading.windows, began, beyond)
        at = times.now()
        states = {
            kind: state.succeeded(at, end, [window for window in new if window.kind == kind])
            for kind, state in began.items()
        }
        if not await self._commit(storage, collection, states, new):
            return False
        self.refused.add(storage, reading.refusals)
        self.points_taken += sum(window.values.size for window in new)
        self._warnings[storage.id] = reading.warnings
        return True

    def _has_nothing_new(self, storage: Storage, since: int) -> bool:
        """It samples later than we ask. That is a failure only when it goes on."""
        if times.now() // 1000 - since > _STALE_MILLISECONDS:
            raise CallError("INVALID_RESULTS", f"The array has had no new samples since {_shown(since)}.")
        self._not_before[storage.id] = times.now() / times.SECOND + RETRY_SECONDS
        return False

    def _shorten(self, storage: Storage, length: int, known: dict[str, Pace], asks: dict[str, Ask]) -> bool:
        """Has less asked for at once; False where that is not possible: what is too much is refused then."""
        least = max(known[kind].interval for kind in asks)
        if length <= least:
            return False
        self._longest[storage.id] = max(length // 2, least)
        return True

    async def _keep_failures(self, storage: Storage, collection: Collection, states: dict[str, KindState]) -> None:
        """Windows that failed. That much is known even where it can't be stored."""
        if not await self._commit(storage, collection, states, []):
            collection.kinds.update(states)

    async def _commit(
        self, storage: Storage, collection: Collection, states: dict[str, KindState], windows: Sequence[Window]
    ) -> bool:
        """Points and how far we are, in one transaction: so each window is in the store once, or not at all."""
        key, at = UUID(storage.id).bytes, times.now()

        def work(connection: Connection) -> Recorded:
            recorded = self._recorder.record(connection, key, windows)
            journal.append(connection, key, windows, at)
            for kind, state in states.items():
                records.save_kind(connection, key, kind, state)
            return recorded

        try:
            recorded = await self._store.write(work, bulk=sum(window.values.size for window in windows) > 50_000)
        except StoreFault as fault:
            log.error("the points of %s can't be stored, and are collected again: %s", storage.id, fault)
            message = f"What was collected can't be stored, and is collected again: {fault}"
            for kind in states:
                before = collection.kinds.get(kind, KindState())
                collection.kinds[kind] = before.failed(at, "STORE_FAULT", message, since=at)
            self._not_before[storage.id] = at / times.SECOND + RETRY_SECONDS
            return False
        self._recorder.committed(recorded)
        collection.kinds.update(states)
        if windows:
            self._took(storage, list(windows))
        return True


def _after(windows: Sequence[Window], states: dict[str, KindState], end: int) -> list[Window]:
    """What is newer than the newest samples known."""
    newer = [window.between(states[window.kind].newest + 1, end) for window in windows]
    return [window for window in newer if window is not None]


def _shown(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def _is_known(storage: Storage) -> bool:
    """Whether its first sync has ended: names and resources are there."""
    outcome = storage.message.sync_outcome
    return outcome not in (storage_pb2.SYNC_OUTCOME_UNSPECIFIED, storage_pb2.SYNC_OUTCOME_NEVER)
