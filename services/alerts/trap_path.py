"""The way of a trap from the socket to the book, and what belongs to it: how the parts are joined."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from delphis.alert.v1 import alert_pb2
from services.alerts.book import operating
from services.alerts.book import settings as book_settings
from services.alerts.counts import Counts
from services.alerts.drivers import Drivers
from services.alerts.matching.driver_sources import DriverSources
from services.alerts.matching.roster import Roster
from services.alerts.matching.table import MATCHED
from services.alerts.own.conditions import Conditions
from services.alerts.own.driver_watch import DriverWatch
from services.alerts.own.loss_watch import LossWatch
from services.alerts.own.sync_watch import SyncWatch
from services.alerts.own.telemetry_watch import TelemetryWatch
from services.alerts.parsing import handlers as trap_handlers
from services.alerts.parsing import records
from services.alerts.parsing.intake import SPOOL, Intake, unpacked
from services.alerts.parsing.queues import Queues
from services.alerts.polling.poller import Poller
from services.alerts.receiving import Counters, Receiver, Spool, TrapSocket
from services.alerts.snmp_configs import handlers as config_handlers
from services.alerts.snmp_configs import records as config_records
from services.alerts.snmp_configs.checks import Checks
from services.alerts.snmp_configs.configs import Configs, Vaults
from services.alerts.snmp_configs.receivers import Receivers
from services.calls.errors import CallError
from services.calls.method import Method
from services.fleet.core import Core
from services.fleet.fleet import Fleet
from services.snmp import Decoder, InformDesk, Notification, OwnEngine, TimeWindows, UserTable
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import StoreFault
from services.values import times

log = logging.getLogger(__name__)

FIRST_LOOK_SECONDS = 10.0
SETTINGS_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class TrapPath:
    """What others need of it."""

    methods: tuple[Method, ...]
    """TrapService and SnmpConfigService."""
    receiver: trap_handlers.TrapReceiver
    polls: Poller
    losses: LossWatch
    """Its `backlog` is told of receivers that get nothing."""
    conditions: Conditions


@dataclass(frozen=True, slots=True)
class Listening:
    """Where traps are taken."""

    sockets: tuple[TrapSocket, ...]
    problem: str
    """Why it is nowhere; empty where it is somewhere, or nobody wants any."""


class _Settings:
    """The settings of the moment."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._current = book_settings.DEFAULTS
        self.listeners: list[Any] = []

    def current(self) -> alert_pb2.AlertSettings:
        """All of them."""
        return self._current

    async def follow(self) -> None:
        """Reads them whenever they change."""
        while True:
            mark = self._store.signals.mark(book_settings.TOPIC)
            try:
                await self.read()
            except StoreFault as fault:
                log.error("the settings can't be read; the old ones hold: %s", fault)
            await self._store.signals.wait(book_settings.TOPIC, mark, SETTINGS_SECONDS)

    async def read(self) -> None:
        """Reads them."""
        found = await self._store.read(book_settings.read)
        if found != self._current:
            self._current = found
            for told in self.listeners:
                told()


@asynccontextmanager
async def trap_path(
    *,
    store: Store,
    vaults: Vaults,
    core: Core,
    fleet: Fleet,
    engine: OwnEngine,
    spool_folder: Path,
    listening: Listening,
) -> AsyncIterator[TrapPath]:
    """Joins and starts the parts. The fleet is started; it need not be known yet."""
    async with AsyncExitStack() as stack:
        counts, counters = Counts(), Counters()
        settings = _Settings(store)
        await settings.read()
        position = unpacked(await store.read(partial(records.position, spool=SPOOL)))
        spool = stack.enter_context(Spool(spool_folder, counters=counters, resume=position))
        decoder = Decoder(UserTable(), engine, TimeWindows(await store.scan(records.clocks)))
        configs = Configs(store, vaults)
        await configs.load()
        conditions = Conditions(store)
        await conditions.load()
        drivers = Drivers(core)
        syncs = SyncWatch(core, fleet, conditions, settings.current)
        polls = Poller(store, core, fleet, drivers, settings.current, syncs.polled)
        queues = Queues(store, core, fleet, polls, counts)
        roster = Roster(fleet, configs, decoder)
        sources = DriverSources(store, core, fleet, drivers, roster.refresh)
        roster.follow(sources)
        told = Receivers(core, configs)
        checks = Checks(configs, fleet, conditions, settings.current)
        driver_watch = DriverWatch(fleet, drivers, conditions)
        telemetry_watch = TelemetryWatch(core, fleet, conditions, settings.current)
        losses = LossWatch(fleet, conditions, lambda: _losses(counters, spool), lambda: queues.lost)
        most_kept = lambda: settings.current().max_kept_traps  # noqa: E731
        intake = Intake(store, spool, decoder, roster.table, queues, counts, position=position, most_kept=most_kept)
        receiver = Receiver(listening.sockets, spool, InformDesk(decoder, partial(_allowed, roster)), counters)
        config_service = config_handlers.Handlers(
            configs, told, fleet, roster.table, roster.apply, checks.changed, partial(_ask_again, fleet)
        )
        shown = trap_handlers.TrapReceiver(
            listening=[str(socket) for socket in listening.sockets],
            problem=lambda: listening.problem,
            spool=spool,
            counters=counters,
            counts=counts,
            intake=intake,
            queues=queues,
            engine_id=engine.engine_id,
        )
        receiver.start()
        stack.callback(receiver.close)

        async def begin() -> None:
            """What has to know the storages first: until then traps wait in the spool."""
            await fleet.wait_known()
            await _first_look(drivers)
            await _end_unknown(store, fleet, config_service, conditions)
            await sources.start()
            await roster.start()
            intake.start()
            await queues.start()
            await polls.start()
            for part in (syncs, driver_watch, telemetry_watch, losses, checks, told):
                part.start()

        departures = _Departures(store, queues, polls, sources, syncs, conditions, config_service)

        def fleet_changed(touched: Collection[str]) -> None:
            roster.refresh()
            sources.refresh()
            polls.refresh()
            syncs.refresh()
            checks.changed("")
            for storage_id in touched:
                if fleet.get(storage_id) is None:
                    departures.add(storage_id)
                else:
                    queues.retry(storage_id)

        configs.on_change.append(roster.refresh)
        drivers.on_look += [polls.refresh_drivers, sources.refresh]
        settings.listeners += [polls.refresh, syncs.refresh, telemetry_watch.refresh, lambda: checks.changed("")]
        fleet.listen(fleet_changed)
        drivers.start()
        beginning = asyncio.create_task(begin(), name="trap path")
        beginning.add_done_callback(_say_why)
        following = asyncio.create_task(settings.follow(), name="alert settings")
        watches = (losses, telemetry_watch, driver_watch, syncs, checks)
        stops = (*watches, told, polls, queues, intake, roster, sources, drivers)
        try:
            yield TrapPath(
                methods=(*trap_handlers.Handlers(store, shown).methods(), *config_service.methods()),
                receiver=shown,
                polls=polls,
                losses=losses,
                conditions=conditions,
            )
        finally:
            for task in (beginning, following):
                task.cancel()
            await asyncio.gather(beginning, following, return_exceptions=True)
            receiver.close()
            for part in stops:
                await part.stop()
            await departures.stop()


def _allowed(roster: Roster, notification: Notification, source: str) -> bool:
    return roster.table().match(notification, source).state == MATCHED


def _losses(counters: Counters, spool: Spool) -> dict[str, int]:
    why = f": {spool.last_trouble}" if spool.last_trouble else ""
    return {
        "dropped since the spool was full or they were too old": counters.overflow_dropped,
        "refused since their source sent too many": counters.share_refused,
        f"not written{why}": counters.disk_refused,
        "dropped by the kernel": counters.kernel_drops,
    }


async def _ask_again(fleet: Fleet, storage_ids: list[str]) -> None:
    try:
        await fleet.refresh(storage_ids)
    except CallError as error:
        log.info("the core can't be asked about %s: %s", ", ".join(storage_ids), error)


async def _first_look(drivers: Drivers) -> None:
    try:
        async with asyncio.timeout(FIRST_LOOK_SECONDS):
            await drivers.looked.wait()
    except TimeoutError:
        log.warning("the core does not say which drivers there are; going on without")


async def _end_unknown(store: Store, fleet: Fleet, configs: config_handlers.Handlers, conditions: Conditions) -> None:
    """Storages that were removed while nobody listened."""
    for stored in await store.scan(config_records.read_all):
        if fleet.get(stored.storage_id) is None:
            await configs.forget(stored.storage_id)
    for storage_id in conditions.storages():
        if fleet.get(storage_id) is None:
            await conditions.forget(storage_id)


def _say_why(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("traps are spooled and not read, by a fault of Delphis: %s", error, exc_info=error)


class _Departures:
    """Ends what there is about storages that were removed."""

    def __init__(
        self,
        store: Store,
        queues: Queues,
        polls: Poller,
        sources: DriverSources,
        syncs: SyncWatch,
        conditions: Conditions,
        configs: config_handlers.Handlers,
    ) -> None:
        self._store = store
        self._queues = queues
        self._polls = polls
        self._sources = sources
        self._syncs = syncs
        self._conditions = conditions
        self._configs = configs
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, storage_id: str) -> None:
        """The storage was removed."""
        task = asyncio.create_task(self._end(storage_id), name=f"end of {storage_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Ends what runs: the next start finds the rest."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _end(self, storage_id: str) -> None:
        self._syncs.forget(storage_id)
        self._queues.retry(storage_id)
        try:
            await self._polls.forget(storage_id)
            await self._sources.forget(storage_id)
            await self._configs.forget(storage_id)
            await self._conditions.forget(storage_id)
            await self._store.write(partial(_end_alerts, storage_id=storage_id))
        except StoreFault as fault:
            log.error("what there is about the removed storage %s can't be ended: %s", storage_id, fault)


def _end_alerts(connection: Connection, storage_id: str) -> int:
    return operating.end_storage(connection, storage_id, at=times.now())
