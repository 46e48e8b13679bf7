"""The registry as the rest of the core sees it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from delphis.driver.v1 import storage_driver_pb2
from services.calls.errors import CallError, invalid
from services.registry import discovery
from services.registry.catalogue import Catalogue, PreferenceStore
from services.registry.discovery import Found
from services.registry.driver_hosts import DriverHosts, Lease
from services.registry.host_table import HostTable
from services.registry.manifest import Manifest, Pair, TlsFiles
from services.registry.owners import Owners
from services.registry.settings import HostSettings
from services.registry.spawning import Spawning
from services.registry.supervisor import Supervisor
from services.registry.suspects import Record
from services.store.engine import Store

log = logging.getLogger(__name__)

_RESCAN_AT_MOST_EVERY = 1.0
_MOST_CHANGES = 3

_T = TypeVar("_T")


class Registry:
    """Knows the drivers, and hands out their hosts. To be used from one event loop."""

    def __init__(
        self,
        settings: HostSettings,
        folders: Sequence[Path],
        preferences: PreferenceStore,
        *,
        entry_points: bool = True,
        store: Store | None = None,
        lease_tls: TlsFiles | None = None,
    ) -> None:
        """With a `store` and `lease_tls`, which the core shows to them and trusts, hosts may announce themselves."""
        self.supervisor = Supervisor(settings)
        self.catalogue = Catalogue()
        self._folders = tuple(folders)
        self._preferences = preferences
        self._installed = Found((), ())
        self._entry_points = entry_points
        self._scanned = 0.0
        self._proving: asyncio.Task[None] | None = None
        self._stopping = False
        self._spawning = Spawning(store, allowed=settings.spawn)
        self.table: HostTable | None = None
        if store is not None:
            # After the drivers in folders and installed ones.
            self.table = HostTable(store, self.supervisor, settings, lease_tls, rank=len(self._folders) + 1)
            self.table.on_change = self.rescan

    async def start(self) -> None:
        """Finds the drivers. Hosts are started by the first call; those of installed drivers once, to prove them."""
        self.catalogue = Catalogue(await self._preferences.load())
        if self._entry_points:
            # Reads the metadata of every installed package; they don't change while the process runs.
            self._installed = await asyncio.to_thread(discovery.in_entry_points, len(self._folders))
        self.rescan()
        self.supervisor.start()
        if self.table is not None:
            await self.table.start()
        self._proving = asyncio.create_task(self._prove_installed(), name="prove installed drivers")

    async def stop(self, grace: float) -> None:
        """Ends all hosts; their calls have `grace` seconds to finish."""
        self._stopping = True
        if self._proving is not None:
            self._proving.cancel()
            await asyncio.wait([self._proving])
        if self.table is not None:
            await self.table.stop()
        await self.supervisor.stop(grace)

    def rescan(self) -> None:
        """Reads the manifests anew. A driver whose manifest changed gets new hosts.

        One whose manifest can't be read any more keeps what it had: somebody may be writing it just now.
        """
        self._scanned = time.monotonic()
        known = set(self.catalogue.broken)
        before = {manifest.origin: manifest for manifest in self.catalogue.manifests()}
        found = discovery.in_folders(self._folders)
        kept = tuple(before[broken.origin] for broken in found.broken if broken.origin in before)
        leased = self.table.found if self.table is not None else Found((), ())
        self.catalogue.update([Found(found.manifests + kept, found.broken), self._installed, leased])
        for broken in self.catalogue.broken:
            if broken not in known:
                log.error("driver %s (%s) can't be used: %s", broken.name, broken.origin, broken.error)
        self.supervisor.keep(self.catalogue.manifests())

    async def _prove_installed(self) -> None:
        """Starts a host of each installed driver, one by one.

        A manifest says what it names; a package may fail to import, and an operator should learn it from the list of
        drivers, not from the first array.
        """
        for manifest in self._installed.manifests:
            with contextlib.suppress(CallError):  # it is shown as the driver's state
                for ours in await self._ours([manifest]):
                    await self.supervisor.of(ours).main.host()

    def refresh(self) -> None:
        """Reads the manifests anew, unless that was done a moment ago."""
        if time.monotonic() - self._scanned > _RESCAN_AT_MOST_EVERY:
            self.rescan()

    async def lease(
        self, pair: Pair, storage_id: str, method: str, suspect: str = "", *, registered: bool = True
    ) -> Lease:
        """A host for one call to an array. CallError where there is no driver or no host.

        `suspect` is what is distrusted where the call ends the host; else the storage id. Only `registered` arrays have
        owners.
        """
        return await self._over_changes(
            partial(self._lease, pair, storage_id, method, suspect or storage_id, registered=registered)
        )

    async def _lease(self, pair: Pair, storage_id: str, method: str, suspect: str, *, registered: bool) -> Lease:
        if not self.catalogue.serves(pair):
            self.refresh()
        replicas = self.catalogue.find(pair)
        if (owners := self._owners(replicas)) is not None:
            return await owners.lease(replicas, storage_id, method, suspect, registered=registered)
        return await self.supervisor.lease(await self._ours(replicas), storage_id, method, suspect)

    async def _over_changes(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """Asks again where what was waited for is let go: a manifest changed, or a host announced itself anew."""
        for _ in range(_MOST_CHANGES):
            try:
                return await ask()
            except CallError as error:
                if error.reason != "SERVICE_UNAVAILABLE" or self._stopping:
                    raise
        return await ask()

    async def elsewhere(self, pair: Pair) -> int:
        """The process of the core that calls the pair's driver, where this one can't and another one can; else 0."""
        replicas = self.catalogue.find(pair) if self.catalogue.serves(pair) else []
        if self._owners(replicas) is not None or not all(manifest.spawned for manifest in replicas) or not replicas:
            return 0
        return await self._spawning.elsewhere(replicas[0].name)

    def stale(self, storage_id: str) -> None:
        """A host says that the array has another owner than we know."""
        if self.table is not None:
            self.table.owners.stale(storage_id)

    async def info(self, pair: Pair) -> storage_driver_pb2.GetDriverInfoResponse:
        """Who the driver of the pair is and what it wants to know; starts a host if none runs. CallError as `lease`."""
        return await self._over_changes(partial(self._info, pair))

    async def _info(self, pair: Pair) -> storage_driver_pb2.GetDriverInfoResponse:
        if not self.catalogue.serves(pair):
            self.refresh()
        replicas = self.catalogue.find(pair)
        if (owners := self._owners(replicas)) is not None:
            return await owners.info(replicas)
        return await self.supervisor.info(await self._ours(replicas))

    def runs(self, pair: Pair) -> bool:
        """Whether a host of the pair's driver runs or is being started."""
        return any(
            slot.starting or slot.current is not None
            for manifest in self.catalogue.find(pair)
            for slot in self.supervisor.of(manifest).slots()
        )

    async def prefer(self, pair: Pair, name: str) -> None:
        """Gives the pair to this driver from now on."""
        self.refresh()
        if not any(pair in manifest.serves for manifest in self.catalogue.replicas(name)):
            raise invalid("model", f"Driver {name} doesn't serve vendor {pair.vendor!r}, model {pair.model!r}.")
        await self._preferences.save(pair, name)
        self.catalogue.prefer(pair, name)

    async def restart(self, name: str) -> None:
        """Replaces the hosts of a driver. CallError where a new one doesn't start."""
        self.rescan()
        replicas = self.catalogue.replicas(name)
        spawned = [manifest for manifest in replicas if manifest.spawned] or replicas
        for manifest in await self._ours(spawned):
            await self.supervisor.of(manifest).restart()

    def distrusted(self) -> list[tuple[DriverHosts, Record]]:
        """The suspects and the quarantined."""
        return [(hosts, record) for hosts in self.supervisor.known() for record in hosts.ledger.records()]

    def release(self, storage_id: str) -> tuple[DriverHosts, Record]:
        """Ends an array's quarantine. CallError NOTHING_TO_ACCEPT where it is in none."""
        for hosts in self.supervisor.known():
            record = hosts.ledger.release(storage_id)
            if record is not None:
                return hosts, record
        raise CallError(
            "NOTHING_TO_ACCEPT",
            f"Array {storage_id} is in no quarantine. A restart of the core ends quarantines, too.",
            metadata={"storage_id": storage_id},
        )

    def forget(self, storage_id: str) -> None:
        """The storage was removed."""
        for hosts in self.supervisor.known():
            hosts.ledger.forget(storage_id)
        if self.table is not None:
            self.table.owners.forget(storage_id)

    async def _ours(self, replicas: list[Manifest]) -> list[Manifest]:
        """Those that this core may call: hosts that are started belong to one core. CallError where there are none."""
        replicas = [manifest for manifest in replicas if not manifest.leased]
        if not any(manifest.spawned for manifest in replicas):
            return replicas
        try:
            await self._spawning.check(replicas[0].name)
        except CallError:
            self.supervisor.retire(replicas)
            elsewhere = [manifest for manifest in replicas if not manifest.spawned]
            if not elsewhere:
                raise
            return elsewhere
        return replicas

    def _owners(self, replicas: Sequence[Manifest]) -> Owners | None:
        """Who knows the owners of arrays, where hosts announced themselves: then no other is called."""
        leased = [manifest for manifest in replicas if manifest.leased]
        if self.table is None or not leased:
            return None
        others = [manifest for manifest in replicas if not manifest.leased]
        if others and not any(map(self.table.holds, leased)):
            return None
        self.supervisor.retire(others)
        return self.table.owners
