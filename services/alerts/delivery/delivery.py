"""The delivery as a whole: a lane for each address of each receiver."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from delphis.alert.v1 import delivery_pb2
from services.alerts.book import events
from services.alerts.delivery import event_log, lane_records, receiver_records, silence_records
from services.alerts.delivery.event_log import EventLog
from services.alerts.delivery.lane import LaneTask
from services.alerts.delivery.receiver_records import StoredReceiver
from services.alerts.delivery.receiver_secrets import whole
from services.alerts.delivery.settings import DeliverySettings
from services.alerts.delivery.silencing import Silencing
from services.alerts.delivery.sinks import sinks_of
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import StoreFault
from services.values import times, uuids
from services.vault.errors import Undecryptable, VaultError
from services.vault.vault import LateVault

log = logging.getLogger(__name__)

FOLLOW_SECONDS = 30.0
"""So often it looks whether a hint got lost."""
HOUSEKEEPING_SECONDS = 600.0
SILENCES_KEPT = times.HOUR
"""So long after the oldest event that waits a silence that ended is kept."""

BacklogHook = Callable[[str, str, str | None], Awaitable[None]]
"""Told of a receiver's id, its name, and that its events wait for too long, as a sentence; or None: no longer."""


@dataclass(slots=True)
class _Running:
    """A receiver at work."""

    stored: StoredReceiver
    lanes: list[LaneTask]
    troubles: dict[int, str] = field(default_factory=dict)
    """What is amiss with its lanes."""
    told_trouble: bool | None = None

    @property
    def trouble(self) -> str | None:
        """One of them; None: there are none."""
        return next(iter(self.troubles.values()), None)


class Delivery:
    """Tells all receivers. `start` it once the store is open, `stop` it before the store is closed."""

    def __init__(
        self,
        store: Store,
        vault: LateVault,
        settings: DeliverySettings,
        *,
        backlog_hook: BacklogHook | None = None,
    ) -> None:
        self.silencing = Silencing(store)
        self.settings = settings
        self._store = store
        self._vault = vault
        self._hook = backlog_hook
        self._events = EventLog()
        self._running: dict[bytes, _Running] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._departed: list[_Running] = []
        self._troubled = asyncio.Event()
        self._reloading = asyncio.Lock()

    async def start(self) -> None:
        """Begins to tell every receiver."""
        await self.silencing.refresh()
        await self._reload()
        for name, work in (
            ("events", self._follow_events()),
            ("receivers", self._follow(receiver_records.CHANGED, self._reload)),
            ("silences", self._follow(silence_records.CHANGED, self._silences_changed)),
            ("backlogs", self._tell_troubles()),
            ("housekeeping", self._keep_house()),
        ):
            self._tasks.append(asyncio.create_task(work, name=f"delivery {name}"))

    async def stop(self) -> None:
        """Lets attempts under way end, within the grace."""
        # Not in the middle of a reload, which would leave lanes that nobody knows.
        async with self._reloading:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks.clear()
            await self._end([lane for running in self._running.values() for lane in running.lanes])
            self._running.clear()

    async def opened(self, stored: StoredReceiver) -> delivery_pb2.Receiver:
        """The receiver with its secrets. Undecryptable or VaultError where they can't be read."""
        kept = b""
        if stored.sealed:
            kept = (await self._vault.get()).decrypt(stored.id, stored.sealed)
        return whole(stored.receiver, kept)

    async def sealed(self, receiver_id: bytes, secrets: bytes) -> bytes:
        """Secrets, encrypted for the receiver."""
        return (await self._vault.get()).encrypt(receiver_id, secrets) if secrets else b""

    async def statuses(self, receivers: Iterable[StoredReceiver]) -> dict[bytes, delivery_pb2.DeliveryStatus]:
        """How receivers do."""
        ids = [stored.id for stored in receivers]

        def look(connection: Connection) -> tuple[dict[bytes, list[lane_records.Lane]], dict[int, tuple[int, int]]]:
            lanes = {id_: lane_records.lanes_of(connection, id_) for id_ in ids}
            # What is in memory only is ahead of what is stored.
            positions = {self._position(id_, lane) for id_, found in lanes.items() for lane in found}
            counts = event_log.backlogs(connection, positions)
            return lanes, {
                position: (count, event_log.oldest_after(connection, position) if count else 0)
                for position, count in counts.items()
            }

        lanes, backlogs = await self._store.scan(look)
        return {id_: self._status(id_, found, backlogs) for id_, found in lanes.items()}

    def _position(self, id_: bytes, lane: lane_records.Lane) -> int:
        for task in self._tasks_of(id_):
            if task.progress.lane == lane.no:
                return max(lane.position, task.progress.position)
        return lane.position

    def _tasks_of(self, id_: bytes) -> list[LaneTask]:
        running = self._running.get(id_)
        return running.lanes if running is not None else []

    def _status(
        self, id_: bytes, lanes: list[lane_records.Lane], backlogs: dict[int, tuple[int, int]]
    ) -> delivery_pb2.DeliveryStatus:
        """Of several lanes, the one that is worst off counts."""
        status = delivery_pb2.DeliveryStatus()
        if not lanes:
            return status
        waiting = [backlogs.get(self._position(id_, lane), (0, 0)) for lane in lanes]
        status.backlog = max(count for count, _ in waiting)
        _stamp(status, "oldest_at", min((at for _, at in waiting if at), default=0))
        status.delivered = min(lane.delivered for lane in lanes)
        status.dropped = max(lane.dropped for lane in lanes)
        _stamp(status, "last_success_at", min(lane.last_success_at for lane in lanes))
        tasks = self._tasks_of(id_)
        if tasks:
            worst = max(tasks, key=lambda task: (task.status.failures, bool(task.status.problem)))
            status.failures = worst.status.failures
            _stamp(status, "last_failure_at", max(task.status.last_failure_at for task in tasks))
            _stamp(status, "next_at", worst.status.next_at)
            if worst.status.problem:
                where = f"{worst.address}: " if len(tasks) > 1 else ""
                status.problem = where + worst.status.problem
        return status

    async def _reload(self) -> None:
        """Begins, ends and changes lanes so that they are as the store has it."""
        async with self._reloading:
            stored = {found.id: found for found in await self._store.read(receiver_records.load_all)}
            gone = [running for id_, running in self._running.items() if stored.get(id_) != running.stored]
            for running in gone:
                del self._running[running.stored.id]
            await self._end([lane for running in gone for lane in running.lanes])
            self._departed += [running for running in gone if running.stored.id not in stored]
            for id_, found in stored.items():
                if id_ not in self._running:
                    self._running[id_] = await self._begin(found)
            self._troubled.set()

    async def _begin(self, stored: StoredReceiver) -> _Running:
        lanes = await self._store.read(lambda connection: lane_records.lanes_of(connection, stored.id))
        running = _Running(stored, [])
        problem = "It is paused." if stored.receiver.paused else ""
        receiver = stored.receiver
        try:
            receiver = await self.opened(stored)
        except (Undecryptable, VaultError) as error:
            problem = f"Its secrets can't be read: {error}. Give them anew."
            log.error("the receiver %s is told nothing: %s", receiver.name, problem)
        sinks = [] if problem else sinks_of(receiver, self.settings)

        def trouble(lane: int, text: str | None) -> None:
            if text is None:
                running.troubles.pop(lane, None)
            else:
                running.troubles[lane] = text
            if (running.trouble is not None) != running.told_trouble:
                self._troubled.set()

        for lane in lanes:
            running.lanes.append(
                LaneTask(
                    self._store,
                    self._events,
                    self.silencing,
                    self.settings,
                    receiver=receiver,
                    lane=lane,
                    sink=sinks[lane.ordinal] if lane.ordinal < len(sinks) else None,
                    proven=lane.last_success_at >= stored.updated_at,
                    trouble=partial(trouble, lane.no),
                    problem=problem,
                )
            )
        for task in running.lanes:
            task.start()
        return running

    async def _end(self, lanes: list[LaneTask]) -> None:
        await asyncio.gather(*(lane.stop(self.settings.grace) for lane in lanes))

    async def _follow_events(self) -> None:
        while True:
            mark = self._store.signals.mark(events.TOPIC)
            for running in list(self._running.values()):
                for lane in running.lanes:
                    lane.wake()
            await self._store.signals.wait(events.TOPIC, mark, FOLLOW_SECONDS)

    async def _follow(self, topic: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            mark = self._store.signals.mark(topic)
            try:
                await work()
            except StoreFault as fault:
                log.warning("the delivery can't read the %s: %s", topic, fault)
            await self._store.signals.wait(topic, mark, FOLLOW_SECONDS)

    async def _silences_changed(self) -> None:
        await self.silencing.refresh()
        for running in list(self._running.values()):
            for lane in running.lanes:
                lane.wake()

    async def _tell_troubles(self) -> None:
        """Has an alert of our own raised, and cleared, for receivers that are far behind."""
        while True:
            await self._troubled.wait()
            self._troubled.clear()
            departed, self._departed = self._departed, []
            for running in departed:
                running.troubles.clear()
            for running in [*departed, *self._running.values()]:
                await self._tell_trouble(running)

    async def _tell_trouble(self, running: _Running) -> None:
        stored, trouble = running.stored, running.trouble
        if self._hook is None or running.told_trouble == (trouble is not None):
            return
        try:
            await self._hook(uuids.text(stored.id), stored.receiver.name, trouble)
        except StoreFault as fault:
            log.warning("the backlog of the receiver %s can't become an alert: %s", stored.receiver.name, fault)
        else:
            running.told_trouble = trouble is not None

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            with contextlib.suppress(StoreFault):
                await self._store.write(_forget_silences)


def _forget_silences(connection: Connection) -> None:
    """Removes silences that ended before everything that still waits."""
    needed = lane_records.needed_from(connection)
    oldest = times.now()
    if needed != lane_records.NOTHING_NEEDED:
        oldest = event_log.oldest_after(connection, needed) or oldest
    silence_records.forget(connection, min(oldest, times.now()) - SILENCES_KEPT)


def _stamp(status: delivery_pb2.DeliveryStatus, field: str, at: int) -> None:
    if at:
        getattr(status, field).FromMicroseconds(at)
