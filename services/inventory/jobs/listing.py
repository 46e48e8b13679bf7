"""The list of jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import ColumnElement, func, select

from delphis.inventory.v1 import job_pb2 as pb
from services.inventory import uuids
from services.inventory.jobs import records
from services.inventory.jobs.records import Job, not_found
from services.inventory.listing.page import ListRequest, UnknownMarker, listing
from services.inventory.listing.spec import Field, ListSpec, enum_value
from services.inventory.storages.listing import enum_numbers
from services.store.connection import Connection
from services.store.engine import Store
from services.store.schema.jobs import jobs
from services.store.schema.storages import storages

_PREFIXES = {"type": pb.JobType.DESCRIPTOR, "state": pb.JobState.DESCRIPTOR}


def _id_value(text: str) -> bytes:
    return uuids.parsed(text) or b""


def _of_storage(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """By the storage's number, which has an index; of a storage that is gone its jobs know it."""
    living = select(storages.c.no).where(storages.c.id == value).scalar_subquery()
    gone = select(jobs.c.storage_no).where(jobs.c.storage_id == value).limit(1).correlate(None).scalar_subquery()
    return jobs.c.storage_no == func.coalesce(living, gone)


JOBS = ListSpec(
    name="jobs",
    source=jobs,
    # Ids begin with the time at which they were made.
    key=cast("ColumnElement[int]", jobs.c.id),
    columns=records.COLUMNS,
    fields={
        "storage_id": Field(jobs.c.storage_id, _id_value, _of_storage),
        "batch_id": Field(jobs.c.batch_id, _id_value),
        **{name: Field(jobs.c[name], enum_value(enum_numbers(enum))) for name, enum in _PREFIXES.items()},
    },
    id=Field(jobs.c.id, _id_value),
)


async def list_jobs(
    store: Store, request: pb.ListJobsRequest, message: Callable[[Connection, Job], pb.Job]
) -> pb.ListJobsResponse:
    """A page of jobs, newest first; `message` makes one of a row."""
    wanted = listing(JOBS, ListRequest(request.page_size, request.page_token, request.filter))

    def read(connection: Connection) -> pb.ListJobsResponse:
        try:
            page = wanted.run(connection)
        except UnknownMarker as marker:
            raise not_found(marker.id) from None
        found = [message(connection, Job._make(row)) for row in page.rows]
        return pb.ListJobsResponse(jobs=found, next_page_token=page.next_page_token)

    return await store.scan(read)
