"""How the parts of a core belong together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from delphis.alert.v1 import alert_pb2, delivery_pb2, snmp_config_pb2, trap_pb2
from delphis.telemetry.v1 import telemetry_pb2
from services.app import health, opening, version
from services.app.failure import StartFailure
from services.app.settings import CoreSettings
from services.auth.authenticator import TokenAuthenticator
from services.auth.secret import new_secret
from services.calls.method import MethodTable
from services.calls.peer import Peer, PeerError
from services.calls.pipeline import AnonymousAdmin, Pipeline
from services.calls.reflection import Reflection
from services.inventory.access.infos import AccessInfos
from services.inventory.preferences import DriverPreferences
from services.inventory.schema import SCHEMA
from services.inventory.schema.storages import storages
from services.inventory.service import Inventory, open_vault
from services.observing.calls import calls
from services.observing.family import Family, gauge, of
from services.observing.process import observed_process
from services.observing.service import Other, ProcessMetrics
from services.observing.store import observe_store
from services.registry.lease_service import LeaseService
from services.registry.manifest import TlsFiles
from services.registry.observed import driver_hosts
from services.registry.registry import Registry
from services.registry.service import RegistryService
from services.registry.settings import HostSettings
from services.relay.relay import Relay
from services.relay.release import Release
from services.router import service as router_service
from services.router.router import Router
from services.store.engine import Store
from services.store.errors import StoreFault
from services.store.statement import statement
from services.vault.errors import VaultError
from services.vault.vault import Vault

IN_TREE_DRIVERS = Path(__file__).parents[2] / "drivers"
DRAIN_GRACE = 5.0
ALERT_SERVICES = [
    service
    for module in (alert_pb2, delivery_pb2, snmp_config_pb2, trap_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
]
TELEMETRY_SERVICES = list(telemetry_pb2.DESCRIPTOR.services_by_name.values())
_ANY_STORAGE = statement(select(storages.c.no).limit(1))


@dataclass(frozen=True, slots=True)
class Core:
    """A core that serves, but for its ports."""

    pipeline: Pipeline
    reflection: Reflection
    service_token: str
    """What Delphis' own processes, and the core itself, call with."""


@asynccontextmanager
async def wire(settings: CoreSettings) -> AsyncIterator[Core]:
    """Opens the store, starts registry, router and inventory, and puts the pipeline in front of them."""
    async with AsyncExitStack() as stack:
        store = opening.open_store(settings.database, SCHEMA)
        stack.push_async_callback(store.close)
        access = AccessInfos(store, await _open_vault(store, settings))
        folders = (IN_TREE_DRIVERS, *map(Path, settings.drivers))
        hosts = HostSettings(
            runtime_dir=Path(settings.data_dir) / "run", lease_ttl=settings.lease_ttl, spawn=settings.spawn
        )
        registry = Registry(hosts, folders, DriverPreferences(store), store=store, lease_tls=_lease_tls(settings))
        router = Router(registry, access)
        # Where nobody was told of one, no other process of ours is to call this one.
        token = opening.read_token(settings) or new_secret()
        authenticator = TokenAuthenticator(store, service_token=token) if settings.auth == "token" else None
        alerts = _relay("alerts", settings.alerts, settings.alerts_ca, token)
        telemetry = _relay("telemetry", settings.telemetry, settings.telemetry_ca, token)
        relays = {
            prefix: relay
            for prefix, relay in (("delphis.alert.", alerts), ("delphis.telemetry.", telemetry))
            if relay is not None
        }
        for relay in relays.values():
            stack.push_async_callback(relay.close)
        inventory = Inventory(
            store,
            router,
            access,
            forget=registry.forget,
            authenticator=authenticator,
            release=Release(alerts) if alerts is not None else None,
        )
        observer = stack.enter_context(observed_process())
        observe_store(observer, store)
        observer.add(driver_hosts(registry), lambda: [_connections(relays.values())])
        inventory.observe(observer)
        own = ProcessMetrics("core", observer, [Other(relay) for relay in relays.values()])
        await registry.start()
        stack.push_async_callback(registry.stop, DRAIN_GRACE)
        try:
            await inventory.start()
        except StoreFault as fault:
            raise StartFailure(str(fault)) from fault
        stack.push_async_callback(inventory.stop)
        assert registry.table is not None
        served = (
            *inventory.methods(),
            *RegistryService(registry).methods(),
            *LeaseService(registry.table, settings.lease_ttl).methods(),
            *router_service.methods(router),
            *own.methods(),
        )
        if alerts is not None:
            served = (*served, *alerts.methods(ALERT_SERVICES))
        if telemetry is not None:
            served = (*served, *telemetry.methods(TELEMETRY_SERVICES))

        def away(service: str) -> bool:
            return any(service.startswith(prefix) and not relay.connected for prefix, relay in relays.items())

        methods = MethodTable((*served, *version.methods(served), *health.methods(store, _ANY_STORAGE, served, away)))
        pipeline = Pipeline(methods, authenticator or AnonymousAdmin(), inventory.audit)
        observer.add(calls(pipeline.metrics))
        yield Core(pipeline, Reflection(methods.services()), token)


def _relay(name: str, address: str | None, ca: str | None, token: str) -> Relay | None:
    if address is None:
        return None
    try:
        return Relay(name, Peer(f"--{name}", address, ca).channel(), token)
    except PeerError as error:
        raise StartFailure(str(error)) from error


def _connections(relays: Iterable[Relay]) -> Family:
    return gauge(
        "delphis_relay_connected",
        "Whether the core has a connection to another process (1), by that process.",
        *of("to", ((relay.name, float(relay.connected)) for relay in relays)),
    )


def _lease_tls(settings: CoreSettings) -> TlsFiles | None:
    if settings.lease_tls is None:
        return None
    folder = Path(settings.lease_tls)
    files = TlsFiles(folder / "ca.pem", folder / "tls.pem", folder / "tls.key")
    for path in (files.ca, files.cert, files.key):
        try:
            path.read_bytes()
        except OSError as error:
            raise StartFailure(
                f"--lease-tls {folder}: {path.name} can't be read: {error.strerror}. `delphis-driver certs` makes it."
            ) from error
    return files


async def _open_vault(store: Store, settings: CoreSettings) -> Vault:
    try:
        return await open_vault(store, opening.key_path(settings.key_file))
    except VaultError as error:
        raise StartFailure(str(error)) from error
