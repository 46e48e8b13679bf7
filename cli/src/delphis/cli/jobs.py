"""Waiting for jobs, and telling how they ended."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click

from delphis.cli.connection import Connection
from delphis.cli.output import enum_text, print_table
from delphis.inventory.v1 import job_pb2, job_pb2_grpc

OVER = frozenset(
    {job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_PARTIAL, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED}
)
FIRST_PAUSE = 0.1  # seconds between two looks, growing
LONGEST_PAUSE = 2.0
PAGE = 1000


def pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 1.5, LONGEST_PAUSE)


def wait_for_job(connection: Connection, job_id: str) -> job_pb2.Job:
    stub = job_pb2_grpc.JobServiceStub(connection.channel)
    for pause in pauses():
        job = connection.call(stub.GetJob, job_pb2.GetJobRequest(job_id=job_id))
        if job.state in OVER:
            return job
        time.sleep(pause)
    raise AssertionError("unreachable")


def jobs_of_batch(connection: Connection, batch_id: str) -> list[job_pb2.Job]:
    stub = job_pb2_grpc.JobServiceStub(connection.channel)
    request = job_pb2.ListJobsRequest(filter=f'batch_id = "{batch_id}"', page_size=PAGE)
    jobs: list[job_pb2.Job] = []
    while True:
        page = connection.call(stub.ListJobs, request)
        jobs += page.jobs
        if not page.next_page_token:
            return jobs
        request.page_token = page.next_page_token


def wait_for_batch(connection: Connection, batch_id: str) -> list[job_pb2.Job]:
    for pause in pauses():
        jobs = jobs_of_batch(connection, batch_id)
        if all(job.state in OVER for job in jobs):
            return jobs
        time.sleep(pause)
    raise AssertionError("unreachable")


def print_kinds(kinds: Iterator[job_pb2.KindState] | list[job_pb2.KindState]) -> None:
    print_table(
        ["KIND", "OUTCOME", "TOTAL", "ADDED", "CHANGED", "REMOVED", "MISSING", "WHY"],
        (
            [
                kind.kind,
                enum_text(job_pb2.KindOutcome.DESCRIPTOR, kind.outcome),
                *(str(count) for count in (kind.total, kind.added, kind.changed, kind.removed, kind.missing)),
                kind.error_msg or "; ".join(kind.warnings),
            ]
            for kind in kinds
        ),
    )


def state_of(job: job_pb2.Job) -> str:
    return enum_text(job_pb2.JobState.DESCRIPTOR, job.state)


def fail_unless_complete(jobs: list[job_pb2.Job]) -> None:
    """Ends the command with 1 if a job did not do all it should."""
    for job in jobs:
        if job.state != job_pb2.JOB_STATE_SUCCEEDED:
            why = f": {job.error_msg} ({job.error_code})" if job.error_code else ""
            click.echo(f"error: job {job.job_id} of storage {job.storage_id} {state_of(job)}{why}", err=True)
    if any(job.state != job_pb2.JOB_STATE_SUCCEEDED for job in jobs):
        raise click.exceptions.Exit(1)
