"""Polls the arrays, each when its time comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

import grpc

from delphis.alert.v1 import alert_pb2
from delphis.driver.v1 import storage_driver_pb2
from delphis.tracing import spans
from services.alerts.arrays import Array, Arrays, facts_of
from services.alerts.book.reconciling import Listed, listed
from services.alerts.drivers import Drivers
from services.alerts.polling import records, schedule
from services.alerts.polling.reading import Reading, read_alerts
from services.alerts.polling.records import ABLE, UNABLE, Poll
from services.calls.errors import CallError, invalid, reasons
from services.fleet.core import Core, target
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import StoreFault
from services.values import times

log = logging.getLogger(__name__)

AT_ONCE = 16
IDLE_SECONDS = 60.0
FIRST_SYNC_SECONDS = 60
"""So long the first poll of an array lets its first sync go before."""
STORE_RETRY_SECONDS = CORE_RETRY_SECONDS = 5


class Window(NamedTuple):
    """A time that a caller asked about: milliseconds since 1970."""

    begin: int | None = None
    end: int | None = None


class Poller:
    """All polls. As `Polls` it serves the handlers and the queues of traps."""

    def __init__(
        self,
        store: Store,
        core: Core,
        arrays: Arrays,
        drivers: Drivers,
        settings: Callable[[], alert_pb2.AlertSettings],
        ended: Callable[[Array, CallError | None], Awaitable[None]],
    ) -> None:
        """`settings` are those of the moment; `ended` is told how each poll went."""
        self._store = store
        self._core = core
        self._arrays = arrays
        self._drivers = drivers
        self._settings = settings
        self._ended = ended
        self._polls: dict[str, Poll] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._windows: dict[str, list[Window]] = {}
        self._wanted: set[str] = set()
        self._lists_all: dict[str, tuple[str, bool]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins. Every array is polled soon after a start: nobody listened meanwhile."""
        now, interval = times.now(), self._interval
        self._polls = await self._store.scan(records.read_all)
        for poll in self._polls.values():
            poll.next_at = schedule.first(now, interval)
        self.refresh()
        self._task = asyncio.create_task(self._run(), name="polls")

    async def stop(self) -> None:
        """Ends polls that run, and begins none."""
        tasks = [*self._running.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def refresh(self) -> None:
        """The arrays or the settings changed: new arrays are polled at once."""
        known = self._arrays.all()
        interval = self._interval
        for storage_id in known.keys() - self._polls.keys():
            self._polls[storage_id] = Poll(storage_id, next_at=times.now())
        for poll in self._polls.values():
            if poll.supported != UNABLE and not poll.failures:
                poll.next_at = min(poll.next_at, schedule.regular(max(poll.started_at, times.now()), interval))
        self._wake.set()

    def refresh_drivers(self) -> None:
        """The core said which drivers there are: another version may be able to list alerts."""
        for storage_id, poll in self._polls.items():
            array = self._arrays.get(storage_id)
            if poll.supported != UNABLE or array is None:
                continue
            driver = self._drivers.named(array.pair)
            if driver and driver != poll.driver:
                poll.supported, poll.next_at = records.UNKNOWN, times.now()
                self._wake.set()

    async def forget(self, storage_id: str) -> None:
        """The storage was removed."""
        self._polls.pop(storage_id, None)
        self._lists_all.pop(storage_id, None)
        task = self._running.get(storage_id)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._store.write(partial(records.remove, storage_id=storage_id))

    def want(self, storage_id: str) -> None:
        """Polls soon; one that waits serves this, too."""
        poll = self._polls.get(storage_id)
        if poll is None or poll.supported == UNABLE:
            return
        if storage_id in self._running:
            self._wanted.add(storage_id)
            return
        poll.next_at = min(poll.next_at, schedule.soon(times.now(), poll.started_at))
        self._wake.set()

    async def request(self, storage_id: str, begin: int | None, end: int | None) -> None:
        """Has the array polled soon: see `services.alerts.api.ports.Polls`."""
        array, poll = self._known(storage_id)
        if poll.supported == UNABLE:
            raise CallError(
                "STORAGE_CAPABILITY_NOT_SUPPORTED",
                f"The storage {array.id} can't list its alerts; rely on its traps.",
                metadata={"storage_id": array.id},
            )
        if begin is not None and end is not None and end <= begin:
            raise invalid("end_time", "It must be after begin_time.")
        if begin is None and end is None:
            poll.next_at = min(poll.next_at, times.now())
            if storage_id in self._running:
                self._wanted.add(storage_id)
        else:
            windows, window = self._windows.setdefault(storage_id, []), Window(begin, end)
            if window not in windows:
                windows.append(window)
        self._wake.set()

    async def state(self, storage_id: str) -> alert_pb2.AlertPoll:
        """How the polls of a storage go. CallError STORAGE_NOT_FOUND."""
        array, poll = self._known(storage_id)
        shown = poll.shown(self._interval)
        if array.paused:
            shown.ClearField("next_at")
        return shown

    @property
    def _interval(self) -> int:
        return self._settings().poll_interval.ToMicroseconds()

    def _known(self, storage_id: str) -> tuple[Array, Poll]:
        array = self._arrays.get(storage_id)
        if array is None:
            raise CallError(
                "STORAGE_NOT_FOUND", f"Storage {storage_id} could not be found.", metadata={"storage_id": storage_id}
            )
        return array, self._polls.setdefault(storage_id, Poll(storage_id, next_at=times.now()))

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            now, next_at = times.now(), times.now() + int(IDLE_SECONDS * times.SECOND)
            for storage_id, poll in list(self._polls.items()):
                array = self._arrays.get(storage_id)
                if array is None or array.paused or storage_id in self._running:
                    continue
                windows = self._windows.pop(storage_id, [])
                if not windows and array.is_new and now < poll.next_at + FIRST_SYNC_SECONDS * times.SECOND:
                    continue  # its first sync is what people wait for; the fleet tells when it has ended
                if windows or poll.next_at <= now:
                    self._begin(array, poll, windows, whole=poll.next_at <= now)
                else:
                    next_at = min(next_at, poll.next_at)
            try:
                async with asyncio.timeout(max(0.0, (next_at - times.now()) / times.SECOND)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _begin(self, array: Array, poll: Poll, windows: list[Window], *, whole: bool) -> None:
        task = asyncio.create_task(self._poll(array, poll, windows, whole), name=f"poll of {array.id}")
        self._running[array.id] = task

        def over(task: asyncio.Task[None]) -> None:
            del self._running[array.id]
            if array.id in self._wanted:
                self._wanted.discard(array.id)
                self.want(array.id)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("a poll of %s broke: %s", array.id, error, exc_info=error)
                poll.failures += 1
                poll.next_at = schedule.after_failure(times.now(), self._interval, poll.failures, None)
            self._wake.set()

        task.add_done_callback(over)

    async def _poll(self, array: Array, poll: Poll, windows: list[Window], whole: bool) -> None:
        async with self._gate:
            with spans.work("poll of alerts", storage_id=array.id):
                for window in windows:
                    await self._one(array, poll, window)
                if whole:
                    await self._one(array, poll, None)

    async def _one(self, array: Array, poll: Poll, window: Window | None) -> None:
        began_at = times.now()
        if window is None:
            poll.started_at = began_at
        try:
            reading = await read_alerts(self._core, array.id, *(window or Window()))
            lists_all = await self._announces_all(array)
        except CallError as error:
            await self._failed(array, poll, error, whole=window is None)
            return

        def work(connection: Connection) -> Listed:
            found = listed(
                connection,
                facts_of(array),
                reading.alerts,
                began_at=began_at,
                at=times.now(),
                complete=reading.complete and window is None,
                lists_all=lists_all,
            )
            if window is None:
                self._went_well(array, poll, reading, found, began_at)
                records.put(connection, poll)
            return found

        try:
            outcome = await self._store.write(work, bulk=len(reading.alerts) > 500)
        except StoreFault as fault:
            log.error("the alerts of %s can't be stored: %s", array.id, fault)
            poll.next_at = times.now() + STORE_RETRY_SECONDS * times.SECOND
            return
        if outcome.raised or outcome.cleared:
            said = (array.id, outcome.listed, outcome.raised, outcome.cleared)
            log.info("a poll of %s listed %d alerts, raised %d and cleared %d", *said)
        await self._ended(array, None)

    def _went_well(self, array: Array, poll: Poll, reading: Reading, found: Listed, began_at: int) -> None:
        poll.supported, poll.driver = ABLE, self._drivers.named(array.pair)
        poll.ended_at = times.now()
        poll.last_success_at = began_at
        poll.listed = found.listed
        poll.failures = 0
        poll.error_code = poll.error_msg = ""
        poll.warnings = "\n".join(reading.warnings)
        poll.next_at = schedule.regular(began_at, self._interval)

    async def _failed(self, array: Array, poll: Poll, error: CallError, *, whole: bool) -> None:
        if error.reason == "STORAGE_NOT_FOUND":
            return
        if not error.reason and error.code is grpc.StatusCode.UNAVAILABLE:  # the core is away, not the array
            poll.next_at = times.now() + CORE_RETRY_SECONDS * times.SECOND
            return
        unable = error.code is grpc.StatusCode.UNIMPLEMENTED
        if whole or unable:
            now = times.now()
            poll.ended_at = now
            if unable:
                poll.supported, poll.driver, poll.failures = UNABLE, self._drivers.named(array.pair), 0
                poll.next_at = now + schedule.UNSUPPORTED
            else:
                poll.failures += 1
                poll.next_at = schedule.after_failure(now, self._interval, poll.failures, error.retry_after)
            known = reasons().get(error.reason)
            poll.error_code = known.text if known is not None else error.reason or error.code.name
            poll.error_msg = error.message
            try:
                await self._store.write(partial(records.put, poll=poll))
            except StoreFault as fault:
                log.error("how the poll of %s went can't be stored: %s", array.id, fault)
        if poll.failures == 1:
            log.warning("the alerts of %s can't be listed: %s", array.id, error)
        if not unable:
            await self._ended(array, error)

    async def _announces_all(self, array: Array) -> bool:
        """Whether what the array lists is all that its traps are about: by its driver, or by its own firmware."""
        driver = self._drivers.of(array.pair)
        if driver is None:
            return False
        if driver.lists_all_alerts:
            return True
        if "GetCapabilities" not in driver.rpcs:
            return False
        name = self._drivers.named(array.pair)
        known = self._lists_all.get(array.id)
        if known is None or known[0] != name:
            request = storage_driver_pb2.GetCapabilitiesRequest(target=target(array.id))
            try:
                answer = await self._core.ask_array(
                    "GetCapabilities", request, storage_driver_pb2.GetCapabilitiesResponse
                )
            except CallError as error:
                if error.code is not grpc.StatusCode.UNIMPLEMENTED:
                    raise
                answer = storage_driver_pb2.GetCapabilitiesResponse()
            known = self._lists_all[array.id] = (name, answer.capabilities.lists_all_alerts)
        return known[1]
