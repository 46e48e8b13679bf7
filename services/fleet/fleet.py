"""Keeps the view of all storages up to date: listed, then followed by a watch, for ever."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from types import MappingProxyType

from delphis.inventory.v1 import change_pb2
from delphis.type.v1 import storage_pb2
from services.calls.errors import CallError
from services.fleet import listing
from services.fleet.listing import Core
from services.fleet.storage import Storage

log = logging.getLogger(__name__)

KINDS = ("storage", "controller")
RELIST_SECONDS = 30.0
"""All is listed again this often: not all that is known of a storage has changes, and a hint may get lost."""
SILENT_SECONDS = 45.0
"""A watch sends a sign of life every 15 s; one that is silent for so long is broken."""
GATHER_SECONDS = 0.1
"""What changes within this time is asked for at once."""
SYNCING_SECONDS = 1.0
"""The end of a sync is no change of an array; so one that syncs is asked for again after this time."""
MOST_IDS = 40
"""Where more storages changed, all are listed."""
BACKOFF_FIRST, BACKOFF_LAST = 0.2, 5.0
_WATCH = f"/{change_pb2.DESCRIPTOR.services_by_name['ChangeService'].full_name}/WatchChanges"

Listener = Callable[[Collection[str]], None]


class Fleet:
    """All registered storages, as they are now, or were when the core was last reached."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._storages: dict[str, Storage] = {}
        self._listeners: list[Listener] = []
        self._known = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._complaint = ""

    def get(self, storage_id: str) -> Storage | None:
        """The storage; None where there is none."""
        return self._storages.get(storage_id)

    def all(self) -> Mapping[str, Storage]:
        """By id. The mapping follows what changes."""
        return MappingProxyType(self._storages)

    @property
    def known(self) -> bool:
        """Whether all storages were listed at least once: before that, one that is not here may well exist."""
        return self._known.is_set()

    async def wait_known(self) -> None:
        """Returns when `known`."""
        await self._known.wait()

    def listen(self, listener: Listener) -> None:
        """Has it called with the ids of storages that came, changed or went, after they did."""
        self._listeners.append(listener)

    async def refresh(self, storage_ids: Collection[str] | None = None) -> None:
        """Asks the core now: of all storages, or of these. CallError where it is away."""
        found = await listing.storages(self._core, storage_ids)
        self._take(found, storage_ids)

    def start(self) -> None:
        """Begins to list and to watch."""
        self._task = asyncio.create_task(self._keep(), name="fleet")

    async def stop(self) -> None:
        """Ends watching."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def _take(self, found: Mapping[str, Storage], ids: Collection[str] | None) -> None:
        gone = (self._storages.keys() if ids is None else self._storages.keys() & set(ids)) - found.keys()
        changed = {id_ for id_, storage in found.items() if self._storages.get(id_) != storage}
        for id_ in gone:
            del self._storages[id_]
        self._storages.update((id_, found[id_]) for id_ in changed)
        if ids is None:
            self._known.set()
        touched = changed | gone
        if not touched:
            return
        for listener in self._listeners:
            try:
                listener(touched)
            except Exception:  # the others want to hear it, too
                log.exception("a listener to the fleet failed by a fault of Delphis")

    def _look_at(self, now: float) -> float:
        syncing = len(self._syncing())
        return now + SYNCING_SECONDS * (1 if syncing <= MOST_IDS else 5) if syncing else math.inf

    def _syncing(self) -> set[str]:
        return {
            id_
            for id_, storage in self._storages.items()
            if storage.message.sync_status == storage_pb2.SYNC_STATUS_SYNCING
        }

    async def _keep(self) -> None:
        delay = BACKOFF_FIRST
        while True:
            try:
                async for _ in self._follow():
                    delay = BACKOFF_FIRST
                    if self._complaint:
                        log.info("the core is back; %d storages", len(self._storages))
                        self._complaint = ""
            except (CallError, TimeoutError) as error:
                self._complain(error.message if isinstance(error, CallError) else "its watch of changes is silent")
            except Exception:
                log.exception("following the core failed by a fault of Delphis; trying again")
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, BACKOFF_LAST)

    def _complain(self, problem: str) -> None:
        if problem != self._complaint:
            log.warning("what changes in the core is not heard: %s", problem)
            self._complaint = problem

    async def _follow(self) -> AsyncIterator[None]:
        """One watch. It begins before the list, so that nothing is missed between the two."""
        request = change_pb2.WatchChangesRequest(kinds=KINDS)
        answers = self._core.stream(_WATCH, request, change_pb2.WatchChangesResponse, timeout=None)
        changed: set[str] = set()
        reading: asyncio.Task[change_pb2.WatchChangesResponse] | None = None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                await anext(answers)
            await self.refresh()
            heard_at = loop.time()
            relist_at, ask_at, look_at = heard_at + RELIST_SECONDS, math.inf, self._look_at(heard_at)
            yield
            reading = asyncio.ensure_future(_next(answers))
            while True:
                until = min(relist_at, ask_at, look_at)
                await asyncio.wait((reading,), timeout=max(until - loop.time(), 0.0))
                now = loop.time()
                if reading.done():
                    heard_at = now
                    ask_at = min(ask_at, now + GATHER_SECONDS)
                    changed.update(change.storage_id for change in reading.result().changes)
                    reading = asyncio.ensure_future(_next(answers))
                elif now - heard_at > SILENT_SECONDS:
                    raise TimeoutError
                if now < min(relist_at, ask_at, look_at) and len(changed) <= MOST_IDS:
                    continue
                if now >= look_at:
                    changed |= self._syncing()
                if now >= relist_at or len(changed) > MOST_IDS:
                    await self.refresh()
                    relist_at = now + RELIST_SECONDS
                elif changed:
                    await self.refresh(changed)
                changed, ask_at, look_at = set(), math.inf, self._look_at(now)
                yield
        finally:
            if reading is not None:
                reading.cancel()
                with contextlib.suppress(asyncio.CancelledError, CallError, StopAsyncIteration):
                    await reading
            close = getattr(answers, "aclose", None)
            if close is not None:
                await close()


async def _next(answers: AsyncIterator[change_pb2.WatchChangesResponse]) -> change_pb2.WatchChangesResponse:
    try:
        return await anext(answers)
    except StopAsyncIteration:
        raise CallError("SERVICE_UNAVAILABLE", "The core ended the watch of changes.") from None
