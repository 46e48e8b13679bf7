"""Runs the jobs of this process, at once where there is room. What waits here waits in the store as well."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from functools import partial

from delphis.tracing.scope import detached
from services.inventory.jobs import records
from services.inventory.jobs.records import Job, Superseded
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import StoreFault
from services.values import uuids

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0

Work = Callable[[Job], Awaitable[None]]
Fail = Callable[[Connection, Job, str], object]
"""Ends a job, and what says that it runs, with the text that says why."""


class JobQueue:
    """A bounded number of jobs at once, of each group at most a part of it: one family of slow arrays doesn't stop all.

    `work` gets the begun job and ends it, in the transaction that also writes what the job brought about. It raises
    Superseded, or StoreFault, after which it is called again with another attempt of the job. Anything else is a fault
    of Delphis, with which `fail` ends the job.
    """

    def __init__(
        self, store: Store, name: str, work: Work, fail: Fail, *, at_once: int, of_group: int | None = None
    ) -> None:
        self._store = store
        self._name = name
        self._work = work
        self._fail = fail
        self._at_once = at_once
        self._of_group = of_group or at_once
        self._waiting: dict[str, deque[bytes]] = {}
        self._known: set[bytes] = set()
        self._running: dict[bytes, asyncio.Task[None]] = {}
        self._groups: Counter[str] = Counter()
        self._stopping = False

    @property
    def running(self) -> int:
        """Jobs that run."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Jobs that wait for others to end."""
        return len(self._known) - len(self._running)

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
        running = list(self._running.values())
        open_jobs = list(self._known)
        self._waiting.clear()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if open_jobs:
            try:
                await self._store.write(partial(records.release, job_ids=open_jobs))
            except StoreFault as fault:  # whoever takes them up finds that this core has ended
                log.warning("%d %ss are not given free: %s", len(open_jobs), self._name, fault)

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
        task = detached(self._run(job_id), name=f"{self._name} {uuids.text(job_id)}")
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
        job: Job | None = None
        why = ""
        while True:
            try:
                if why:
                    await self._end_broken(job_id, job, why)
                    return
                attempt = job.attempt if job is not None else 0
                begun = await self._store.write(partial(records.begin, job_id=job_id, known_attempt=attempt))
                if begun is not None:
                    job = begun
                    await self._work(job)
                return
            except Superseded:
                log.info("%s %s was stopped", self._name, uuids.text(job_id))
                return
            except StoreFault as fault:
                # It keeps its place: while the store is away, no other would get further.
                log.error("%s %s waits for the store: %s", self._name, uuids.text(job_id), fault)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as error:
                log.exception("%s %s failed by a fault of Delphis", self._name, uuids.text(job_id))
                if why:  # not even its end can be written; it is taken up again at the next start
                    return
                why = (
                    f"A fault of Delphis ({type(error).__name__}) ended the {self._name}; the log has it under the job "
                    f"{uuids.text(job_id)}."
                )

    async def _end_broken(self, job_id: bytes, job: Job | None, why: str) -> None:
        def write(connection: Connection) -> None:
            found = job or records.get(connection, job_id)
            if found is not None:
                self._fail(connection, found, why)

        await self._store.write(write)
