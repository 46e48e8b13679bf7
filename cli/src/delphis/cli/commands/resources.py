"""`delphis volumes`, `delphis disks` and so on: one pair of commands, made for each kind from the table of kinds."""

from __future__ import annotations

from typing import Any

import click
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from delphis.cli import cells
from delphis.cli.connection import Connection, connected, pages
from delphis.cli.kinds import BY_COMMAND, Kind
from delphis.cli.names import complete_storage, storage_id
from delphis.cli.options import Group, pass_settings
from delphis.cli.output import Listing, limit_of, print_list, print_message
from delphis.cli.settings import Settings
from delphis.cli.tables import print_fields
from delphis.inventory.v1 import resource_pb2, resource_pb2_grpc
from delphis.type.v1 import options_pb2

_SERVICE = resource_pb2.DESCRIPTOR.services_by_name["ResourceService"]


def list_options(command: Any) -> Any:
    """Decorator: the options that all lists have."""
    for option in reversed(
        (
            click.option("--filter", "expression", default="", metavar="EXPRESSION", help="Such as 'status = normal'."),
            click.option("--order-by", default="", metavar="FIELDS", help="Such as 'name' or 'created_at desc'."),
            click.option(
                "--limit", type=click.IntRange(1), metavar="N", help="Items to print. [default for tables: 1000]"
            ),
            click.option("--all", "everything", is_flag=True, help="Print all items. [default but for tables]"),
            click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas: id,name,status."),
        )
    ):
        command = option(command)
    return command


def group_of(name: str) -> Group:
    """The commands of one kind."""
    kind = BY_COMMAND[name]
    group = Group(name, help=kind.help)
    group.command("list", help=f"List {kind.plural}, as of the last sync.")(_list_command(kind))
    group.command("show", help=f"Show one of the {kind.plural}: all that is known of it.")(_show_command(kind))
    return group


def _list_command(kind: Kind) -> Any:
    @click.option(
        "--storage", metavar="NAME_OR_ID", shell_complete=complete_storage, help="Only those of this storage."
    )
    @list_options
    @pass_settings
    def list_resources(
        settings: Settings,
        storage: str | None,
        expression: str,
        order_by: str,
        limit: int | None,
        everything: bool,
        columns: str | None,
    ) -> None:
        method, key, message = _list_method(kind)
        shown = ("id", "name", *kind.columns, *(() if storage else ("storage_id",)))
        listing = Listing(key=key, message=message, columns=shown)
        listing.chosen(columns)
        wanted = limit_of(settings, limit, everything)
        request = _request(method)(filter=expression, order_by=order_by)
        with connected(settings) as connection:
            if storage is not None:
                request.storage_id = storage_id(connection, storage)  # type: ignore[attr-defined]
            found = pages(connection, _stub(connection, method), request, key, wanted)
            print_list(settings, listing, found, columns=columns, limit=limit)

    return list_resources


def _show_command(kind: Kind) -> Any:
    @click.argument("resource_id", metavar="ID")
    @pass_settings
    def show_resource(settings: Settings, resource_id: str) -> None:
        method = f"Get{kind.message}"
        with connected(settings) as connection:
            resource = connection.call(_stub(connection, method), _request(method)(id=resource_id))
        if not print_message(settings, resource):
            print_fields(fields_of(resource))

    return show_resource


def fields_of(message: Message) -> list[tuple[str, str]]:
    """All that is set, sizes also exactly."""
    found: list[tuple[str, str]] = []
    for field in message.DESCRIPTOR.fields:
        name = field.name.replace("_", " ").capitalize()
        value = getattr(message, field.name)
        if cells.is_secret(field) or (field.has_presence and not message.HasField(field.name)):
            continue
        if cells.is_map(field):
            found += [(f"{name}: {key}", str(item)) for key, item in sorted(value.items())]
        elif cells.is_repeated(field):
            if value:
                found.append((name, ", ".join(str(item) for item in value)))
        elif unit := cells.unit_of(field):
            shown = cells.text(message, field.name)
            exact = f"{value:,} {unit}"
            found.append((name, shown if shown == exact else f"{shown} ({exact})"))
        else:
            found.append((name, cells.text(message, field.name)))
    core = {"Id": 0, "Storage id": 1}
    return sorted(found, key=lambda pair: core.get(pair[0], 2))


def _stub(connection: Connection, method: str) -> Any:
    return getattr(resource_pb2_grpc.ResourceServiceStub(connection.channel), method)


def _request(method: str) -> type[Message]:
    return GetMessageClass(_SERVICE.methods_by_name[method].input_type)


def _list_method(kind: Kind) -> tuple[str, str, type[Message]]:
    """Name of the method that lists the kind, name of the list in its answer, and what is in it."""
    shown: Descriptor = _SERVICE.methods_by_name[f"Get{kind.message}"].output_type
    options: Any = shown.GetOptions()
    key: str = options.Extensions[options_pb2.resource].plural
    method = "List" + "".join(word.capitalize() for word in key.split("_"))
    field: FieldDescriptor = _SERVICE.methods_by_name[method].output_type.fields_by_name[key]
    return method, key, GetMessageClass(field.message_type)  # type: ignore[arg-type]
