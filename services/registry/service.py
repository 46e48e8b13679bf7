"""RegistryService: shows the drivers and their hosts, and takes an operator's decisions about them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from delphis.driver.v1 import storage_driver_pb2
from delphis.registry.v1 import registry_pb2 as pb
from services.calls.errors import CallError
from services.calls.method import Call, Method, methods_of, unary
from services.registry.discovery import BrokenDriver
from services.registry.driver_hosts import DriverHosts
from services.registry.endpoint_slot import EndpointSlot
from services.registry.host import Host, HostState
from services.registry.manifest import LeasedHost, Manifest, Pair, Source
from services.registry.registry import Registry
from services.registry.slot import HostSlot
from services.registry.spawned_host import SpawnedHost
from services.registry.suspects import Record
from services.registry.watch import resident_bytes

_SOURCES = {
    Source.MANIFEST: pb.DRIVER_SOURCE_MANIFEST,
    Source.ENTRY_POINT: pb.DRIVER_SOURCE_ENTRY_POINT,
    Source.LEASE: pb.DRIVER_SOURCE_LEASE,
}
_STATES = {
    HostState.STARTING: pb.HOST_STATE_STARTING,
    HostState.SERVING: pb.HOST_STATE_SERVING,
    HostState.DRAINING: pb.HOST_STATE_DRAINING,
    HostState.DEAD: pb.HOST_STATE_DEAD,
}
# Of replicas the best state is the driver's.
_BEST_FIRST = (
    pb.DRIVER_STATE_SERVING,
    pb.DRIVER_STATE_STARTING,
    pb.DRIVER_STATE_LOAD_FAILED,
    pb.DRIVER_STATE_BACKOFF,
    pb.DRIVER_STATE_UNREACHABLE,
    pb.DRIVER_STATE_IDLE,
)


class RegistryService:
    """The handlers."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def methods(self) -> Iterator[Method]:
        """The service for a method table."""
        return methods_of(
            pb.DESCRIPTOR.services_by_name["RegistryService"],
            {
                "ListDrivers": unary(pb.ListDriversRequest, self.list_drivers),
                "GetDriver": unary(pb.GetDriverRequest, self.get_driver),
                "PreferDriver": unary(pb.PreferDriverRequest, self.prefer_driver),
                "RestartDriver": unary(pb.RestartDriverRequest, self.restart_driver),
                "ListQuarantines": unary(pb.ListQuarantinesRequest, self.list_quarantines),
                "ReleaseQuarantine": unary(pb.ReleaseQuarantineRequest, self.release_quarantine),
            },
        )

    async def list_drivers(self, request: pb.ListDriversRequest, call: Call) -> pb.ListDriversResponse:
        """All drivers by name, those that can't be used too."""
        self._registry.refresh()
        catalogue = self._registry.catalogue
        drivers = [self._driver(name) for name in catalogue.names()]
        drivers += [_broken_driver(broken) for broken in catalogue.broken]
        return pb.ListDriversResponse(drivers=sorted(drivers, key=lambda driver: driver.name))

    async def get_driver(self, request: pb.GetDriverRequest, call: Call) -> pb.Driver:
        """One driver."""
        self._registry.refresh()
        try:
            return self._driver(request.name)
        except CallError:
            for broken in self._registry.catalogue.broken:
                if broken.name == request.name:
                    return _broken_driver(broken)
            raise

    async def prefer_driver(self, request: pb.PreferDriverRequest, call: Call) -> pb.Driver:
        """Gives a pair to the driver."""
        call.resource_id = request.name
        await self._registry.prefer(Pair(request.vendor, request.model), request.name)
        return self._driver(request.name)

    async def restart_driver(self, request: pb.RestartDriverRequest, call: Call) -> pb.Driver:
        """Replaces the driver's hosts."""
        call.resource_id = request.name
        await self._registry.restart(request.name)
        return self._driver(request.name)

    async def list_quarantines(self, request: pb.ListQuarantinesRequest, call: Call) -> pb.ListQuarantinesResponse:
        """The distrusted arrays."""
        return pb.ListQuarantinesResponse(
            quarantines=[_quarantine(hosts, record) for hosts, record in self._registry.distrusted()]
        )

    async def release_quarantine(self, request: pb.ReleaseQuarantineRequest, call: Call) -> pb.Quarantine:
        """Ends an array's quarantine."""
        call.resource_id = request.storage_id
        return _quarantine(*self._registry.release(request.storage_id))

    def _driver(self, name: str) -> pb.Driver:
        catalogue = self._registry.catalogue
        replicas = catalogue.replicas(name)
        driver = pb.Driver(
            name=name,
            version=", ".join(sorted({manifest.version for manifest in replicas})),
            source=_SOURCES[replicas[0].source],
            origin=", ".join(manifest.origin for manifest in replicas),
        )
        for pair in dict.fromkeys(pair for manifest in replicas for pair in manifest.serves):
            driver.serves.add(
                vendor=pair.vendor,
                model=pair.model,
                conflicts_with=[rival for rival in catalogue.rivals(pair) if rival != name],
                in_use=catalogue.in_use(pair) == name,
            )
        states: list[pb.DriverState.ValueType] = []
        for manifest in replicas:
            hosts = self._registry.supervisor.of(manifest)
            state, error = _state(hosts)
            if manifest.leased and self._registry.table is not None and not self._registry.table.holds(manifest):
                state, error = pb.DRIVER_STATE_UNREACHABLE, error or self._ended(manifest)
            states.append(state)
            driver.error = driver.error or error
            driver.restarts += sum(slot.deaths for slot in hosts.slots())
            driver.hosts.extend(_hosts(hosts) if not manifest.leased else [self._leased(hosts)])
            info = _last_info(hosts)
            if info is not None and not driver.rpcs:
                driver.rpcs.extend(info.rpcs)
                driver.access_fields.extend(info.access_fields)
                driver.lists_all_alerts = info.lists_all_alerts
        driver.state = min(states, key=_BEST_FIRST.index)
        if driver.state == pb.DRIVER_STATE_SERVING and all(manifest.leased for manifest in replicas):
            driver.error = ""  # each host has its own
        if not driver.error and driver.serves and not any(served.in_use for served in driver.serves):
            driver.error = _conflict(driver)
        return driver

    def _leased(self, hosts: DriverHosts) -> pb.DriverHost:
        """A host that announced itself, reachable or not."""
        slot, table = hosts.main, self._registry.table
        assert isinstance(slot, EndpointSlot)
        assert isinstance(hosts.manifest.host, LeasedHost)
        assert table is not None
        if slot.current is not None:
            message = _host(slot.current)
        else:
            message = pb.DriverHost(
                endpoint=hosts.manifest.host.endpoint,
                server_id=hosts.manifest.host.server_id,
                state=pb.HOST_STATE_UNREACHABLE if slot.failure else pb.HOST_STATE_STARTING,
                error=slot.failure,
            )
        message.lease_expires_at.FromMicroseconds(table.until(hosts.manifest))
        if not table.holds(hosts.manifest):
            message.state = pb.HOST_STATE_DEAD
            message.error = self._ended(hosts.manifest)
        return message

    def _ended(self, manifest: Manifest) -> str:
        assert self._registry.table is not None
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._registry.table.until(manifest) / 1e6))
        return f"the lease of its host at {manifest.origin} ended at {at}; start the host there or elsewhere"


def _conflict(driver: pb.Driver) -> str:
    rivals = sorted({rival for served in driver.serves for rival in served.conflicts_with})
    return f"other drivers serve its vendors and models: {', '.join(rivals)}; choose with `delphis drivers prefer`"


def _broken_driver(broken: BrokenDriver) -> pb.Driver:
    return pb.Driver(
        name=broken.name,
        source=_SOURCES[broken.source],
        origin=broken.origin,
        state=pb.DRIVER_STATE_INVALID,
        error=broken.error,
    )


def _state(hosts: DriverHosts) -> tuple[pb.DriverState.ValueType, str]:
    """The driver's state by its main host, and why it can't be used."""
    slot = hosts.main
    if slot.current is not None:
        if slot.current.info.load_error:
            return pb.DRIVER_STATE_LOAD_FAILED, slot.current.info.load_error
        return pb.DRIVER_STATE_SERVING, ""
    if slot.starting:
        return pb.DRIVER_STATE_STARTING, ""
    if isinstance(slot, EndpointSlot):
        return (pb.DRIVER_STATE_UNREACHABLE, slot.failure) if slot.failure else (pb.DRIVER_STATE_IDLE, "")
    if slot.failure is not None:
        error = slot.start_error(slot.failure).message
        return (pb.DRIVER_STATE_BACKOFF if slot.waits > 0 else pb.DRIVER_STATE_IDLE), error
    last = _last_info(hosts)
    if last is not None and last.load_error:  # its host ended as nobody used it
        return pb.DRIVER_STATE_LOAD_FAILED, last.load_error
    return pb.DRIVER_STATE_IDLE, ""


def _last_info(hosts: DriverHosts) -> storage_driver_pb2.GetDriverInfoResponse | None:
    slot = hosts.main
    if slot.current is not None:
        return slot.current.info
    if isinstance(slot, HostSlot) and slot.ended:
        return slot.ended[-1][0].info
    return None


def _hosts(hosts: DriverHosts) -> Iterable[pb.DriverHost]:
    for slot in hosts.slots():
        if isinstance(slot, EndpointSlot):
            if slot.current is not None:
                yield _host(slot.current)
            continue
        for host in (slot.incoming, slot.current, *slot.draining):
            if host is not None:
                yield _host(host)
        for host, ended in slot.ended:
            message = _host(host)
            message.exit = host.killed_for or str(ended)
            message.ended_at.FromMicroseconds(int(ended.at * 1e6))
            yield message


def _host(host: Host) -> pb.DriverHost:
    message = pb.DriverHost(
        endpoint=host.endpoint,
        state=_STATES[host.state],
        server_id=host.info.server_id,
        calls_in_flight=len(host.calls),
    )
    if isinstance(host, SpawnedHost):
        message.pid = host.process.pid
        message.started_at.FromMicroseconds(int(host.process.started_at * 1e6))
        message.log_tail.extend(host.process.tail)
        message.probation = host.probation
        if host.process.alive:
            message.memory_bytes = resident_bytes(host.process.pid)
    return message


def _quarantine(hosts: DriverHosts, record: Record) -> pb.Quarantine:
    if hosts.ledger.quarantine(record.storage_id) is not None:
        state = pb.QUARANTINE_STATE_QUARANTINED
    elif hosts.probation.has_turn(record.storage_id):
        state = pb.QUARANTINE_STATE_PROBATION
    else:
        state = pb.QUARANTINE_STATE_SUSPECT
    message = pb.Quarantine(
        storage_id=record.storage_id,
        driver=hosts.manifest.name,
        state=state,
        deaths=hosts.ledger.recent_deaths(record),
        last_exit=record.last_exit,
    )
    offset = time.time() - time.monotonic()
    message.since.FromMicroseconds(int((record.since + offset) * 1e6))
    if record.until is not None:
        message.until.FromMicroseconds(int((record.until + offset) * 1e6))
    return message
