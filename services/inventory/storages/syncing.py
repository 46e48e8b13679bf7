"""Syncs: asked for by callers, by the clock, at registration; run as jobs; gone on with after a restart."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from delphis.inventory.v1 import job_pb2
from delphis.tracing import spans
from delphis.type.v1 import storage_pb2
from services.calls.errors import CallError
from services.inventory.finishing import to_the_end
from services.inventory.jobs import records
from services.inventory.jobs.queue import JobQueue
from services.inventory.jobs.records import Job
from services.inventory.jobs.schedule import Schedule, next_due, soon
from services.inventory.storages import rows, settings
from services.inventory.storages.array_sync import ArraySync
from services.inventory.storages.rows import StorageRow
from services.inventory.storages.sync_counts import SyncCounts
from services.registry.manifest import Pair
from services.router.router import Router
from services.store.connection import Connection
from services.store.engine import Store
from services.values import times, uuids

log = logging.getLogger(__name__)

ARRAYS_AT_ONCE = 64
ARRAYS_OF_DRIVER_AT_ONCE = 40
"""Of one vendor and model, so that a family of arrays that hang leaves room for the others."""
_CHUNK = 200


@dataclass(frozen=True, slots=True)
class Started:
    """A sync that waits in the store."""

    job: Job
    pair: Pair


class Syncs:
    """Starts and runs the syncs of this process."""

    def __init__(self, store: Store, router: Router) -> None:
        self._store = store
        self._router = router
        self._queue = JobQueue(
            store, "sync", self._run, fail_sync, at_once=ARRAYS_AT_ONCE, of_group=ARRAYS_OF_DRIVER_AT_ONCE
        )
        self._schedule = Schedule(self._due)
        self.counts = SyncCounts()
        self._live: dict[bytes, ArraySync] = {}

    @property
    def running(self) -> int:
        """Syncs that run in this process."""
        return self._queue.running

    @property
    def waiting(self) -> int:
        """Syncs that wait for others to end."""
        return self._queue.waiting

    async def start(self) -> None:
        """Goes on with what waited or ran when the last core ended, and begins to watch the clock."""
        waiting, storages = await self._store.write(_recover)
        for job, pair in waiting:
            self._queue.put(job.id, str(pair))
        now = times.now()
        for row in storages:
            self.expect(row, overdue=soon(row.id, now))
        self._schedule.start()

    async def adopt(self) -> None:
        """Goes on with the syncs of cores that have ended since, and with those that others left to this one."""
        adopted, left = await self._store.write(lambda connection: (_adopt(connection), _waiting_here(connection)))
        for job, _ in adopted:
            log.info("sync %s is taken over: its core has ended", uuids.text(job.id))
        for job, pair in (*adopted, *left):
            self._queue.put(job.id, str(pair))

    async def stop(self) -> None:
        """Stops all. Another core, or the next start, goes on."""
        await self._schedule.stop()
        await self._queue.stop()

    def put(self, started: Started) -> None:
        """Runs a sync whose transaction is committed."""
        self._queue.put(started.job.id, str(started.pair))

    def expect(self, row: StorageRow, *, overdue: int = 0) -> None:
        """Notes when the storage is due next, or when its pause ends."""
        now = times.now()
        at = row.pause_until if row.is_paused(now) else row.next_sync_at or now
        self._schedule.set(row.no, max(at, overdue) if at and at <= now else at)

    def forget(self, no: int) -> None:
        """The storage is paused without an end, or removed."""
        self._schedule.set(no, 0)

    def cancel(self, job_id: bytes) -> None:
        """Stops a sync whose end is already in the store."""
        self._queue.cancel(job_id)

    def kinds_of(self, job_id: bytes) -> list[job_pb2.KindState] | None:
        """The kinds of a sync that runs in this process."""
        live = self._live.get(job_id)
        return live.progress.states() if live is not None else None

    async def request(self, storage_id: str, requested_by: str) -> Job:
        """Starts a sync of one storage. CallError where there is none, or where it can't be."""

        def write(connection: Connection) -> Started:
            return start_sync(connection, rows.get(connection, storage_id), requested_by)

        return (await to_the_end(self._start(write))).job

    async def _start(self, write: Callable[[Connection], Started]) -> Started:
        started = await self._store.write(write)
        self.put(started)
        return started

    async def request_all(self, requested_by: str) -> tuple[bytes, int, int]:
        """Starts a sync of every storage that is neither paused nor syncing: batch, started, skipped."""
        return await to_the_end(self._request_all(requested_by))

    async def _request_all(self, requested_by: str) -> tuple[bytes, int, int]:
        batch = records.new_id()
        numbers = await self._store.read(rows.live_numbers)
        count = 0
        for begin in range(0, len(numbers), _CHUNK):
            chunk = numbers[begin : begin + _CHUNK]
            started = await self._store.write(
                partial(_start_many, numbers=chunk, requested_by=requested_by, batch_id=batch)
            )
            for each in started:
                self.put(each)
            count += len(started)
        return batch, count, len(numbers) - count

    async def _run(self, job: Job) -> None:
        row = await self._store.read(partial(rows.by_no, no=job.storage_no))
        if row is None:
            await self._store.write(partial(records.cancel, job_id=job.id, why="The storage was removed."))
            return
        core = await self._router.elsewhere(Pair(row.driver_vendor, row.driver_model))
        if core:
            log.info("sync %s is left to the core that runs the hosts of its driver", uuids.text(job.id))
            await self._store.write(partial(records.hand_over, job=job, process=core))
            return
        sync = self._live[job.id] = ArraySync(self._store, self._router, job, row)
        began = time.monotonic()
        try:
            with spans.work("sync", storage_id=uuids.text(row.id)):
                self._schedule.set(row.no, await sync.run())
        finally:
            self.counts.end(sync.outcome, time.monotonic() - began)
            del self._live[job.id]

    async def _due(self, numbers: list[int]) -> None:
        started, expected = await self._store.write(partial(_tick, numbers=numbers))
        for each in started:
            self.put(each)
        for row in expected:
            self.expect(row)


def start_sync(connection: Connection, row: StorageRow, requested_by: str, batch_id: bytes = b"") -> Started:
    """Stores a sync of the storage. STORAGE_IS_SYNCING or STORAGE_IS_PAUSED where it can't be started."""
    if row.is_paused(times.now()):
        raise CallError(
            "STORAGE_IS_PAUSED",
            f"The storage {uuids.text(row.id)} is paused{f': {row.pause_reason}' if row.pause_reason else ''}. Resume "
            "it first.",
            metadata={"storage_id": uuids.text(row.id)},
        )
    running = records.open_job_of(connection, row.no) if row.sync_status == rows.SYNCING else None
    if running is not None:
        raise CallError(
            "STORAGE_IS_SYNCING",
            f"The storage {uuids.text(row.id)} is being synced; wait for the job {uuids.text(running.id)}.",
            metadata={"storage_id": uuids.text(row.id), "job_id": uuids.text(running.id)},
        )
    job = records.add(connection, records.SYNC, row.no, row.id, requested_by, batch_id)
    rows.change(connection, row.no, sync_status=rows.SYNCING)
    return Started(job, Pair(row.driver_vendor, row.driver_model))


def stop_sync(connection: Connection, row: StorageRow, why: str, kinds: bytes = b"") -> Job | None:
    """Ends the storage's sync in the store; the job, which the caller cancels once that is committed."""
    job = records.open_job_of(connection, row.no)
    if job is None or not records.cancel(connection, job.id, why, kinds):
        return None
    rows.change(connection, row.no, sync_status=rows.SYNCED)
    return job


def fail_sync(connection: Connection, job: Job, why: str) -> None:
    """Ends a sync that Delphis itself can't bring to an end. The storage is synced again at its usual time."""
    if not records.fail(connection, job, why):
        return
    row = rows.by_no(connection, job.storage_no)
    if row is not None:
        rows.change(
            connection,
            row.no,
            sync_status=rows.SYNCED,
            sync_outcome=storage_pb2.SYNC_OUTCOME_FAILED,
            sync_error=why[:1000],
        )


def _start_many(connection: Connection, numbers: Sequence[int], requested_by: str, batch_id: bytes) -> list[Started]:
    now = times.now()
    found = []
    for no in numbers:
        row = rows.by_no(connection, no)
        if row is not None and row.sync_status != rows.SYNCING and not row.is_paused(now):
            found.append(start_sync(connection, row, requested_by, batch_id))
    return found


def _tick(connection: Connection, numbers: Sequence[int]) -> tuple[list[Started], list[StorageRow]]:
    """Storages whose time has come: the syncs that were started, and the storages as they are now."""
    now = times.now()
    started, expected = [], []
    for no in numbers:
        row = rows.by_no(connection, no)
        if row is None or row.is_paused(now):
            if row is not None:
                expected.append(row)
            continue
        due = next_due(row.id, settings.interval(row), now)
        values: dict[str, object] = {"next_sync_at": due}
        if row.paused:
            # The pause ended by itself; the next sync comes at its usual time.
            values |= {"paused": 0, "pause_reason": "", "pause_since": 0, "pause_until": 0, "updated_at": now}
        elif row.sync_status != rows.SYNCING and row.next_sync_at <= now:
            started.append(start_sync(connection, row, "schedule"))
        rows.change(connection, no, **values)
        fresh = rows.by_no(connection, no)
        assert fresh is not None
        expected.append(fresh)
    return started, expected


def _recover(connection: Connection) -> tuple[list[tuple[Job, Pair]], list[StorageRow]]:
    """What cores that have ended left waits again; nothing says it is syncing that isn't."""
    said = rows.syncing(connection)
    waiting = _adopt(connection)
    # Looked at after the storages: another core writes a storage and its job at once.
    busy = {job.storage_no for job in records.open_jobs(connection) if job.type == records.SYNC}
    for no in said:
        if no not in busy:
            rows.change(connection, no, sync_status=rows.SYNCED)
    return waiting, rows.all_live(connection)


def _waiting_here(connection: Connection) -> list[tuple[Job, Pair]]:
    found = [(job, rows.by_no(connection, job.storage_no)) for job in records.waiting_here(connection, records.SYNC)]
    return [(job, Pair(row.driver_vendor, row.driver_model)) for job, row in found if row is not None]


def _adopt(connection: Connection) -> list[tuple[Job, Pair]]:
    waiting: list[tuple[Job, Pair]] = []
    for job in records.adopt(connection, records.SYNC):
        row = rows.by_no(connection, job.storage_no)
        if row is None:
            records.cancel(connection, job.id, "The storage was removed.")
        elif job.deaths >= records.MOST_DEATHS:
            log.error("sync %s of storage %s is given up", uuids.text(job.id), uuids.text(row.id))
            fail_sync(
                connection, job, f"The core ended {job.deaths} times while it ran; it is not tried again by itself."
            )
        else:
            waiting.append((job, Pair(row.driver_vendor, row.driver_model)))
    return waiting
