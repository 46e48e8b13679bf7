"""`delphis access`: how arrays are reached."""

from __future__ import annotations

from typing import IO, Any

import click

from delphis.cli import cells, registration
from delphis.cli.connection import connected, pages
from delphis.cli.failures import WrongSettings
from delphis.cli.names import complete_storage, inventory, storage_id
from delphis.cli.options import Group, pass_settings
from delphis.cli.output import Listing, limit_of, print_list, print_message, to_yaml
from delphis.cli.settings import Settings
from delphis.inventory.v1 import inventory_pb2
from delphis.type.v1 import access_pb2

LOGIN_TIMEOUT = 95.0  # seconds; the array must answer to the new access info
_BLOCKS = ("rest", "ssh", "cli", "smis")


def reached(access: access_pb2.AccessInfo) -> str:
    """Protocols, users, hosts and ports."""
    found = []
    for name in _BLOCKS:
        if access.HasField(name):  # type: ignore[arg-type]
            block = getattr(access, name)
            user = f"{block.username}@" if block.username else ""
            port = f":{block.port}" if block.HasField("port") else ""
            found.append(f"{name} {user}{block.host}{port}")
    return ", ".join(found) or "-"


LISTING = Listing(
    key="access_infos",
    message=access_pb2.AccessInfo,
    columns=("storage_id", "storage_name", "vendor", "model", "reached_by", "revision", "updated_at"),
    computed={"reached_by": reached},
)


@click.group(cls=Group)
def access() -> None:
    """Show and change how arrays are reached. Secrets are never shown."""


@access.command("list")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Items to print. [default for tables: 1000]")
@click.option("--all", "everything", is_flag=True, help="Print all items. [default but for tables]")
@click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas.")
@pass_settings
def list_access(settings: Settings, limit: int | None, everything: bool, columns: str | None) -> None:
    """List how all arrays are reached."""
    LISTING.chosen(columns)
    wanted = limit_of(settings, limit, everything)
    with connected(settings) as connection:
        found: Any = pages(
            connection, inventory(connection).ListAccessInfos, inventory_pb2.ListAccessInfosRequest(),
            "access_infos", wanted,
        )  # fmt: skip
        print_list(settings, LISTING, found, columns=columns, limit=limit)


@access.command()
@click.argument("storage", metavar="STORAGE", shell_complete=complete_storage)
@pass_settings
def show(settings: Settings, storage: str) -> None:
    """Show how one array is reached."""
    with connected(settings) as connection:
        request = inventory_pb2.GetAccessInfoRequest(storage_id=storage_id(connection, storage))
        found = connection.call(inventory(connection).GetAccessInfo, request)
    print_access(settings, found)


@access.command()
@click.argument("storage", metavar="STORAGE", shell_complete=complete_storage)
@registration.access_options
@pass_settings
def update(settings: Settings, /, storage: str, **given: Any) -> None:
    """Change how an array is reached, once the array itself has answered to it.

    What is changed of a protocol by options is changed beside what stays; --access gives all of a protocol anew. The
    password is needed again.
    """
    file: IO[str] | None = given.pop("access")
    changed = [name for name, value in given.items() if value and name != "protocol"]
    if file is None and not changed:
        raise WrongSettings("nothing to change: give --host, --port, --username, --password-stdin or --access")
    registration.check_stdin(file, given["password_stdin"], settings.token_file)
    request = registration.from_file(file, inventory_pb2.UpdateAccessInfoRequest())
    with connected(settings) as connection:
        request.storage_id = storage_id(connection, storage)
        if set(changed) - {"extra"}:
            keep_others(
                request,
                given["protocol"],
                connection.call(
                    inventory(connection).GetAccessInfo,
                    inventory_pb2.GetAccessInfoRequest(storage_id=request.storage_id),
                ),
            )
        registration.set_access(request, **given)
        if {"array_tls", "array_ca", "array_pin"} & set(changed):
            ask_password(request, given["protocol"])
        timeout = max(settings.timeout, LOGIN_TIMEOUT)
        updated = connection.call(inventory(connection).UpdateAccessInfo, request, timeout=timeout)
    print_access(settings, updated)


def keep_others(request: inventory_pb2.UpdateAccessInfoRequest, protocol: str, current: access_pb2.AccessInfo) -> None:
    """Takes over the fields of the protocol that options leave alone; a block that is sent replaces all of it."""
    if not request.HasField(protocol) and current.HasField(protocol):  # type: ignore[arg-type]
        getattr(request, protocol).CopyFrom(getattr(current, protocol))


def ask_password(request: inventory_pb2.UpdateAccessInfoRequest, protocol: str) -> None:
    block = registration.block_of(request, protocol)
    if not block.password and (secret := registration.password(block.username or None, from_stdin=False)):
        block.password = secret


def print_access(settings: Settings, found: access_pb2.AccessInfo) -> None:
    if not print_message(settings, found):
        click.echo(to_yaml({key: value for key, value in cells.plain(found).items() if value not in ({}, [])}))
