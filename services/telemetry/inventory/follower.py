"""Reads names and capacities when a sync of an array has ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from delphis.type.v1 import storage_pb2
from services.calls.errors import CallError
from services.fleet.core import Core
from services.fleet.fleet import Fleet
from services.fleet.storage import Storage
from services.telemetry.inventory import capacity
from services.telemetry.inventory.listing import identity, read_times, resources
from services.telemetry.window import Window

log = logging.getLogger(__name__)

NAMED = ("storage_pool", "volume", "controller", "port", "disk", "filesystem")
"""The kinds that have metrics, apart from the array itself."""
AT_ONCE = 8
RETRY_SECONDS = 30.0
ASK_SECONDS = 300.0
"""What an array says of itself does not tell when a sync ended that did not read everything: it is asked for so often,
and when anything of the array changes."""

Keep = Callable[[Storage, list[Window]], Awaitable[bool]]
"""Keeps the capacities of an array after a sync; whether that was done."""


class Follower:
    """Follows all arrays."""

    def __init__(self, core: Core, fleet: Fleet, keep: Keep) -> None:
        self._core = core
        self._fleet = fleet
        self._keep = keep
        self._names: dict[tuple[str, str], dict[str, str]] = {}
        self._read: dict[str, int] = {}
        """When what was read last had been read from the array, in milliseconds."""
        self._looked: dict[str, tuple[Storage, float]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins."""
        self._fleet.listen(lambda _: self._wake.set())
        self._task = asyncio.create_task(self._run(), name="syncs followed")

    async def stop(self) -> None:
        """Ends."""
        tasks = [*self._running.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def names(self, storage_id: str, kind: str, native_ids: tuple[str, ...]) -> tuple[str, ...]:
        """The names of resources; empty where one is not known."""
        if kind == "storage":
            storage = self._fleet.get(storage_id)
            return (storage.name if storage else "",) * len(native_ids)
        known = self._names.get((storage_id, kind), {})
        return tuple(known.get(native_id, "") for native_id in native_ids)

    def knows(self, storage_id: str, kind: str) -> bool:
        """Whether the names of a kind were read since the start."""
        return kind not in NAMED or (storage_id, kind) in self._names

    async def _run(self) -> None:
        await self._fleet.wait_known()
        while True:
            self._wake.clear()
            present = self._fleet.all()
            for storage_id in self._looked.keys() - present.keys():
                del self._looked[storage_id]
                self._read.pop(storage_id, None)
                for key in [key for key in self._names if key[0] == storage_id]:
                    del self._names[key]
            for storage in list(present.values()):
                if storage.id not in self._running and self._may_be_new(storage):
                    self._begin(storage)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_SECONDS):
                    await self._wake.wait()

    def _may_be_new(self, storage: Storage) -> bool:
        """Whether a sync may have ended since its inventory was read."""
        outcome = storage.message.sync_outcome
        if outcome == storage_pb2.SYNC_OUTCOME_OK:
            return self._read.get(storage.id) != storage.message.last_success_at.ToMilliseconds()
        if outcome in (storage_pb2.SYNC_OUTCOME_UNSPECIFIED, storage_pb2.SYNC_OUTCOME_NEVER):
            return False
        seen, at = self._looked.get(storage.id, (None, 0.0))
        return seen is not storage or time.monotonic() - at > ASK_SECONDS

    def _begin(self, storage: Storage) -> None:
        task = asyncio.create_task(self._follow(storage), name=f"inventory of {storage.id}")
        self._running[storage.id] = task

        def over(task: asyncio.Task[None]) -> None:
            del self._running[storage.id]
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("reading the inventory of %s broke", storage.id, exc_info=error)

        task.add_done_callback(over)

    async def _follow(self, storage: Storage) -> None:
        async with self._gate:
            now = time.monotonic()
            try:
                read = await self._read_times(storage)
                ended = max(read.values(), default=0)
                if self._read.get(storage.id) == ended:
                    self._looked[storage.id] = (storage, now)
                    return
                windows = [window async for window in self._windows(storage, read)]
            except CallError as error:
                log.warning("the inventory of %s can't be read, and is read again: %s", storage.id, error.message)
                return
            if self._fleet.get(storage.id) is None or not await self._keep(storage, windows):
                return
            self._read[storage.id], self._looked[storage.id] = ended, (storage, now)
            if self._fleet.get(storage.id) is not storage:
                self._wake.set()

    async def _read_times(self, storage: Storage) -> dict[str, int]:
        if storage.message.sync_outcome == storage_pb2.SYNC_OUTCOME_OK:
            return dict.fromkeys(("storage", *NAMED), storage.message.last_success_at.ToMilliseconds())
        return await read_times(self._core, storage.id)

    async def _windows(self, storage: Storage, read: dict[str, int]) -> AsyncIterator[Window]:
        """The capacities of the array and of its parts; their names are remembered."""
        for kind in ("storage", *NAMED):
            if kind == "storage":
                ids, items = [storage.native_id], [storage.message]
            else:
                items = [item async for item in resources(self._core, storage.id, kind)]
                named = self._names[storage.id, kind] = dict(identity(item) for item in items)
                ids = list(named)
            if kind in read and capacity.capacity_metrics(kind):
                window = capacity.window(kind, ids, items, read[kind])
                if window is not None:
                    yield window
