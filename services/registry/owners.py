"""Which of several hosts an array belongs to: one at a time, the same for every core on the database.

The first choice is by rendezvous hashing over the hosts whose leases hold. Another host gets the array only where the
first one refuses a connection, or shows no sign of life for `silent_after` seconds. Each change raises the array's
epoch in the store before the new owner gets a call, and the host that had the array is told to log out of it: at once
where it can be reached, else as soon as it can be reached again.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import grpc

from delphis.driver.v1 import storage_driver_pb2
from services.calls.errors import CallError
from services.registry import owner_records
from services.registry.channel import SERVICE
from services.registry.driver_hosts import Lease
from services.registry.endpoint_slot import EndpointSlot
from services.registry.host import Host
from services.registry.manifest import LeasedHost, Manifest
from services.registry.owner_records import Eviction, OwnerRecord
from services.registry.settings import HostSettings
from services.registry.slot import HostSlot
from services.registry.supervisor import Supervisor
from services.store.engine import Store
from services.store.errors import StoreFault

log = logging.getLogger(__name__)

_CLOSE = f"/{SERVICE}/CloseStorage"
_CLOSE_SECONDS = 3.0
_CALLS_SECONDS = 4.0
_SECOND = 1_000_000


class _Kept(NamedTuple):
    manifest: Manifest
    server_id: str
    epoch: int
    settled: float
    """When, by our own clock, the array may go back to its first choice."""


class Owners:
    """Gives each call of an array its owner."""

    def __init__(
        self, store: Store, supervisor: Supervisor, settings: HostSettings, holds: Callable[[Manifest], bool]
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._settings = settings
        self._holds = holds
        self._kept: dict[str, _Kept] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._read_until = 0

    async def lease(
        self, replicas: Sequence[Manifest], storage_id: str, method: str, suspect: str, *, registered: bool
    ) -> Lease:
        """A host for one call. CallError DRIVER_HOST_UNAVAILABLE where none can be reached."""
        order = self.order(replicas, storage_id)
        if not registered:
            host_of = await self._first(order)
            return await self._supervisor.of(host_of).lease(suspect, method)
        kept = self._kept.get(storage_id)
        if kept is None or not self._good(kept, order, storage_id):
            async with self._lock(storage_id):
                kept = self._kept.get(storage_id)
                if kept is None or not self._good(kept, order, storage_id):
                    kept = self._kept[storage_id] = await self._settle(order, storage_id)
        lease = await self._supervisor.of(kept.manifest).lease(suspect, method)
        lease.owner_epoch = kept.epoch
        return lease

    async def info(self, replicas: Sequence[Manifest]) -> storage_driver_pb2.GetDriverInfoResponse:
        """Who the driver says it is."""
        slot = self._supervisor.of(await self._first(self.order(replicas, ""))).main
        return (await slot.host()).info

    def order(self, replicas: Sequence[Manifest], storage_id: str) -> list[Manifest]:
        """The hosts that may own the array, the first choice first."""
        held = [manifest for manifest in replicas if manifest.leased and self._holds(manifest)]
        if not held:
            name = replicas[0].name
            raise CallError(
                "DRIVER_HOST_UNAVAILABLE",
                f"No host of driver {name} has a lease that holds. Look whether its container runs and reaches the "
                "core; `delphis drivers show` has its last address.",
                metadata={"driver": name},
            )
        return sorted(held, key=lambda manifest: _weight(manifest, storage_id), reverse=True)

    def stale(self, storage_id: str) -> None:
        """A host says that the array has another owner."""
        self._kept.pop(storage_id, None)

    async def refresh(self) -> None:
        """Takes notice of what other cores decided, and tells hosts what they lost and were not told yet."""
        if self._store.dialect != "sqlite":
            changed, now = await self._store.read(partial(owner_records.changed_since, since=self._read_until))
            # Transactions that began before may be committed after.
            self._read_until = now - 10 * _SECOND
            for record in changed:
                kept = self._kept.get(record.storage_id)
                if kept is not None and kept.epoch < record.epoch:
                    del self._kept[record.storage_id]
        waiting = await self._store.read(owner_records.waiting_evictions)
        for eviction in waiting:
            if self._connected(eviction.server_id) is not None:
                async with self._lock(eviction.storage_id):
                    await self._evict(eviction)

    def forget(self, storage_id: str) -> None:
        """The storage was removed."""
        self._kept.pop(storage_id, None)
        task = asyncio.create_task(self._forget(storage_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Lets what is being written be written."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _lock(self, storage_id: str) -> asyncio.Lock:
        return self._locks.setdefault(storage_id, asyncio.Lock())

    def _good(self, kept: _Kept, order: list[Manifest], storage_id: str) -> bool:
        if kept.manifest not in order:  # not to be asked for: it may be let go already
            return False
        host = self._usable(kept.manifest)
        if host is None or host.info.server_id != kept.server_id:
            return False
        if kept.manifest is order[0] or time.monotonic() < kept.settled or _busy(host, storage_id):
            return True
        better = order[: order.index(kept.manifest)]
        return not any(self._usable(manifest) for manifest in better)

    def _usable(self, manifest: Manifest) -> Host | None:
        host = self._supervisor.of(manifest).main.current
        return host if host is not None and not host.refusing else None

    async def _settle(self, order: list[Manifest], storage_id: str) -> _Kept:
        """Finds the array's owner, or makes one."""
        while True:
            known, now = await self._store.read(partial(owner_records.of, storage_id=storage_id))
            tried = order
            if known is not None:
                resting = [manifest for manifest in order if self._rests(manifest, known, now, storage_id)]
                tried = [*resting, *(manifest for manifest in order if manifest not in resting)]
            manifest = await self._first(tried)
            host = await self._supervisor.of(manifest).main.host()
            server_id = host.info.server_id
            if known is not None and known.server_id == server_id:
                return self._keep(manifest, known, now)
            claimed = await self._store.write(
                partial(owner_records.claim, storage_id=storage_id, server_id=server_id, known=known)
            )
            if claimed is None:
                continue
            if known is not None:
                log.warning("array %s has a new owner, %s, epoch %d", storage_id, host.endpoint, claimed.epoch)
                await self._evict(Eviction(known.server_id, storage_id, claimed.epoch))
            return self._keep(manifest, claimed, claimed.since)

    def _keep(self, manifest: Manifest, record: OwnerRecord, now: int) -> _Kept:
        rested = (now - record.since) / _SECOND
        rests = self._settings.owner_rests - rested if record.epoch > 1 else 0.0
        return _Kept(manifest, record.server_id, record.epoch, time.monotonic() + max(0.0, rests))

    def _rests(self, manifest: Manifest, known: OwnerRecord, now: int, storage_id: str) -> bool:
        """Whether the array stays with this host, though it might not be the first choice."""
        if not isinstance(manifest.host, LeasedHost) or manifest.host.server_id != known.server_id:
            return False
        host = self._usable(manifest)
        young = known.epoch > 1 and now - known.since < self._settings.owner_rests * _SECOND
        return young or (host is not None and _busy(host, storage_id))

    async def _first(self, order: Sequence[Manifest]) -> Manifest:
        """The first host that can be reached. One that was just seen not to answer is not asked again by each call."""
        failure: CallError | None = None
        for manifest in order:
            slot = self._supervisor.of(manifest).main
            if self._just_failed(slot):
                assert isinstance(slot, EndpointSlot)
                failure = failure or slot.unusable()
                continue
            try:
                host = await slot.host()
            except CallError as error:
                if error.reason not in ("DRIVER_HOST_START_FAILED", "DRIVER_HOST_UNAVAILABLE"):
                    raise
                failure = failure or error
                continue
            if host.refusing and manifest is not order[-1]:
                continue
            return manifest
        if failure is None:  # all refuse: better one of them than none
            return order[0]
        raise failure

    def _just_failed(self, slot: HostSlot | EndpointSlot) -> bool:
        if not isinstance(slot, EndpointSlot) or slot.current is not None or not slot.failure:
            return False
        return time.monotonic() - slot.failed_at < 3 * self._settings.lease_look

    def _connected(self, server_id: str) -> Host | None:
        for hosts in self._supervisor.known():
            for slot in hosts.slots():
                host = slot.current
                if host is not None and host.info.server_id == server_id:
                    return host
        return None

    async def _evict(self, eviction: Eviction) -> None:
        """Has the host log out, where it can be reached. What it runs for us may end first, for a moment."""
        host = self._connected(eviction.server_id)
        if host is None:
            return
        ends = time.monotonic() + _CALLS_SECONDS
        while _busy(host, eviction.storage_id) and time.monotonic() < ends:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.02)
        target = storage_driver_pb2.Target(storage_id=eviction.storage_id, owner_epoch=eviction.epoch)
        request = storage_driver_pb2.CloseStorageRequest(target=target).SerializeToString()
        try:
            await host.channel.unary(_CLOSE)(request, timeout=_CLOSE_SECONDS)
        except grpc.aio.AioRpcError as error:
            log.warning(
                "host %s did not log out of array %s, which it lost: %s",
                host.endpoint,
                eviction.storage_id,
                error.code(),
            )
            if error.code() is not grpc.StatusCode.ABORTED:  # it knows a later owner
                return
        except grpc.aio.UsageError:
            return
        await self._store.write(partial(owner_records.evicted, eviction=eviction))

    async def _forget(self, storage_id: str) -> None:
        try:
            await self._store.write(partial(owner_records.forget, storage_id=storage_id))
        except StoreFault as fault:
            log.warning("the owner of array %s, which is gone, stays in the store: %s", storage_id, fault)
        self._locks.pop(storage_id, None)


def _busy(host: Host, storage_id: str) -> bool:
    return any(call.storage_id == storage_id for call in host.calls)


def _weight(manifest: Manifest, storage_id: str) -> int:
    """By the host's address: one that comes back there gets its arrays back."""
    return zlib.crc32(f"{manifest.origin}\0{storage_id}".encode())
