"""Removes storages: from all answers at once, their resources in the background."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from sqlalchemy import bindparam, delete

from delphis.inventory.v1 import change_pb2
from services.calls.errors import CallError
from services.inventory.access import infos
from services.inventory.access.infos import AccessInfos, StoredAccess
from services.inventory.finishing import to_the_end
from services.inventory.jobs import records
from services.inventory.jobs.queue import JobQueue
from services.inventory.jobs.records import Job
from services.inventory.schema.storages import storages
from services.inventory.storages import rows
from services.inventory.storages.array import Arrays
from services.inventory.storages.history import note
from services.inventory.storages.syncing import Syncs, stop_sync
from services.inventory.sync.cleanup import remove_resources
from services.store.connection import Connection
from services.store.engine import Store
from services.store.statement import statement

AT_ONCE = 2
_DELETE = statement(delete(storages).where(storages.c.no == bindparam("no"), storages.c.deleted_at > 0))


class _Marked(NamedTuple):
    """What the transaction that took a storage from all answers did."""

    no: int
    removal: Job
    stopped: Job | None


class Removals:
    """Removes storages, and goes on with it after a restart."""

    def __init__(
        self,
        store: Store,
        arrays: Arrays,
        access: AccessInfos,
        syncs: Syncs,
        forget: Callable[[str], None],
        release: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """`forget` tells the registry that the storage is gone; `release` is to be called before, and does not fail."""
        self._store = store
        self._arrays = arrays
        self._access = access
        self._syncs = syncs
        self._forget = forget
        self._release = release
        self._queue = JobQueue(store, "removal", self._run, records.fail, at_once=AT_ONCE)

    async def start(self) -> None:
        """Goes on with removals that a core left unfinished. To be called after `Syncs.start`."""
        for job in await self._store.write(_recover):
            self._queue.put(job.id)

    async def adopt(self) -> None:
        """Goes on with the removals of cores that have ended since."""
        for job in await self._store.write(partial(records.adopt, type_=records.REMOVAL)):
            self._queue.put(job.id)

    async def stop(self) -> None:
        """Stops all. Another core, or the next start, goes on."""
        await self._queue.stop()

    async def remove(self, storage_id: str, requested_by: str) -> Job:
        """Takes the storage from all answers; the job that removes its resources."""
        access = await self._opened(storage_id)
        if self._release is not None:
            await self._release(storage_id)
        return await to_the_end(self._remove(storage_id, requested_by, access))

    async def _remove(self, storage_id: str, requested_by: str, access: StoredAccess | None) -> Job:
        marked = await self._store.write(partial(_mark, storage_id=storage_id, requested_by=requested_by))
        self._syncs.forget(marked.no)
        if marked.stopped is not None:
            self._syncs.cancel(marked.stopped.id)
        self._queue.put(marked.removal.id)
        if access is not None:
            self._arrays.close(access.pair, storage_id, access.message, access.revision)
        self._forget(storage_id)
        return marked.removal

    async def _opened(self, storage_id: str) -> StoredAccess | None:
        """The access info, with which the driver may log out; what can't be read keeps nobody from removing."""
        try:
            return await self._access.load(storage_id)
        except CallError as error:
            if error.reason == "STORAGE_NOT_FOUND":
                raise
            return None

    async def _run(self, job: Job) -> None:
        await remove_resources(self._store, job.storage_no)

        def finish(connection: Connection) -> None:
            records.check(connection, job)
            connection.run(_DELETE, {"no": job.storage_no})
            records.end(connection, job, records.SUCCEEDED)

        await self._store.write(finish)


def _mark(connection: Connection, storage_id: str, requested_by: str) -> _Marked:
    row = rows.get(connection, storage_id)
    stopped = stop_sync(connection, row, "The storage was removed.")
    if not rows.mark_deleted(connection, row.no):
        raise rows.not_found(storage_id)
    connection.signal(infos.CHANGED)
    note(connection, row, change_pb2.CHANGE_TYPE_DELETED)
    return _Marked(row.no, records.add(connection, records.REMOVAL, row.no, row.id, requested_by), stopped)


def _recover(connection: Connection) -> list[Job]:
    """The removals to go on with. A storage that is marked but has no job gets one."""
    jobs = records.adopt(connection, records.REMOVAL)
    known = {job.storage_no for job in records.open_jobs(connection) if job.type == records.REMOVAL}
    for no, storage_id in rows.deleted(connection):
        if no not in known:
            jobs.append(records.add(connection, records.REMOVAL, no, storage_id, "restart"))
    return jobs
