"""Waiting for jobs, showing how far they are, and telling how they ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from delphis.cli import cells
from delphis.cli.connection import Connection, pages
from delphis.cli.failures import Failure
from delphis.cli.output import Listing, print_list, print_message
from delphis.cli.settings import Settings
from delphis.cli.tables import print_table
from delphis.cli.texts import printable
from delphis.inventory.v1 import job_pb2, job_pb2_grpc

if TYPE_CHECKING:
    from rich.progress import Progress

OVER = frozenset(
    {job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_PARTIAL, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED}
)
FIRST_PAUSE = 0.1  # seconds between two looks, growing
LONGEST_PAUSE = 2.0
LISTING = Listing(
    key="jobs",
    message=job_pb2.Job,
    columns=("job_id", "type", "state", "storage_id", "requested_by", "created_at", "ended_at", "error_code"),
)


def stub_of(connection: Connection) -> job_pb2_grpc.JobServiceStub:
    return job_pb2_grpc.JobServiceStub(connection.channel)


def pauses(within: float | None) -> Iterator[float]:
    """Seconds to sleep between looks; ends when the time is over."""
    pause, end = FIRST_PAUSE, time.monotonic() + (within or float("inf"))
    while time.monotonic() < end:
        yield min(pause, max(end - time.monotonic(), 0))
        pause = min(pause * 1.5, LONGEST_PAUSE)


def get_job(connection: Connection, job_id: str) -> job_pb2.Job:
    return connection.call(stub_of(connection).GetJob, job_pb2.GetJobRequest(job_id=job_id))


def wait_for_job(connection: Connection, job_id: str, *, within: float | None = None) -> job_pb2.Job:
    """The job when it is over; how far it is stands on the terminal meanwhile.

    Raises:
        Failure: it is not over `within` so many seconds.
    """
    with _bar() as bar:
        task = bar.add_task("waiting", total=None) if bar else None
        for pause in pauses(within):
            job = get_job(connection, job_id)
            if bar is not None and task is not None:
                done = [kind for kind in job.kinds if kind.outcome > job_pb2.KIND_OUTCOME_RUNNING]
                running = [kind.kind for kind in job.kinds if kind.outcome == job_pb2.KIND_OUTCOME_RUNNING]
                said = ", ".join(running) or cells.text(job, "state")
                bar.update(task, description=printable(said), completed=len(done), total=len(job.kinds) or None)
            if job.state in OVER:
                return job
            time.sleep(pause)
    raise _late(job_id, within)


def wait_for_batch(connection: Connection, batch_id: str) -> list[job_pb2.Job]:
    """The jobs of a batch when all are over."""
    with _bar() as bar:
        task = bar.add_task("storages", total=None) if bar else None
        for pause in pauses(None):
            jobs = jobs_of_batch(connection, batch_id)
            over = [job for job in jobs if job.state in OVER]
            if bar is not None and task is not None:
                bar.update(task, completed=len(over), total=len(jobs) or None)
            if len(over) == len(jobs):
                return jobs
            time.sleep(pause)
    raise AssertionError("waiting without a limit ended")


def jobs_of_batch(connection: Connection, batch_id: str) -> list[job_pb2.Job]:
    request = job_pb2.ListJobsRequest(filter=f'batch_id = "{batch_id}"')
    found: Any = pages(connection, stub_of(connection).ListJobs, request, "jobs")
    return [job for page, _ in found for job in page]


def _late(job_id: str, within: float | None) -> Failure:
    return Failure(f"job {job_id} is not over after {within:g} s; it goes on", hint=f"delphis jobs wait {job_id}")


def _bar() -> AbstractContextManager[Progress | None]:
    """A progress bar, where somebody looks at standard error."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def print_job(settings: Settings, job: job_pb2.Job) -> None:
    """How a sync went, kind by kind."""
    if not print_message(settings, job):
        print_kinds(job.kinds)


def print_jobs(settings: Settings, jobs: Sequence[job_pb2.Job]) -> None:
    print_list(settings, LISTING, [(jobs, False)])


def print_kinds(kinds: Sequence[job_pb2.KindState]) -> None:
    """What was read of each kind."""
    numbers = ("total", "added", "changed", "removed", "missing")
    why: Callable[[job_pb2.KindState], str] = lambda kind: kind.error_msg or "; ".join(kind.warnings)  # noqa: E731
    print_table(
        ["KIND", "OUTCOME", *(name.upper() for name in numbers), "WHY"],
        ([kind.kind, cells.text(kind, "outcome"), *(str(getattr(kind, name)) for name in numbers), why(kind)]
         for kind in kinds),
    )  # fmt: skip


def fail_unless_complete(jobs: Sequence[job_pb2.Job]) -> None:
    """Ends the command with 1 if a job did not do all it should."""
    bad = [job for job in jobs if job.state != job_pb2.JOB_STATE_SUCCEEDED]
    for job in bad:
        why = f": {job.error_msg} ({job.error_code})" if job.error_code else ""
        said = f"error: job {job.job_id} of storage {job.storage_id} {cells.text(job, 'state')}{why}"
        click.echo(printable(said), err=True)
    if bad:
        raise click.exceptions.Exit(1)
