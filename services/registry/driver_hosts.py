"""The hosts of one driver: the main one for everybody, probation hosts for suspects."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from services.calls.errors import CallError
from services.registry.deaths import Blame, DeathJudge, OomCounter
from services.registry.endpoint_slot import EndpointSlot
from services.registry.host import Host
from services.registry.host_process import Exit
from services.registry.manifest import Manifest
from services.registry.probation import Probation
from services.registry.settings import HostSettings
from services.registry.slot import HostSlot
from services.registry.spawned_host import SpawnedHost
from services.registry.suspects import Record, SuspectLedger

log = logging.getLogger(__name__)


class Lease:
    """The right to run one call in a host. Exactly one `release` ends it."""

    __slots__ = ("_hosts", "_probation", "_running", "_slot", "host", "method", "owner_epoch", "storage_id")

    def __init__(
        self, hosts: DriverHosts, slot: HostSlot | EndpointSlot, host: Host, storage_id: str, method: str
    ) -> None:
        self.host = host
        self.owner_epoch = 0
        """Counts the owners of the array; 0: nobody else could own it."""
        self.storage_id = storage_id
        self.method = method
        self._hosts = hosts
        self._slot = slot
        self._probation = isinstance(slot, HostSlot) and slot.probation
        self._running = host.enter(storage_id, method)

    def answered(self) -> None:
        """The host answered the call, with a result or an error of its own."""
        self._slot.answered(self.host)  # type: ignore[arg-type]  # the slot's own kind of host
        if self._probation:
            self._hosts.ledger.ended_well(self.storage_id, self.method)

    async def lost(self) -> bool:
        """The call ended as if the connection broke. Whether the host is gone; a death is judged when this returns.

        To be called before `release`: the array is a suspect only as long as its call counts as in flight.
        """
        return await self._slot.lost(self.host)

    def release(self) -> None:
        """The call ended."""
        self.host.leave(self._running)
        if self._probation:
            self._hosts.probation.leave(self.storage_id)


class DriverHosts:
    """Gives each call to an array the host where it may run."""

    def __init__(
        self, manifest: Manifest, settings: HostSettings, new_socket: Callable[[], Path], oom: OomCounter
    ) -> None:
        self.manifest = manifest
        self.ledger = SuspectLedger(manifest.name, settings, time.monotonic)
        self._settings = settings
        self._new_socket = new_socket
        self._judge = DeathJudge(settings, oom)
        self.main: HostSlot | EndpointSlot
        if manifest.spawned:
            self.main = HostSlot(manifest, settings, new_socket, self._main_ended)
        else:
            self.main = EndpointSlot(manifest, settings)
        self.probation = Probation(
            manifest.name, self._probation_slot, most=settings.probation_hosts, patience=settings.probation_patience
        )

    async def lease(self, storage_id: str, method: str) -> Lease:
        """A host for the call, started if need be.

        Raises:
            CallError: ARRAY_QUARANTINED, DRIVER_HOST_START_FAILED, DRIVER_HOST_UNAVAILABLE or SERVICE_UNAVAILABLE.
        """
        while True:
            if self.ledger.is_distrusted(storage_id):
                return await self._lease_on_probation(storage_id, method)
            host = self.main.serving() or await self.main.host()
            # While a host was started the array may have become a suspect.
            if not self.ledger.is_distrusted(storage_id):
                return Lease(self, self.main, host, storage_id, method)

    async def restart(self) -> None:
        """Replaces the main host. CallError where the new one doesn't start, or where it isn't ours to start."""
        if not isinstance(self.main, HostSlot):
            raise CallError(
                "INVALID_INPUT",
                f"The host of driver {self.manifest.name} is not started by Delphis; restart it where it runs.",
                metadata={"driver": self.manifest.name},
            )
        await self.main.restart()

    async def stop(self, grace: float) -> None:
        """Ends all hosts."""
        self.probation.close()
        await asyncio.gather(*(slot.stop(grace) for slot in self.slots()))

    def slots(self) -> list[HostSlot | EndpointSlot]:
        """The main slot, then those of probation."""
        return [self.main, *self.probation.slots]

    def spawned(self) -> Iterator[tuple[HostSlot, SpawnedHost]]:
        """The processes that serve or finish their calls."""
        for slot in self.slots():
            if isinstance(slot, HostSlot):
                for host in (slot.current, *slot.draining):
                    if host is not None:
                        yield slot, host

    async def _lease_on_probation(self, storage_id: str, method: str) -> Lease:
        self._refuse_quarantined(storage_id)
        slot = await self.probation.enter(storage_id)
        try:
            self._refuse_quarantined(storage_id)
            host = await slot.host()
            return Lease(self, slot, host, storage_id, method)
        except BaseException:
            self.probation.leave(storage_id)
            raise

    def _refuse_quarantined(self, storage_id: str) -> None:
        record = self.ledger.quarantine(storage_id)
        if record is not None:
            raise quarantined(self.manifest.name, record)

    def _probation_slot(self) -> HostSlot:
        return HostSlot(self.manifest, self._settings, self._new_socket, self._probation_ended, probation=True)

    def _main_ended(self, host: SpawnedHost, ended: Exit) -> Blame:
        blame = self._blame(host, ended)
        if blame.makes_suspects:
            self.ledger.host_died(host.in_flight(), host.killed_for or str(ended))
        return blame

    def _probation_ended(self, host: SpawnedHost, ended: Exit) -> Blame:
        blame = self._blame(host, ended)
        if blame.makes_suspects:
            for storage_id, methods in host.in_flight().items():
                self.ledger.probation_host_died(storage_id, methods, host.killed_for or str(ended))
        return blame

    def _blame(self, host: SpawnedHost, ended: Exit) -> Blame:
        return self._judge.judge(ended, wanted=host.wanted_end, limit_broken=bool(host.killed_for))


def quarantined(driver: str, record: Record) -> CallError:
    """The answer to a call for a quarantined array."""
    assert record.until is not None
    left = max(0.0, record.until - time.monotonic())
    until = wall(record.until)
    return CallError(
        "ARRAY_QUARANTINED",
        f"{_named(record.storage_id)} is in quarantine until {until}: calls to it ended hosts of driver {driver} again "
        f"and again, last with {record.last_exit}. Mend the driver, or release the array.",
        metadata={"storage_id": record.storage_id, "driver": driver, "until": until, "last_exit": record.last_exit},
        retry_after=left,
    )


def _named(suspect: str) -> str:
    kind, at, address = suspect.partition("@")
    return f"The array at {address}" if at and kind == "login" else f"Array {suspect}"


def wall(monotonic: float) -> str:
    """A time of the ledger's clock as UTC, RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - time.monotonic() + monotonic))
