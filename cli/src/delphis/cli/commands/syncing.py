"""`delphis storages sync`: read arrays anew, and show how far that is."""

from __future__ import annotations

import click

from delphis.cli.connection import Connection, connected
from delphis.cli.failures import CallFailed, WrongSettings
from delphis.cli.job_waiting import fail_unless_complete, print_job, print_jobs, wait_for_batch, wait_for_job
from delphis.cli.names import complete_storage, inventory, storage_id
from delphis.cli.options import Command, pass_settings
from delphis.cli.output import print_message, print_value
from delphis.cli.settings import Settings
from delphis.inventory.v1 import inventory_pb2


@click.command(cls=Command)
@click.argument("storage", metavar="[STORAGE]", required=False, shell_complete=complete_storage)
@click.option("--all", "everything", is_flag=True, help="All storages that are neither paused nor syncing.")
@click.option("--wait", is_flag=True, help="Come back when it is done; 1 unless everything was read completely.")
@pass_settings
def sync(settings: Settings, storage: str | None, everything: bool, wait: bool) -> None:
    """Read an array anew. With --wait, a sync that already runs is waited for instead."""
    if (storage is None) != everything:
        raise WrongSettings("give the storage to sync, or --all")
    with connected(settings) as connection:
        if storage is None:
            sync_all(connection, wait=wait)
        else:
            sync_one(connection, storage_id(connection, storage), wait=wait)


def sync_one(connection: Connection, id_: str, *, wait: bool) -> None:
    settings = connection.settings
    try:
        answer = connection.call(inventory(connection).SyncStorage, inventory_pb2.SyncStorageRequest(storage_id=id_))
    except CallFailed as failure:
        if not (wait and failure.reason == "STORAGE_IS_SYNCING" and "job_id" in failure.metadata):
            raise
        answer = inventory_pb2.SyncStorageResponse(job_id=failure.metadata["job_id"])
    if not wait:
        if not print_message(settings, answer):
            click.echo(f"Job {answer.job_id} syncs storage {id_}.")
        return
    job = wait_for_job(connection, answer.job_id)
    print_job(settings, job)
    fail_unless_complete([job])


def sync_all(connection: Connection, *, wait: bool) -> None:
    settings = connection.settings
    answer = connection.call(inventory(connection).SyncStorages, inventory_pb2.SyncStoragesRequest())
    if not wait or not answer.started:
        said = {"batch_id": answer.batch_id, "started": answer.started, "skipped": answer.skipped}
        if not print_value(settings, said):
            click.echo(f"{answer.started} syncs started, {answer.skipped} storages were syncing or paused.")
        return
    done = wait_for_batch(connection, answer.batch_id)
    print_jobs(settings, done)
    fail_unless_complete(done)
