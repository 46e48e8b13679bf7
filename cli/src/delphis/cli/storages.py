"""`delphis storages`: register, look at, sync and remove arrays."""

from __future__ import annotations

import sys
from typing import IO

import click

from delphis.cli import jobs, registration
from delphis.cli.connection import Connection, connected
from delphis.cli.failures import CallFailed
from delphis.cli.output import capacity, enum_text, moment, print_fields, print_json, print_table, text
from delphis.cli.settings import Settings
from delphis.inventory.v1 import inventory_pb2, inventory_pb2_grpc, job_pb2
from delphis.type.v1 import storage_pb2

LOGIN_TIMEOUT = 95.0  # seconds; registering logs in to the array
PAGE = 1000


@click.group()
def storages() -> None:
    """Register, look at, sync and remove arrays."""


def inventory(connection: Connection) -> inventory_pb2_grpc.InventoryServiceStub:
    return inventory_pb2_grpc.InventoryServiceStub(connection.channel)


@storages.command()
@click.argument("vendor")
@click.argument("model")
@click.option("--host", help="Name or address of the array's management.")
@click.option("--port", type=click.IntRange(0, 65535))
@click.option("--username")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it.")
@click.option("--protocol", type=click.Choice(["rest", "ssh", "cli", "smis"]), default="rest", show_default=True)
@click.option("--array-tls", type=click.Choice(registration.TLS_MODES), help="TLS towards the array [default: verify]")
@click.option("--array-ca", type=click.Path(exists=True, dir_okay=False), help="PEM file of authorities to trust.")
@click.option("--array-pin", metavar="SHA256", help="SHA-256 of the only certificate to take.")
@click.option("--name", help="Your name for the array.")
@click.option("--extra", multiple=True, metavar="KEY=VALUE", callback=registration.pairs, help="Driver's attribute.")
@click.option("--label", multiple=True, metavar="KEY=VALUE", callback=registration.pairs)
@click.option(
    "--access",
    type=click.File(encoding="utf-8"),
    help="YAML or JSON file with a RegisterStorageRequest: keys, secrets, all that has no option here. - is stdin.",
)
@click.option("--validate-only", is_flag=True, help="Log in and show what would be registered; store nothing.")
@click.pass_obj
def register(
    settings: Settings,
    vendor: str,
    model: str,
    host: str | None,
    port: int | None,
    username: str | None,
    password_stdin: bool,
    protocol: str,
    array_tls: str | None,
    array_ca: str | None,
    array_pin: str | None,
    name: str | None,
    extra: dict[str, str],
    label: dict[str, str],
    access: IO[str] | None,
    validate_only: bool,
) -> None:
    """Register the array of VENDOR and MODEL (see `delphis drivers list`) and start its first sync.

    Options win over --access. The password is asked for; a secret on the command line would be seen by every user of
    this machine, so secrets among a driver's attributes belong into the --access file.
    """
    if host is None and access is None:
        raise click.UsageError("missing --host (or --access)")
    if password_stdin and access is not None and access.name == "<stdin>":
        raise click.UsageError("--password-stdin and --access - both want standard input")
    request = registration.from_file(access)
    request.vendor, request.model = vendor, model
    if host is not None or port is not None or username is not None or password_stdin:
        block = registration.block_of(request, protocol)
        if host is not None:
            block.host = host
        if port is not None:
            block.port = port
        if username is not None:
            block.username = username
        if password_stdin or not block.password:
            secret = registration.password(username, from_stdin=password_stdin)
            if secret is not None:
                block.password = secret
    registration.set_tls(registration.block_of(request, protocol), array_tls, array_ca, array_pin)
    if name is not None:
        request.storage_name = name
    request.extra_attributes.update(extra)
    request.labels.update(label)
    request.validate_only = validate_only
    request.request_id = request.request_id or registration.new_request_id()
    with connected(settings) as connection:
        timeout = max(settings.timeout, LOGIN_TIMEOUT)
        storage = connection.call(inventory(connection).RegisterStorage, request, timeout=timeout)
    if not settings.show(storage):
        if validate_only:
            click.echo("Nothing was stored. The array says:")
        print_fields(fields_of(storage))


@storages.command("list")
@click.option("--filter", "expression", default="", help="""Such as 'vendor = "ceph" AND labels.site = "b"'.""")
@click.option("--order-by", default="", help="Such as 'name' or 'created_at desc'.")
@click.pass_obj
def list_storages(settings: Settings, expression: str, order_by: str) -> None:
    """List the registered arrays."""
    request = inventory_pb2.ListStoragesRequest(filter=expression, order_by=order_by, page_size=PAGE)
    found = inventory_pb2.ListStoragesResponse()
    with connected(settings) as connection:
        while True:
            page = connection.call(inventory(connection).ListStorages, request)
            found.storages.extend(page.storages)
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
    if not settings.show(found):
        print_table(
            ["ID", "NAME", "VENDOR", "MODEL", "SERIAL NUMBER", "STATUS", "SYNC", "CAPACITY", "USED"],
            (
                [
                    storage.id,
                    name_of(storage),
                    text(storage, "vendor"),
                    text(storage, "model"),
                    text(storage, "serial_number"),
                    text(storage, "status"),
                    sync_of(storage),
                    capacity(storage, "total_capacity"),
                    capacity(storage, "used_capacity"),
                ]
                for storage in found.storages
            ),
        )


@storages.command()
@click.argument("storage_id", metavar="ID")
@click.pass_obj
def show(settings: Settings, storage_id: str) -> None:
    """Show one array, and kind by kind how its last sync ended."""
    with connected(settings) as connection:
        stub = inventory(connection)
        storage = connection.call(stub.GetStorage, inventory_pb2.GetStorageRequest(storage_id=storage_id))
        if settings.show(storage):
            return
        state = connection.call(stub.GetSyncState, inventory_pb2.GetSyncStateRequest(storage_id=storage_id))
    print_fields(fields_of(storage))
    if state.HasField("next_sync_at"):
        print_fields([("Next sync", moment(state.next_sync_at))])
    click.echo()
    jobs.print_kinds(list(state.kinds))


@storages.command()
@click.argument("storage_id", metavar="[ID]", required=False)
@click.option("--all", "everything", is_flag=True, help="All storages that are neither paused nor syncing.")
@click.option("--wait", is_flag=True, help="Come back when it is done; 1 unless everything was read completely.")
@click.pass_obj
def sync(settings: Settings, storage_id: str | None, everything: bool, wait: bool) -> None:
    """Read an array anew. With --wait, a sync that already runs is waited for instead."""
    if (storage_id is None) != everything:
        raise click.UsageError("give the ID of a storage, or --all")
    with connected(settings) as connection:
        if storage_id is None:
            sync_all(connection, wait=wait)
        else:
            sync_one(connection, storage_id, wait=wait)


def sync_one(connection: Connection, storage_id: str, *, wait: bool) -> None:
    settings = connection.settings
    request = inventory_pb2.SyncStorageRequest(storage_id=storage_id)
    try:
        answer = connection.call(inventory(connection).SyncStorage, request)
    except CallFailed as failure:
        if not (wait and failure.reason == "STORAGE_IS_SYNCING" and "job_id" in failure.metadata):
            raise
        answer = inventory_pb2.SyncStorageResponse(job_id=failure.metadata["job_id"])
    if not wait:
        if not settings.show(answer):
            click.echo(f"Job {answer.job_id} syncs storage {storage_id}.")
        return
    job = jobs.wait_for_job(connection, answer.job_id)
    if not settings.show(job):
        jobs.print_kinds(list(job.kinds))
    jobs.fail_unless_complete([job])


def sync_all(connection: Connection, *, wait: bool) -> None:
    settings = connection.settings
    answer = connection.call(inventory(connection).SyncStorages, inventory_pb2.SyncStoragesRequest())
    if not wait or not answer.started:
        if not settings.show(answer):
            click.echo(f"{answer.started} syncs started, {answer.skipped} storages were syncing or paused.")
        return
    done = jobs.wait_for_batch(connection, answer.batch_id)
    if settings.json:
        print_json(job_pb2.ListJobsResponse(jobs=done))
    else:
        print_table(["JOB", "STORAGE", "STATE"], ([job.job_id, job.storage_id, jobs.state_of(job)] for job in done))
    jobs.fail_unless_complete(done)


@storages.command()
@click.argument("storage_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(settings: Settings, storage_id: str, yes: bool) -> None:
    """Remove an array, its access info and its inventory from Delphis. The array itself is not touched."""
    with connected(settings) as connection:
        stub = inventory(connection)
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("no terminal to ask on: confirm with --yes")
            storage = connection.call(stub.GetStorage, inventory_pb2.GetStorageRequest(storage_id=storage_id))
            question = f"Remove {name_of(storage)} (serial number {text(storage, 'serial_number')}) from the inventory?"
            click.confirm(question, abort=True, err=True)
        answer = connection.call(stub.DeleteStorage, inventory_pb2.DeleteStorageRequest(storage_id=storage_id))
    if not settings.show(answer):
        click.echo(f"Storage {storage_id} is removed.")


@storages.command("accept-serial")
@click.argument("storage_id", metavar="ID")
@click.argument("serial_number")
@click.pass_obj
def accept_serial(settings: Settings, storage_id: str, serial_number: str) -> None:
    """Take SERIAL_NUMBER, which the array now answers with, for the registered one. Its syncs go on."""
    request = inventory_pb2.AcceptSerialRequest(storage_id=storage_id, serial_number=serial_number)
    with connected(settings) as connection:
        storage = connection.call(inventory(connection).AcceptSerial, request)
    if not settings.show(storage):
        print_fields(fields_of(storage))


def name_of(storage: storage_pb2.Storage) -> str:
    return storage.display_name or text(storage, "name")


def sync_of(storage: storage_pb2.Storage) -> str:
    """The sync that runs, or else how the last one ended."""
    if storage.sync_status == storage_pb2.SYNC_STATUS_SYNCING:
        return "syncing"
    return enum_text(storage_pb2.SyncOutcome.DESCRIPTOR, storage.sync_outcome)


def fields_of(storage: storage_pb2.Storage) -> list[tuple[str, str]]:
    fields = [
        ("ID", text(storage, "id")),
        ("Name", name_of(storage)),
        ("Vendor, model", f"{text(storage, 'vendor')}, {text(storage, 'model')}"),
        ("Driver for", f"{text(storage, 'driver_vendor')} {text(storage, 'driver_model')}"),
        ("Serial number", text(storage, "serial_number")),
        ("Firmware", text(storage, "firmware_version")),
        ("Location", text(storage, "location")),
        ("Status", text(storage, "status")),
        ("Capacity", capacity(storage, "total_capacity")),
        ("  used", capacity(storage, "used_capacity")),
        ("  free", capacity(storage, "free_capacity")),
        ("Raw capacity", capacity(storage, "raw_capacity")),
        ("Registered", text(storage, "created_at")),
        ("Sync", sync_of(storage)),
        ("Last complete sync", text(storage, "last_success_at")),
    ]
    if storage.sync_error:
        fields.append(("Why", storage.sync_error))
    if storage.pending_serial_number:
        fields.append(("Now answers with", f"{storage.pending_serial_number} (see accept-serial)"))
    if storage.HasField("pause"):
        fields.append(("Paused", storage.pause.reason or "yes"))
    if storage.labels:
        fields.append(("Labels", ", ".join(f"{key}={value}" for key, value in sorted(storage.labels.items()))))
    return fields
