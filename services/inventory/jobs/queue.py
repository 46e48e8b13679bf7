"""Runs the jobs of this process, at once where there is room. What waits here waits in the store as well."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from functools import partial

from services.inventory import uuids
from services.inventory.jobs import records
from services.inventory.jobs.records import Job, Superseded
from services.store.engine import Store
from services.store.errors import StoreFault

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0

Work = Callable[[Job], Awaitable[None]]


class JobQueue:
    """A bounded number of jobs at once, of each group at most a part of it: one family of slow arrays doesn't stop all.

    `work` gets the begun job and ends it, in the transaction that also writes what the job brought about. It raises
    nothing but Superseded and StoreFault; after the latter it is called again, with another attempt of the job.
    """

    def __init__(self, store: Store, name: str, work: Work, *, at_once: int, of_group: int | None = None) -> None:
        self._store = store
        self._name = name
        self._work = work
        self._at_once = at_once
        self._of_group = of_group or at_once
        self._waiting: dict[str, deque[bytes]] = {}
        self._known: set[bytes] = set()
        self._running: dict[bytes, asyncio.Task[None]] = {}
        self._groups: Counter[str] = Counter()
        self._stopping = False

    def put(self, job_id: bytes, group: str = "") -> None:
        """Takes a job that waits in the store. Its transaction is committed."""
        if job_id in self._known or self._stopping:
            return
        self._known.add(job_id)
        self._waiting.setdefault(group, deque()).append(job_id)
        self._fill()

    def cancel(self, job_id: bytes) -> None:
        """Stops a job whose end is already in the store."""
        running = self._running.get(job_id)
        if running is not None:
            running.cancel()

    async def stop(self) -> None:
        """Stops all. What ran or waited goes on at the next start."""
        self._stopping = True
        self._waiting.clear()
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fill(self) -> None:
        for group in list(self._waiting):
            waiting = self._waiting[group]
            while waiting and len(self._running) < self._at_once and self._groups[group] < self._of_group:
                self._start(waiting.popleft(), group)
            if waiting:
                # To the end, so that the groups take turns.
                del self._waiting[group]
                self._waiting[group] = waiting
            else:
                del self._waiting[group]
            if len(self._running) >= self._at_once:
                return

    def _start(self, job_id: bytes, group: str) -> None:
        task = asyncio.create_task(self._run(job_id), name=f"{self._name} {uuids.text(job_id)}")
        self._running[job_id] = task
        self._groups[group] += 1
        task.add_done_callback(lambda _: self._ended(job_id, group))

    def _ended(self, job_id: bytes, group: str) -> None:
        del self._running[job_id]
        self._known.discard(job_id)
        self._groups[group] -= 1
        if not self._stopping:
            self._fill()

    async def _run(self, job_id: bytes) -> None:
        attempt = 0
        while True:
            try:
                job = await self._store.write(partial(records.begin, job_id=job_id, known_attempt=attempt))
                if job is not None:
                    attempt = job.attempt
                    await self._work(job)
                return
            except Superseded:
                log.info("%s %s was stopped", self._name, uuids.text(job_id))
                return
            except StoreFault as fault:
                # It keeps its place: while the store is away, no other would get further.
                log.error("%s %s waits for the store: %s", self._name, uuids.text(job_id), fault)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("%s %s failed by a fault of Delphis", self._name, uuids.text(job_id))
                return
