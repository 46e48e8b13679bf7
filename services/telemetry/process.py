"""How the parts of a telemetry process belong together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select

from services.app import health, opening
from services.auth.service_authenticator import ServiceAuthenticator
from services.calls.method import Method, MethodTable
from services.calls.pipeline import Pipeline
from services.calls.reflection import Reflection
from services.fleet.core import Core
from services.fleet.fleet import Fleet
from services.fleet.storage import Storage
from services.observing.calls import calls
from services.observing.observer import Observer
from services.observing.process import observed_process
from services.observing.service import ProcessMetrics
from services.observing.store import observe_store
from services.store.engine import Store
from services.store.errors import StoreFault
from services.store.statement import statement
from services.telemetry.api.collection_service import CollectionService
from services.telemetry.api.forecasts import ForecastList
from services.telemetry.api.metric_service import MetricService
from services.telemetry.api.sink_service import SinkService
from services.telemetry.collection.collector import Collector
from services.telemetry.exposition.latest import Latest
from services.telemetry.exposition.recall import recall
from services.telemetry.forecast import days
from services.telemetry.forecast.forecasts import Forecasts
from services.telemetry.history import recorder
from services.telemetry.history.recorder import Recorder
from services.telemetry.inventory.follower import Follower
from services.telemetry.inventory.keeping import Keeper
from services.telemetry.observed import observe_collections, observe_sinks
from services.telemetry.query.checks import database_settings
from services.telemetry.query.database import Database
from services.telemetry.retention_clock import RetentionClock
from services.telemetry.schema import SCHEMA
from services.telemetry.schema.collection import collections
from services.telemetry.settings import TelemetrySettings
from services.telemetry.sinks import records as sink_records
from services.telemetry.sinks.settings import SinkSettings
from services.telemetry.sinks.sinks import Sinks
from services.telemetry.window import Window
from services.vault.vault import LateVault

log = logging.getLogger(__name__)

EXPIRY_SECONDS = 60.0
_ANY = statement(select(collections.c.asked_at).limit(1))


@dataclass(frozen=True, slots=True)
class Telemetry:
    """A telemetry service that serves, but for its gRPC port."""

    pipeline: Pipeline
    reflection: Reflection


@asynccontextmanager
async def wire(settings: TelemetrySettings) -> AsyncIterator[Telemetry]:
    """Opens the store, starts all parts, and puts the pipeline in front of what they serve."""
    async with AsyncExitStack() as stack:
        token = opening.need_token(settings)
        store = opening.open_store(settings.database, SCHEMA)
        stack.push_async_callback(store.close)
        vault = opening.open_vault(
            settings.key_file, await store.scan(sink_records.key_ids), purpose="secrets of sinks"
        )
        channel = opening.open_core_channel(settings.inventory, settings.inventory_ca)
        stack.push_async_callback(channel.close)
        core = Core(channel, token)
        fleet = Fleet(core)
        fleet.start()
        stack.push_async_callback(fleet.stop)
        observer = stack.enter_context(observed_process())
        observe_store(observer, store)
        served = await _parts(settings, store, vault, core, fleet, observer, stack)
        served = (*served, *ProcessMetrics("telemetry", observer).methods())
        methods = MethodTable((*served, *health.methods(store, _ANY, served)))
        pipeline = Pipeline(methods, ServiceAuthenticator(token), relayed=True)
        observer.add(calls(pipeline.metrics))
        yield Telemetry(pipeline, Reflection(methods.services()))


async def _parts(
    settings: TelemetrySettings,
    store: Store,
    vault: LateVault,
    core: Core,
    fleet: Fleet,
    observer: Observer,
    stack: AsyncExitStack,
) -> tuple[Method, ...]:
    """Starts all parts; what they serve."""
    latest, written = Latest(), Recorder()
    forecasts, clock = Forecasts(store), RetentionClock()

    def took(storage: Storage, windows: list[Window]) -> None:
        latest.take(storage.id, windows)

    def forget_gone(changed: object) -> None:
        for storage_id in latest.storage_ids() - fleet.all().keys():
            latest.forget(storage_id)

    fleet.listen(forget_gone)
    collector = Collector(store, core, fleet, written, took=took)
    keeper = Keeper(store, written, collector, took=took, changed=forecasts.changed)
    await collector.start()
    stack.push_async_callback(collector.stop)
    recalling = asyncio.create_task(recall(store, fleet, collector, latest), name="newest values recalled")
    stack.push_async_callback(_ended, recalling)
    follower = Follower(core, fleet, keeper.keep)
    follower.start()
    stack.push_async_callback(follower.stop)
    expiring = asyncio.create_task(_forget_old(store, clock), name="retention of points")
    stack.push_async_callback(_ended, expiring)
    foreseen = ForecastList(fleet, forecasts, follower.names)
    source = database_settings(settings)
    database = Database(source) if source is not None else None
    if database is not None:
        stack.push_async_callback(database.close)
    metrics = MetricService(store, fleet, collector, latest, follower.names, foreseen, database)
    sinks = Sinks(
        store, vault, fleet, _sending(settings), names=follower.names, names_known=follower.knows, clock=clock.now
    )
    sinks.start()
    stack.push_async_callback(sinks.stop)
    observe_collections(observer, fleet, collector)
    observe_sinks(observer, store, sinks)
    return (
        *metrics.methods(),
        *CollectionService(fleet, collector).methods(),
        *SinkService(store, sinks).methods(),
    )


def _sending(settings: TelemetrySettings) -> SinkSettings:
    return SinkSettings(most_bytes=settings.sink_backlog << 20, most_age=settings.sink_backlog_hours * 3600)


async def _forget_old(store: Store, clock: RetentionClock) -> None:
    while True:
        now = clock.now() // 1000
        more = False
        try:
            more = await store.write(partial(recorder.expire, now=now), bulk=True)
            await store.write(partial(days.expire, now=now))
        except StoreFault as fault:
            log.error("old points can't be removed: %s", fault)
        await asyncio.sleep(0 if more else EXPIRY_SECONDS)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
