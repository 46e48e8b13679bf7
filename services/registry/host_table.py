"""The hosts under lease: read from the store again and again, dialled, and asked whether they live."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from services.calls.errors import CallError, invalid
from services.registry import leases, owner_records
from services.registry.discovery import BrokenDriver, Found
from services.registry.endpoint_slot import EndpointSlot
from services.registry.leases import Announcement, StoredLease
from services.registry.manifest import LeasedHost, Manifest, Source, TlsFiles
from services.registry.owners import Owners
from services.registry.settings import HostSettings
from services.registry.supervisor import Supervisor
from services.store.engine import Store
from services.store.errors import StoreFault

log = logging.getLogger(__name__)

_SECOND = 1_000_000
_REFUSALS_KEPT = 600.0
_MOST_REFUSALS = 100
_PRUNE_SECONDS = 600.0


class HostTable:
    """Hosts that announced themselves, and which of them an array belongs to."""

    def __init__(
        self,
        store: Store,
        supervisor: Supervisor,
        settings: HostSettings,
        tls: TlsFiles | None,
        rank: int,
    ) -> None:
        """`tls` is what the core shows to hosts, and whom it trusts; None: nobody may announce himself."""
        self.owners = Owners(store, supervisor, settings, self.holds)
        self.tls = tls
        self.found = Found((), ())
        self.on_change: Callable[[], None] = lambda: None
        self._store = store
        self._supervisor = supervisor
        self._settings = settings
        self._rank = rank
        self._until: dict[Manifest, int] = {}
        self._offset = 0
        self._refused: OrderedDict[tuple[str, str], tuple[float, BrokenDriver]] = OrderedDict()
        self._looking: dict[Manifest, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._pruned = time.monotonic()

    async def start(self) -> None:
        """Reads the table, and begins to keep up with it."""
        if self.tls is None:
            return
        await self._read()
        self._task = asyncio.create_task(self._keep_up(), name="hosts under lease")

    async def stop(self) -> None:
        """Ends that."""
        tasks = [*self._looking.values(), *([self._task] if self._task is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.owners.stop()

    def holds(self, manifest: Manifest) -> bool:
        """Whether the lease of the host holds, by the store's clock."""
        return self._until.get(manifest, 0) > self._offset + time.monotonic_ns() // 1000

    def until(self, manifest: Manifest) -> int:
        """When the lease of the host ends or ended."""
        return self._until.get(manifest, 0)

    async def acquire(self, asked: Announcement, caller: str) -> tuple[StoredLease, str]:
        """Keeps an announcement; the lease, and why the host can't be used, as far as that is known."""
        lease = await self._store.write(
            partial(leases.acquire, asked=asked, caller=caller, ttl=self._settings.lease_ttl)
        )
        self._refused.pop((asked.driver, asked.endpoint), None)
        await self._read()
        slot = self._slot(self._manifest(lease, 0))
        return lease, slot.failure if slot is not None and slot.current is None else ""

    async def release(self, lease_id: str, caller: str) -> str:
        """Ends a lease; the driver's name."""
        driver = await self._store.write(partial(leases.release, lease_id=lease_id, caller=caller))
        await self._read()
        return driver

    def refused(self, driver: str, endpoint: str, error: CallError) -> None:
        """Shows for a while that a host may not announce itself."""
        key = (driver[:128], endpoint[:255])
        broken = BrokenDriver(
            key[0], Source.LEASE, key[1], f"a host asked for a lease and was refused: {error.message}"
        )
        self._refused[key] = (time.monotonic(), broken)
        if len(self._refused) > _MOST_REFUSALS:
            self._refused.popitem(last=False)
        self._change(self.found.manifests)

    async def _keep_up(self) -> None:
        failing = False
        while True:
            mark = self._store.signals.mark(leases.CHANGED)
            await self._store.signals.wait(leases.CHANGED, mark, self._settings.lease_look)
            try:
                await self._read()
                self._look()
                await self.owners.refresh()
                await self._prune()
            except StoreFault as fault:
                if not failing:
                    log.warning("the leases can't be read, those known so far count: %s", fault)
                failing = True
            except Exception:
                log.exception("keeping up with the leases failed by a fault of Delphis; going on")
            else:
                failing = False

    async def _read(self) -> None:
        found, now = await self._store.read(leases.load)
        self._offset = now - time.monotonic_ns() // 1000
        drivers = list(dict.fromkeys(lease.announced.driver for lease in found))
        until = {
            self._manifest(lease, drivers.index(lease.announced.driver)): lease.expires_at
            for lease in found
            if lease.expires_at > now - self._settings.lease_kept * _SECOND
        }
        self._until = until
        self._change(tuple(until))

    def _change(self, manifests: tuple[Manifest, ...]) -> None:
        old = time.monotonic() - _REFUSALS_KEPT
        for key in [key for key, (at, _) in self._refused.items() if at < old]:
            del self._refused[key]
        found = Found(manifests, tuple(broken for _, broken in self._refused.values()))
        if found != self.found:
            self.found = found
            self.on_change()

    def _manifest(self, lease: StoredLease, place: int) -> Manifest:
        said = lease.announced
        host = LeasedHost(said.endpoint, self.tls, said.certificate_sha256, said.server_id)
        # Of several drivers for a pair the one that came first has it.
        return Manifest(said.driver, said.version, said.serves, host, Source.LEASE, said.endpoint, self._rank + place)

    def _slot(self, manifest: Manifest) -> EndpointSlot | None:
        for known in self._until:
            if known.host == manifest.host and known.name == manifest.name:
                slot = self._supervisor.of(known).main
                return slot if isinstance(slot, EndpointSlot) else None
        return None

    def _look(self) -> None:
        for manifest in self._until:
            slot = self._supervisor.of(manifest).main
            if not isinstance(slot, EndpointSlot):
                continue
            if not self.holds(manifest):
                slot.leave()
            elif manifest not in self._looking:
                task = self._looking[manifest] = asyncio.create_task(slot.look())
                task.add_done_callback(partial(self._looked, manifest))

    def _looked(self, manifest: Manifest, task: asyncio.Task[None]) -> None:
        self._looking.pop(manifest, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("looking after %s failed by a fault of Delphis", manifest.origin, exc_info=error)

    async def _prune(self) -> None:
        if time.monotonic() - self._pruned > _PRUNE_SECONDS:
            self._pruned = time.monotonic()
            await self._store.write(partial(leases.prune, kept=self._settings.lease_kept))
            await self._store.write(owner_records.prune)


def check_announced(name: str, value: str, most: int) -> str:
    """A text of an announcement. CallError INVALID_INPUT where nobody could use it."""
    if not 1 <= len(value) <= most or any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise invalid(name, f"It must have 1 to {most} characters, none of them a control character.")
    return value
