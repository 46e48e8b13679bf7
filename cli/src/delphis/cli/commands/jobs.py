"""`delphis jobs`: work that goes on after the call that began it."""

from __future__ import annotations

from typing import Any

import click

from delphis.cli import cells
from delphis.cli.connection import connected, pages
from delphis.cli.job_waiting import LISTING, fail_unless_complete, get_job, print_job, print_kinds, stub_of
from delphis.cli.job_waiting import wait_for_job as wait_until_over
from delphis.cli.names import complete_storage, quoted, storage_id
from delphis.cli.options import Group, pass_settings
from delphis.cli.output import limit_of, print_list, print_message
from delphis.cli.settings import Settings
from delphis.cli.tables import print_fields
from delphis.inventory.v1 import job_pb2

STATES = ("waiting", "running", "succeeded", "partial", "failed", "cancelled")


@click.group(cls=Group)
def jobs() -> None:
    """Look at syncs and removals, and wait for them."""


@jobs.command("list")
@click.option("--storage", metavar="NAME_OR_ID", shell_complete=complete_storage, help="Only those of this storage.")
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--filter", "expression", default="", metavar="EXPRESSION", help="Such as 'type = sync'.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Jobs to print. [default for tables: 1000]")
@click.option("--all", "everything", is_flag=True, help="Print all jobs. [default but for tables]")
@click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas.")
@pass_settings
def list_jobs(
    settings: Settings,
    storage: str | None,
    state: str | None,
    expression: str,
    limit: int | None,
    everything: bool,
    columns: str | None,
) -> None:
    """List jobs, newest first. Those that ended are kept for 7 days."""
    LISTING.chosen(columns)
    wanted = limit_of(settings, limit, everything)
    with connected(settings) as connection:
        parts = [expression] if expression else []
        if storage is not None:
            parts.append(f"storage_id = {quoted(storage_id(connection, storage))}")
        if state is not None:
            parts.append(f"state = {state}")
        request = job_pb2.ListJobsRequest(filter=" AND ".join(parts))
        found: Any = pages(connection, stub_of(connection).ListJobs, request, "jobs", wanted)
        print_list(settings, LISTING, found, columns=columns, limit=limit)


@jobs.command()
@click.argument("job_id", metavar="ID")
@pass_settings
def show(settings: Settings, job_id: str) -> None:
    """Show one job, kind by kind."""
    with connected(settings) as connection:
        job = get_job(connection, job_id)
    show_job(settings, job)


@jobs.command()
@click.argument("job_id", metavar="ID")
@click.option("--within", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Wait no longer.")
@pass_settings
def wait(settings: Settings, job_id: str, within: float | None) -> None:
    """Come back when a job is over; 1 unless it did all it should."""
    with connected(settings) as connection:
        job = wait_until_over(connection, job_id, within=within)
    print_job(settings, job)
    fail_unless_complete([job])


@jobs.command()
@click.argument("job_id", metavar="ID")
@pass_settings
def cancel(settings: Settings, job_id: str) -> None:
    """Stop a sync that waits or runs; what it has written stays."""
    with connected(settings) as connection:
        job = connection.call(stub_of(connection).CancelJob, job_pb2.CancelJobRequest(job_id=job_id))
    show_job(settings, job)


def show_job(settings: Settings, job: job_pb2.Job) -> None:
    if print_message(settings, job):
        return
    names = [name for name in (field.name for field in job.DESCRIPTOR.fields) if name != "kinds"]
    print_fields((name.replace("_", " ").capitalize(), cells.text(job, name)) for name in names)
    if job.kinds:
        click.echo()
        print_kinds(job.kinds)
