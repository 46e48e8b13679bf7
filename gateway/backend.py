"""A service behind the gateway: how it is called, and the last good description of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

import grpc

from gateway import descriptors
from gateway.bindings import bindings_of
from gateway.codecs import Codecs
from gateway.descriptors import DescriptorSet, ImportRefused
from gateway.faults import Faults, Reasons
from gateway.operation import Operation
from services.calls.errors import CallError
from services.calls.invoker import Invoker

log = logging.getLogger(__name__)

_FIRST_RETRY, _LAST_RETRY = 0.1, 5.0
_FIRST_SECONDS = 2.0
_SOONEST = 2.0


class Backend:
    """Keeps a service's routes up to date: again at intervals, and soon after a call showed that it changed or left."""

    def __init__(self, name: str, invoker: Invoker, *, refresh: float, changed: Callable[[], None]) -> None:
        self.name = name
        self.invoker = invoker
        self.operations: tuple[Operation, ...] = ()
        self.descriptors: DescriptorSet | None = None
        self.codecs: Codecs | None = None
        self.faults = Faults()
        self._refresh_interval = refresh
        self._changed = changed
        self._wake = asyncio.Event()
        self._away = False
        self._stopped = False
        self._asked_at = -_SOONEST
        self._complaint = ""
        self._task: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Tries an import, and goes on trying in the background. Who does not answer at once is not waited for."""
        tried = asyncio.Event()
        self._task = asyncio.create_task(self._keep(tried), name=f"gateway backend {self.name}")
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_SECONDS):
                await tried.wait()
        if not tried.is_set():
            log.warning("backend %s has not answered yet; nothing of it is served until it does", self.name)

    async def stop(self) -> None:
        """Ends the background work."""
        self._stopped = True  # grpc.aio may turn a cancellation into a failed call
        for task in (self._task, self._watching):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def refresh(self) -> bool:
        """Imports the service's description. The last good one stays where that fails."""
        try:
            found = await descriptors.fetch(self.invoker, self.descriptors)
        except CallError as error:
            return self._failed(f"can't be asked: {error.message}")
        except ImportRefused as error:
            return self._failed(f"is not described completely: {error}")
        except Exception as error:
            log.error("backend %s: importing its description failed", self.name, exc_info=error)
            return self._failed("describes itself in a way that is not understood")
        if self._complaint:
            log.info("backend %s is back", self.name)
        self._away, self._complaint = False, ""
        if found is not self.descriptors:
            self._take(found)
        return True

    def _failed(self, complaint: str) -> bool:
        self._away = True
        if complaint != self._complaint:
            kept = "its last description stays in use" if self.descriptors else "nothing of it is served yet"
            log.warning("backend %s %s; %s", self.name, complaint, kept)
            self._complaint = complaint
        return False

    def _take(self, found: DescriptorSet) -> None:
        codecs = Codecs(found.pool)
        operations = tuple(Operation(binding, codecs) for binding in bindings_of(found))
        log.info("backend %s: %d services, %d bindings", self.name, len(found.services), len(operations))
        self.descriptors, self.codecs, self.operations = found, codecs, operations
        self.faults = Faults(Reasons(found.reasons), codecs)
        self._changed()

    def saw(self, error: CallError) -> None:
        """Takes note of a failed call that may mean that the service left or changed."""
        if error.code is grpc.StatusCode.UNAVAILABLE and error.reason in ("", "SERVICE_UNAVAILABLE"):
            if not self._away:  # else it is being tried already
                self._away = True
                self._wake.set()
        elif error.code is grpc.StatusCode.UNIMPLEMENTED and error.reason in ("", "PROTOCOL_TOO_OLD"):
            self.refresh_soon()

    def refresh_soon(self) -> None:
        """Asks for an import before the interval is over; asking often makes it no sooner."""
        now = asyncio.get_running_loop().time()
        if now - self._asked_at >= _SOONEST:
            self._asked_at = now
            self._wake.set()

    async def _keep(self, tried: asyncio.Event) -> None:
        retry = _FIRST_RETRY
        while not self._stopped:
            if await self.refresh():
                retry = _FIRST_RETRY
                self._watch()
            else:
                retry = min(retry * 2, _LAST_RETRY)
            tried.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(retry if self._away else self._refresh_interval):
                    await self._wake.wait()
            self._wake.clear()

    def _watch(self) -> None:
        """A connection that ends may mean that another version comes back: that is looked at as soon as it is there."""
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._until_lost(), name=f"gateway backend {self.name}, connection")

    async def _until_lost(self) -> None:
        await self.invoker.lost()
        self._away = True
        self._wake.set()
