"""The hosts of all drivers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import zlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from delphis.driver.v1 import storage_driver_pb2
from services.calls.errors import CallError
from services.registry.deaths import OomCounter
from services.registry.driver_hosts import DriverHosts, Lease
from services.registry.manifest import Manifest
from services.registry.runtime_folder import RuntimeFolder
from services.registry.settings import HostSettings
from services.registry.watch import HostWatch

log = logging.getLogger(__name__)

_T = TypeVar("_T")


class Supervisor:
    """Starts hosts when they are called, and looks after them. To be used from one event loop, in the thread that
    stays alive as long as the hosts: they die with it."""

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings
        self._hosts: dict[Manifest, DriverHosts] = {}
        self._oom = OomCounter(settings.vmstat)
        self._watch = HostWatch(settings)
        self._runtime = RuntimeFolder(settings.runtime_dir)
        self._watching: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begins to look after hosts."""
        self._watching = asyncio.create_task(self._look_on())

    async def stop(self, grace: float) -> None:
        """Ends all hosts; their calls have `grace` seconds to finish."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await asyncio.gather(*(hosts.stop(grace) for hosts in self._hosts.values()), *self._leaving)
        await self._watch.close()
        self._runtime.close()

    def keep(self, manifests: Iterable[Manifest]) -> None:
        """These drivers exist now: hosts of others finish their calls and end."""
        kept = set(manifests)
        for manifest in [manifest for manifest in self._hosts if manifest not in kept]:
            task = asyncio.create_task(self._let_go(self._hosts.pop(manifest)))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def of(self, manifest: Manifest) -> DriverHosts:
        """The hosts of a driver, running or not."""
        hosts = self._hosts.get(manifest)
        if hosts is None:
            hosts = self._hosts[manifest] = DriverHosts(manifest, self._settings, self._runtime.new_socket, self._oom)
        return hosts

    def retire(self, manifests: Iterable[Manifest]) -> None:
        """Another core starts the hosts of these: ours finish their calls and end."""
        for manifest in manifests:
            for slot, host in list(self._hosts[manifest].spawned()) if manifest in self._hosts else ():
                if slot.current is host:
                    slot.retire(host)

    def known(self) -> list[DriverHosts]:
        """The hosts of all drivers that were used."""
        return list(self._hosts.values())

    async def lease(self, replicas: Sequence[Manifest], storage_id: str, method: str, suspect: str) -> Lease:
        """A host for one call to an array.

        Of several replicas each array has one that it stays with, as long as that one can be reached.
        """
        if len(replicas) == 1:
            return await self.of(replicas[0]).lease(suspect, method)
        order = sorted(replicas, key=lambda replica: _weight(replica, storage_id), reverse=True)
        return await self._first(order, lambda hosts: hosts.lease(suspect, method))

    async def info(self, replicas: Sequence[Manifest]) -> storage_driver_pb2.GetDriverInfoResponse:
        """Who the driver says it is."""
        return (await self._first(replicas, lambda hosts: hosts.main.host())).info

    async def _first(self, replicas: Sequence[Manifest], ask: Callable[[DriverHosts], Awaitable[_T]]) -> _T:
        failure: CallError | None = None
        for manifest in replicas:
            try:
                return await ask(self.of(manifest))
            except CallError as error:
                if error.reason not in ("DRIVER_HOST_START_FAILED", "DRIVER_HOST_UNAVAILABLE"):
                    raise
                failure = error
        assert failure is not None
        raise failure

    async def _let_go(self, hosts: DriverHosts) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_wait):
                for slot in hosts.slots():
                    if slot.current is not None:
                        await slot.current.quiet.wait()
        await hosts.stop(self._settings.drain_grace)

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(self._settings.watch_interval)
            try:
                self._look()
            except Exception:
                log.exception("the look after the driver hosts failed; going on")

    def _look(self) -> None:
        self._oom.look()
        for hosts in self._hosts.values():
            for slot, host in list(hosts.spawned()):
                self._watch.look(slot, host)
            hosts.ledger.prune()
        self._watch.forget_dead()


def _weight(replica: Manifest, storage_id: str) -> int:
    """Rendezvous hashing: an array changes its replica only when that one comes or goes."""
    return zlib.crc32(f"{replica.origin}\0{storage_id}".encode())
