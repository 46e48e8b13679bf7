"""Reads names and capacities when a sync of an array has ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from services.calls.errors import CallError
from services.fleet.core import Core
from services.fleet.fleet import Fleet
from services.fleet.storage import Storage
from services.telemetry.inventory import capacity
from services.telemetry.inventory.listing import identity, resources
from services.telemetry.window import Window
from services.values import times

log = logging.getLogger(__name__)

NAMED = ("storage_pool", "volume", "controller", "port", "disk", "filesystem")
"""The kinds that have metrics, apart from the array itself."""
AT_ONCE = 8
RETRY_SECONDS = 30.0

Keep = Callable[[Storage, list[Window], int], Awaitable[bool]]
"""Keeps the capacities of an array after a sync that ended at a time; whether that was done."""
Announced = Callable[[str, str], frozenset[str]]
"""The metrics that an array announces for a kind."""


class Follower:
    """Follows all arrays."""

    def __init__(self, core: Core, fleet: Fleet, keep: Keep, announced: Announced) -> None:
        self._core = core
        self._fleet = fleet
        self._keep = keep
        self._announced = announced
        self._names: dict[tuple[str, str], dict[str, str]] = {}
        self._read: dict[str, int] = {}
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
            for storage_id in self._read.keys() - present.keys():
                del self._read[storage_id]
                for key in [key for key in self._names if key[0] == storage_id]:
                    del self._names[key]
            for storage in list(present.values()):
                ended = times.of_stamp(storage.message.last_success_at)
                if ended and self._read.get(storage.id) != ended and storage.id not in self._running:
                    self._begin(storage, ended)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_SECONDS):
                    await self._wake.wait()

    def _begin(self, storage: Storage, ended: int) -> None:
        task = asyncio.create_task(self._follow(storage, ended), name=f"inventory of {storage.id}")
        self._running[storage.id] = task

        def over(task: asyncio.Task[None]) -> None:
            del self._running[storage.id]
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("reading the inventory of %s broke", storage.id, exc_info=error)

        task.add_done_callback(over)

    async def _follow(self, storage: Storage, ended: int) -> None:
        async with self._gate:
            at = ended // 1000
            windows = [
                capacity.window(
                    "storage",
                    [storage.serial_number or storage.id],
                    [storage.message],
                    at,
                    self._announced(storage.id, "storage"),
                )
            ]
            try:
                for kind in NAMED:
                    items: list[Any] = [item async for item in resources(self._core, storage.id, kind)]
                    named = dict(identity(item) for item in items)
                    self._names[storage.id, kind] = named
                    if capacity.capacity_metrics(kind):
                        ids = [identity(item)[0] for item in items]
                        windows.append(capacity.window(kind, ids, items, at, self._announced(storage.id, kind)))
            except CallError as error:
                log.warning("the inventory of %s can't be read, and is read again: %s", storage.id, error.message)
                return
            if await self._keep(storage, [window for window in windows if window is not None], at):
                self._read[storage.id] = ended
                if self._fleet.get(storage.id) is not storage:
                    self._wake.set()
