"""The list of jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from sqlalchemy import ColumnElement, func, select

from delphis.inventory.v1 import job_pb2 as pb
from services.inventory.jobs import records
from services.inventory.jobs.records import Job, not_found
from services.inventory.schema.jobs import jobs
from services.inventory.schema.storages import storages
from services.listing.page import ListRequest, UnknownMarker, listing
from services.listing.spec import Bind, Field, ListSpec
from services.listing.values import enum_numbers, enum_value, integer_value, time_value
from services.store.connection import Connection
from services.store.engine import Store
from services.values import uuids

_ENUMS = {"type": pb.JobType.DESCRIPTOR, "state": pb.JobState.DESCRIPTOR}


def _id_value(text: str) -> bytes:
    return uuids.parsed(text) or b""


def _of_storage(operator: str, *values: Bind) -> ColumnElement[bool]:
    """By the storage's number, which has an index; of a storage that is gone its jobs know it."""
    if operator == "set":
        return jobs.c.storage_no != 0
    value = values[0]
    living = select(storages.c.no).where(storages.c.id == value).scalar_subquery()
    gone = select(jobs.c.storage_no).where(jobs.c.storage_id == value).limit(1).correlate(None).scalar_subquery()
    return jobs.c.storage_no == func.coalesce(living, gone, -1)


_ID = Field(jobs.c.id, _id_value, type="id")
JOBS = ListSpec(
    name="jobs",
    source=jobs,
    # Ids begin with the time at which they were made.
    key=cast("ColumnElement[int]", jobs.c.id),
    columns=records.COLUMNS,
    fields={
        "job_id": _ID,
        "storage_id": Field(jobs.c.storage_id, _id_value, type="id", compare=_of_storage),
        "batch_id": Field(jobs.c.batch_id, _id_value, type="id"),
        **{name: Field(jobs.c[name], enum_value(enum_numbers(enum)), type="enum") for name, enum in _ENUMS.items()},
        **{name: Field(jobs.c[name], time_value, type="time") for name in ("created_at", "started_at", "ended_at")},
        **{name: Field(jobs.c[name]) for name in ("requested_by", "error_code")},
        "attempt": Field(jobs.c.attempt, integer_value, type="number"),
    },
    id=_ID,
)


async def list_jobs(
    store: Store, request: pb.ListJobsRequest, message: Callable[[Connection, Job], pb.Job]
) -> pb.ListJobsResponse:
    """A page of jobs, newest first; `message` makes one of a row."""
    wanted = listing(
        JOBS,
        ListRequest(
            request.page_size,
            request.page_token,
            request.filter,
            request.order_by,
            request.skip,
            include_total=request.include_total,
        ),
    )

    def read(connection: Connection) -> pb.ListJobsResponse:
        try:
            page = wanted.run(connection)
        except UnknownMarker as marker:
            raise not_found(marker.id) from None
        found = [message(connection, Job._make(row)) for row in page.rows]
        return pb.ListJobsResponse(jobs=found, next_page_token=page.next_page_token, total_size=page.total)

    return await store.scan(read)
