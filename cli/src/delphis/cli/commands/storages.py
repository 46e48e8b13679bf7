"""`delphis storages`: register, look at, change and remove arrays."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from typing import IO, Any

import click

from delphis.cli import cells, registration
from delphis.cli.commands.resources import list_options
from delphis.cli.commands.syncing import sync
from delphis.cli.connection import Connection, connected, pages
from delphis.cli.failures import Failure, WrongSettings
from delphis.cli.job_waiting import print_kinds
from delphis.cli.names import complete_storage, inventory, name_of, storage_id
from delphis.cli.options import Group, pass_settings
from delphis.cli.output import Listing, limit_of, print_list, print_message
from delphis.cli.settings import Settings
from delphis.cli.tables import print_fields
from delphis.inventory.v1 import inventory_pb2
from delphis.type.v1 import storage_pb2

LOGIN_TIMEOUT = 95.0  # seconds; registering logs in to the array


def storage_argument(command: Any) -> Any:
    """Decorator: the storage that a command is about."""
    return click.argument("storage", metavar="STORAGE", shell_complete=complete_storage)(command)


@click.group(cls=Group)
def storages() -> None:
    """Register, look at, sync and remove arrays.

    STORAGE is an id, a name or a serial number.
    """


storages.add_command(sync)


def register_options(command: Any) -> Any:
    """Decorator: what `register` and `validate` have in common."""
    for decorate in reversed(
        (
            click.argument("vendor"),
            click.argument("model"),
            registration.access_options,
            click.option("--name", help="Your name for the array."),
            click.option(
                "--label", multiple=True, metavar="KEY=VALUE", callback=registration.pairs, help="Label to set."
            ),
            click.option("--interval", metavar="TIME", help="Time between two syncs, such as 15min. [default: 15min]"),
        )
    ):
        command = decorate(command)
    return command


@storages.command()
@register_options
@click.option("--validate-only", is_flag=True, help="As `delphis storages validate`.")
@pass_settings
def register(settings: Settings, /, validate_only: bool, **given: Any) -> None:
    """Register the array of VENDOR and MODEL (see `delphis drivers list`) and start its first sync.

    Options win over --access. The password is asked for; a secret on the command line would be seen by every user of
    this machine, so secrets among a driver's attributes belong into the --access file.
    """
    send_registration(settings, given, validate_only=validate_only)


@storages.command()
@register_options
@pass_settings
def validate(settings: Settings, /, **given: Any) -> None:
    """Log in to an array and show what `register` would store; store nothing."""
    send_registration(settings, given, validate_only=True)


def send_registration(settings: Settings, given: dict[str, Any], *, validate_only: bool) -> None:
    vendor, model, name = given.pop("vendor"), given.pop("model"), given.pop("name")
    labels, interval = given.pop("label"), given.pop("interval")
    access: IO[str] | None = given.pop("access")
    if given["host"] is None and access is None:
        raise WrongSettings("missing --host (or --access)")
    registration.check_stdin(access, given["password_stdin"], settings.token_file)
    request = registration.from_file(access, inventory_pb2.RegisterStorageRequest())
    request.vendor, request.model = vendor, model
    registration.set_access(request, **given)
    if name is not None:
        request.storage_name = name
    request.labels.update(labels)
    if interval is not None:
        request.sync_interval.FromTimedelta(span(interval, "--interval"))
    request.validate_only = validate_only
    request.request_id = request.request_id or registration.new_request_id()
    with connected(settings) as connection:
        timeout = max(settings.timeout, LOGIN_TIMEOUT)
        storage = connection.call(inventory(connection).RegisterStorage, request, timeout=timeout)
    if not print_message(settings, storage):
        if validate_only:
            click.echo("Nothing was stored. The array says:")
        print_fields(fields_of(storage))


def span(text: str, option: str) -> datetime.timedelta:
    """A length of time given as an option."""
    from pathlib import Path

    from delphis.cli.documents import Reader

    value: Any = float(text) if text.replace(".", "", 1).isdecimal() else text
    return Reader(option, Path(), plain_secrets=False).span(value, "")


def sync_of(storage: storage_pb2.Storage) -> str:
    """The sync that runs, or else how the last one ended."""
    if storage.sync_status == storage_pb2.SYNC_STATUS_SYNCING:
        return "syncing"
    if storage.HasField("pause"):
        return "paused"
    return cells.text(storage, "sync_outcome")


LISTING = Listing(
    key="storages",
    message=storage_pb2.Storage,
    columns=("id", "name", "vendor", "model", "serial_number", "status", "sync", "total_capacity", "used_capacity"),
    computed={"name": name_of, "sync": sync_of},
)


@storages.command("list")
@list_options
@pass_settings
def list_storages(
    settings: Settings, expression: str, order_by: str, limit: int | None, everything: bool, columns: str | None
) -> None:
    """List the registered arrays."""
    LISTING.chosen(columns)
    wanted = limit_of(settings, limit, everything)
    request = inventory_pb2.ListStoragesRequest(filter=expression, order_by=order_by)
    with connected(settings) as connection:
        found: Any = pages(connection, inventory(connection).ListStorages, request, "storages", wanted)
        print_list(settings, LISTING, found, columns=columns, limit=limit)


@storages.command()
@storage_argument
@pass_settings
def show(settings: Settings, storage: str) -> None:
    """Show one array, and kind by kind how its last sync ended."""
    with connected(settings) as connection:
        stub, id_ = inventory(connection), storage_id(connection, storage)
        found = connection.call(stub.GetStorage, inventory_pb2.GetStorageRequest(storage_id=id_))
        if print_message(settings, found):
            return
        state = connection.call(stub.GetSyncState, inventory_pb2.GetSyncStateRequest(storage_id=id_))
    print_fields(fields_of(found))
    if state.HasField("next_sync_at"):
        print_fields([("Next sync", cells.moment(state.next_sync_at))])
    click.echo()
    print_kinds(list(state.kinds))


@storages.command()
@storage_argument
@click.option("--name", help="Your name for the array; an empty one removes it.")
@click.option("--label", multiple=True, metavar="KEY=VALUE", callback=registration.pairs, help="Label to set.")
@click.option("--unlabel", multiple=True, metavar="KEY", help="Label to remove.")
@click.option("--interval", metavar="TIME", help="Time between two syncs, such as 15min; `default` for the default.")
@pass_settings
def update(
    settings: Settings,
    storage: str,
    name: str | None,
    label: dict[str, str],
    unlabel: tuple[str, ...],
    interval: str | None,
) -> None:
    """Change an array's name, labels or sync interval; what is not given stays."""
    if name is None and not label and not unlabel and interval is None:
        raise WrongSettings("nothing to change: give --name, --label, --unlabel or --interval")

    def change(request: inventory_pb2.UpdateStorageRequest, current: storage_pb2.Storage) -> None:
        if name is not None:
            request.settings.display_name = name
            request.update_mask.paths.append("display_name")
        if label or unlabel:
            labels = {key: value for key, value in current.labels.items() if key not in unlabel} | label
            request.settings.labels.update(labels)
            request.update_mask.paths.append("labels")
        if interval is not None:
            if interval != "default":
                request.settings.sync_interval.FromTimedelta(span(interval, "--interval"))
            request.update_mask.paths.append("sync_interval")

    change_settings(settings, storage, change)


@storages.command()
@storage_argument
@click.option("--reason", help="Why, for those who find it paused.")
@click.option("--for", "time", metavar="TIME", help="When to go on by itself, such as 2h. [default: never]")
@pass_settings
def pause(settings: Settings, storage: str, reason: str | None, time: str | None) -> None:
    """Stop all automatic calls to an array until `resume`."""

    def change(request: inventory_pb2.UpdateStorageRequest, _: storage_pb2.Storage) -> None:
        wanted = request.settings.pause
        wanted.SetInParent()
        if reason is not None:
            wanted.reason = reason
        if time is not None:
            wanted.until.FromDatetime(datetime.datetime.now(datetime.UTC) + span(time, "--for"))
        request.update_mask.paths.append("pause")

    change_settings(settings, storage, change)


@storages.command()
@storage_argument
@pass_settings
def resume(settings: Settings, storage: str) -> None:
    """End a pause."""
    change_settings(settings, storage, lambda request, _: request.update_mask.paths.append("pause"))


Change = Callable[[inventory_pb2.UpdateStorageRequest, storage_pb2.Storage], None]


def change_settings(settings: Settings, storage: str, change: Change) -> None:
    with connected(settings) as connection:
        stub, id_ = inventory(connection), storage_id(connection, storage)
        current = connection.call(stub.GetStorage, inventory_pb2.GetStorageRequest(storage_id=id_))
        request = inventory_pb2.UpdateStorageRequest(storage_id=id_)
        change(request, current)
        changed = connection.call(stub.UpdateStorage, request)
    if not print_message(settings, changed):
        print_fields(fields_of(changed))


@storages.command()
@storage_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_settings
def remove(settings: Settings, storage: str, yes: bool) -> None:
    """Remove an array, its access info and its inventory from Delphis. The array itself is not touched."""
    if not yes and not sys.stdin.isatty():
        raise WrongSettings("no terminal to ask on: confirm with --yes")
    with connected(settings) as connection:
        stub, id_ = inventory(connection), storage_id(connection, storage)
        if not yes:
            found = connection.call(stub.GetStorage, inventory_pb2.GetStorageRequest(storage_id=id_))
            serial = cells.text(found, "serial_number")
            if not click.confirm(f"Remove {name_of(found)} (serial number {serial}) from the inventory?", err=True):
                raise Failure("nothing was removed")
        answer = connection.call(stub.DeleteStorage, inventory_pb2.DeleteStorageRequest(storage_id=id_))
    if not print_message(settings, answer):
        click.echo(f"Storage {id_} is removed.")


@storages.command()
@storage_argument
@pass_settings
def reconnect(settings: Settings, storage: str) -> None:
    """Let the driver drop its session with an array and log in anew."""
    from delphis.driver.v1 import storage_driver_pb2, storage_driver_pb2_grpc

    with connected(settings) as connection:
        id_ = storage_id(connection, storage)
        # The core serves the drivers' own methods too, and adds what is needed to reach the array.
        stub = storage_driver_pb2_grpc.StorageDriverStub(connection.channel)
        request = storage_driver_pb2.ResetConnectionRequest()
        request.target.storage_id = id_
        answer = connection.call(stub.ResetConnection, request, timeout=max(settings.timeout, LOGIN_TIMEOUT))
    if not print_message(settings, answer):
        click.echo(f"The session with storage {id_} is new.")


@storages.command()
@storage_argument
@pass_settings
def capabilities(settings: Settings, storage: str) -> None:
    """Ask an array what it can measure."""
    with connected(settings) as connection:
        request = inventory_pb2.GetStorageCapabilitiesRequest(storage_id=storage_id(connection, storage))
        answer = connection.call(inventory(connection).GetStorageCapabilities, request)
    if not print_message(settings, answer):
        from delphis.cli.output import to_yaml

        click.echo(to_yaml(cells.plain(answer)))


@storages.command("accept-serial")
@storage_argument
@click.argument("serial_number")
@pass_settings
def accept_serial(settings: Settings, storage: str, serial_number: str) -> None:
    """Take SERIAL_NUMBER, which the array now answers with, for the registered one. Its syncs go on."""
    with connected(settings) as connection:
        request = inventory_pb2.AcceptSerialRequest(
            storage_id=storage_id(connection, storage), serial_number=serial_number
        )
        changed = connection.call(inventory(connection).AcceptSerial, request)
    if not print_message(settings, changed):
        print_fields(fields_of(changed))


@storages.command("accept-removals")
@storage_argument
@click.option("--kind", default="", help="Only this kind, singular, such as volume. [default: all]")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_settings
def accept_removals(settings: Settings, storage: str, kind: str, yes: bool) -> None:
    """Remove from the inventory what a suspicious kind's last answer lacked."""
    if not yes and not sys.stdin.isatty():
        raise WrongSettings("no terminal to ask on: confirm with --yes")
    with connected(settings) as connection:
        id_ = storage_id(connection, storage)
        if not yes:
            ask_about_removals(connection, id_, kind)
        request = inventory_pb2.AcceptRemovalsRequest(storage_id=id_, kind=kind)
        state = connection.call(inventory(connection).AcceptRemovals, request)
    if not print_message(settings, state):
        print_kinds(list(state.kinds))


def ask_about_removals(connection: Connection, id_: str, kind: str) -> None:
    state = connection.call(inventory(connection).GetSyncState, inventory_pb2.GetSyncStateRequest(storage_id=id_))
    missing = [f"{each.missing} {each.kind}" for each in state.kinds if each.missing and kind in ("", each.kind)]
    if missing and not click.confirm(f"Remove {', '.join(missing)} from the inventory?", err=True):
        raise Failure("nothing was removed")


def fields_of(storage: storage_pb2.Storage) -> list[tuple[str, str]]:
    """What people want to know of an array."""
    fields = [
        ("ID", cells.text(storage, "id")),
        ("Name", name_of(storage)),
        ("Vendor, model", f"{cells.text(storage, 'vendor')}, {cells.text(storage, 'model')}"),
        ("Driver for", f"{cells.text(storage, 'driver_vendor')} {cells.text(storage, 'driver_model')}"),
        ("Serial number", cells.text(storage, "serial_number")),
        ("Firmware", cells.text(storage, "firmware_version")),
        ("Location", cells.text(storage, "location")),
        ("Status", cells.text(storage, "status")),
        ("Capacity", cells.text(storage, "total_capacity")),
        ("  used", cells.text(storage, "used_capacity")),
        ("  free", cells.text(storage, "free_capacity")),
        ("Raw capacity", cells.text(storage, "raw_capacity")),
        ("Registered", cells.text(storage, "created_at")),
        ("Sync", sync_of(storage)),
        ("Last complete sync", cells.text(storage, "last_success_at")),
    ]
    if storage.HasField("sync_interval"):
        fields.append(("Sync interval", cells.text(storage, "sync_interval")))
    if storage.sync_error:
        fields.append(("Why", storage.sync_error))
    if storage.pending_serial_number:
        fields.append(("Now answers with", f"{storage.pending_serial_number} (see accept-serial)"))
    if storage.HasField("pause"):
        until = f", until {cells.moment(storage.pause.until)}" if storage.pause.HasField("until") else ""
        fields.append(("Paused", (storage.pause.reason or "yes") + until))
    if storage.labels:
        fields.append(("Labels", ", ".join(f"{key}={value}" for key, value in sorted(storage.labels.items()))))
    return fields
