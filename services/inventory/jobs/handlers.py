"""JobService."""

from __future__ import annotations

from collections.abc import Iterator

from delphis.inventory.v1 import job_pb2 as pb
from services.calls.errors import CallError
from services.calls.method import Call, Method, methods_of, unary
from services.inventory.finishing import to_the_end
from services.inventory.jobs import listing, progress, records
from services.inventory.jobs.records import Job
from services.inventory.storages import rows
from services.inventory.storages.syncing import Syncs, stop_sync
from services.store.connection import Connection
from services.store.engine import Store
from services.values import uuids


class JobService:
    """The handlers."""

    def __init__(self, store: Store, syncs: Syncs) -> None:
        self._store = store
        self._syncs = syncs

    def methods(self) -> Iterator[Method]:
        """The service for a method table."""
        return methods_of(
            pb.DESCRIPTOR.services_by_name["JobService"],
            {
                "GetJob": unary(pb.GetJobRequest, self._get_job),
                "ListJobs": unary(pb.ListJobsRequest, self._list_jobs),
                "CancelJob": unary(pb.CancelJobRequest, self._cancel_job),
            },
        )

    async def _get_job(self, request: pb.GetJobRequest, call: Call) -> pb.Job:
        return await self._store.read(lambda connection: self._described(connection, request.job_id))

    async def _list_jobs(self, request: pb.ListJobsRequest, call: Call) -> pb.ListJobsResponse:
        return await listing.list_jobs(self._store, request, self._message)

    async def _cancel_job(self, request: pb.CancelJobRequest, call: Call) -> pb.Job:
        call.resource_id = request.job_id
        return await to_the_end(self._cancel(request.job_id))

    async def _cancel(self, job_id: str) -> pb.Job:
        def write(connection: Connection) -> Job | None:
            job = _get(connection, job_id)
            if job.state not in records.OPEN:
                return None
            if job.type != records.SYNC:
                raise CallError(
                    "BAD_REQUEST",
                    f"The job {job_id} removes a storage that is gone from all answers already; it can't be stopped.",
                    metadata={"job_id": job_id},
                )
            row = rows.by_no(connection, job.storage_no)
            running = self._syncs.kinds_of(job.id)
            kinds = pb.Job(kinds=running).SerializeToString() if running is not None else b""
            return stop_sync(connection, row, "It was cancelled.", kinds) if row is not None else None

        stopped = await self._store.write(write)
        if stopped is not None:
            self._syncs.cancel(stopped.id)
        return await self._store.read(lambda connection: self._described(connection, job_id))

    def _described(self, connection: Connection, job_id: str) -> pb.Job:
        return self._message(connection, _get(connection, job_id))

    def _message(self, connection: Connection, job: Job) -> pb.Job:
        """The job with its kinds: live where it runs here, as far as they are written where it runs elsewhere."""
        if job.state != records.RUNNING:
            return records.message(job)
        kinds = self._syncs.kinds_of(job.id)
        if kinds is None and job.type == records.SYNC:
            began = job.started_at
            states = progress.of_storage(connection, job.storage_no)
            kinds = [state for state in states if state.started_at.ToMicroseconds() >= began]
        return records.message(job, kinds)


def _get(connection: Connection, job_id: str) -> Job:
    parsed = uuids.parsed(job_id)
    job = records.get(connection, parsed) if parsed is not None else None
    if job is None:
        raise records.not_found(job_id)
    return job
