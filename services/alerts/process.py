"""How the parts of an alerts process belong together."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import bindparam, insert, select, update

from services.alerts.api.live import Arrays
from services.alerts.api.service import AlertService
from services.alerts.book import retention
from services.alerts.delivery.delivery import Delivery
from services.alerts.delivery.lane_records import needed_from
from services.alerts.delivery.service import DeliveryService
from services.alerts.delivery.settings import DeliverySettings
from services.alerts.observed import observe_alerts, observe_traps
from services.alerts.receiving import CannotListen, TrapSocket, listen
from services.alerts.schema import SCHEMA
from services.alerts.schema.delivery import receivers
from services.alerts.schema.service import service
from services.alerts.settings import TRAP_PORT, UNPRIVILEGED_TRAP_PORT, AlertsSettings
from services.alerts.snmp_configs import records as config_records
from services.alerts.trap_path import Listening, trap_path
from services.app import health, opening
from services.app.failure import StartFailure
from services.auth.service_authenticator import ServiceAuthenticator
from services.calls.method import Method, MethodTable
from services.calls.pipeline import Pipeline
from services.calls.reflection import Reflection
from services.fleet.core import Core
from services.fleet.fleet import Fleet
from services.observing.calls import calls
from services.observing.observer import Observer
from services.observing.process import observed_process
from services.observing.service import ProcessMetrics
from services.observing.store import observe_store
from services.snmp import OwnEngine
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import StoreFault
from services.store.statement import statement
from services.vault.vault import LateVault, key_id_of

log = logging.getLogger(__name__)

RETENTION_SECONDS = 600.0
_INSTALLATION_BYTES = 16
# The beginning of an SNMP engine id: net-snmp's number, since we have none of our own, and that octets follow.
_ENGINE = bytes.fromhex("80001f8805")
_SEALED = statement(select(receivers.c.secrets))
_SELF = statement(select(service.c.installation, service.c.starts).where(service.c.no == 1))
_NEW = statement(insert(service).values(no=1, installation=bindparam("made"), starts=1, started_at=bindparam("at")))
_AGAIN = statement(
    update(service).where(service.c.no == 1).values(starts=service.c.starts + 1, started_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class Alerts:
    """An alerts service that serves, but for its gRPC port."""

    pipeline: Pipeline
    reflection: Reflection
    traps: tuple[str, ...]
    """Where traps are taken."""


@dataclass(frozen=True, slots=True)
class Self:
    """What the service knows of itself."""

    installation: bytes
    """16 random bytes that stay as long as the database does."""
    starts: int
    """How often it has started, this time included."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What all parts stand on."""

    settings: AlertsSettings
    own: Self
    store: Store
    vault: LateVault
    core: Core
    fleet: Fleet
    """The `arrays.Arrays` of all parts."""


@asynccontextmanager
async def wire(settings: AlertsSettings) -> AsyncIterator[Alerts]:
    """Opens the store, starts all parts, and puts the pipeline in front of what they serve."""
    async with AsyncExitStack() as stack:
        token = opening.need_token(settings)
        ground = await _ground(settings, token, stack)
        listening = _listening(settings)
        for opened in listening.sockets:
            stack.callback(opened.socket.close)
        observer = stack.enter_context(observed_process())
        observe_store(observer, ground.store)
        served = await _parts(ground, listening, observer, stack)
        served = (*served, *ProcessMetrics("alerts", observer).methods())
        methods = MethodTable((*served, *health.methods(ground.store, _SELF, served)))
        pipeline = Pipeline(methods, ServiceAuthenticator(token), relayed=True)
        observer.add(calls(pipeline.metrics))
        yield Alerts(pipeline, Reflection(methods.services()), traps=tuple(map(str, listening.sockets)))


async def _parts(ground: Ground, listening: Listening, observer: Observer, stack: AsyncExitStack) -> tuple[Method, ...]:
    """Starts all parts; what they serve."""
    store = ground.store
    path = await stack.enter_async_context(
        trap_path(
            store=store,
            vaults=ground.vault,
            core=ground.core,
            fleet=ground.fleet,
            engine=OwnEngine(_ENGINE + ground.own.installation[:12], ground.own.starts, time.time()),
            spool_folder=Path(ground.settings.data_dir) / "spool" / "traps",
            listening=listening,
        )
    )
    sending = DeliverySettings(public_url=ground.settings.public_url)
    delivery = Delivery(store, ground.vault, sending, backlog_hook=path.losses.backlog)
    stack.push_async_callback(delivery.stop)
    await delivery.start()
    observe_traps(observer, path.receiver)
    observe_alerts(observer, store, delivery)
    keeping = asyncio.create_task(_forget_old(store), name="retention of alerts")
    stack.push_async_callback(_ended, keeping)
    alerts = AlertService(store, Arrays(ground.core, ground.fleet), path.polls, delivery.silencing)
    return (*path.methods, *alerts.methods(), *DeliveryService(store, delivery).methods())


async def _forget_old(store: Store) -> None:
    while True:
        try:
            await retention.forget(store, needed=needed_from)
        except StoreFault as fault:
            log.error("old alerts can't be removed: %s", fault)
        await asyncio.sleep(RETENTION_SECONDS)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _listening(settings: AlertsSettings) -> Listening:
    """Where traps are taken. StartFailure where an address that somebody named can't be bound."""
    sockets: list[TrapSocket] = []
    try:
        for address in settings.trap_listen or (f"0.0.0.0:{TRAP_PORT}",):
            host, _, port = address.rpartition(":")
            fallback = UNPRIVILEGED_TRAP_PORT if settings.trap_fallback else None
            sockets += listen(host.strip("[]"), int(port), or_port=fallback)
    except CannotListen as error:
        for opened in sockets:
            opened.socket.close()
        if not settings.trap_fallback:
            raise StartFailure(str(error)) from error
        log.error("no traps are received: %s", error)
        return Listening((), str(error))
    return Listening(tuple(sockets), "")


async def _ground(settings: AlertsSettings, token: str, stack: AsyncExitStack) -> Ground:
    store = opening.open_store(settings.database, SCHEMA)
    stack.push_async_callback(store.close)
    own = await store.write(_begin)
    vault = opening.open_vault(settings.key_file, await store.scan(_key_ids), purpose="secrets of alerts")
    channel = opening.open_core_channel(settings.inventory, settings.inventory_ca)
    stack.push_async_callback(channel.close)
    core = Core(channel, token)
    fleet = Fleet(core)
    fleet.start()
    stack.push_async_callback(fleet.stop)
    return Ground(settings, own, store, vault, core, fleet)


def _begin(connection: Connection) -> Self:
    """Counts the start."""
    at = time.time_ns() // 1000
    if not connection.run(_AGAIN, {"at": at}):
        connection.run(_NEW, {"at": at, "made": secrets.token_bytes(_INSTALLATION_BYTES)})
    row = connection.one(_SELF)
    assert row is not None
    return Self(bytes(row[0]), row[1])


def _key_ids(connection: Connection) -> frozenset[bytes]:
    """The keys that what is encrypted here names."""
    sealed = [*config_records.ciphertexts(connection), *(row[0] for row in connection.all(_SEALED))]
    return frozenset(key_id_of(bytes(one)) for one in sealed if one)
