"""Storages by the names that people give them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import click
import grpc
from click.shell_completion import CompletionItem

from delphis.cli.connection import Connection, connected, pages
from delphis.cli.failures import Failure, Missing, WrongSettings
from delphis.cli.options import given
from delphis.cli.settings import resolve
from delphis.inventory.v1 import inventory_pb2, inventory_pb2_grpc
from delphis.type.v1 import storage_pb2

# In this order: what an operator called it counts before what it calls itself.
_NAMES = ("display_name", "name", "serial_number")
_COMPLETION_TIMEOUT = 2.0  # seconds; somebody waits behind the Tab key


def inventory(connection: Connection) -> inventory_pb2_grpc.InventoryServiceStub:
    """The inventory's methods."""
    return inventory_pb2_grpc.InventoryServiceStub(connection.channel)


def quoted(text: str) -> str:
    """The text as a value in a filter, where a bare `*` would be any text."""
    return '"' + "".join(f"\\{letter}" if letter in '\\"*' else letter for letter in text) + '"'


def name_of(storage: storage_pb2.Storage) -> str:
    """What the operator, or else the array, calls it."""
    return storage.display_name or storage.name or "-"


def is_id(text: str) -> bool:
    """Whether it has the form of an id."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def storage_id(connection: Connection, name_or_id: str) -> str:
    """The id of the storage that is meant.

    Raises:
        Missing: no storage has the name.
        WrongSettings: several have it.
    """
    if is_id(name_or_id):
        return name_or_id.lower()
    for field in _NAMES:
        request = inventory_pb2.ListStoragesRequest(filter=f"{field} = {quoted(name_or_id)}", page_size=10)
        found = connection.call(inventory(connection).ListStorages, request).storages
        if len(found) > 1:
            ids = ", ".join(storage.id for storage in found)
            raise WrongSettings(f"several storages have the {field} {name_or_id!r}; give one of their ids: {ids}")
        if found:
            return found[0].id
    raise Missing(
        f"no storage has the id, name or serial number {name_or_id!r}",
        hint="delphis storages list",
        reason="STORAGE_NOT_FOUND",
    )


def all_storages(connection: Connection, expression: str = "") -> Iterator[storage_pb2.Storage]:
    """The storages that fit."""
    request = inventory_pb2.ListStoragesRequest(filter=expression)
    for page, _ in pages(connection, inventory(connection).ListStorages, request, "storages"):
        for storage in page:
            assert isinstance(storage, storage_pb2.Storage)
            yield storage


def complete_storage(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of storages for the shell; nothing where the server does not say them at once."""
    try:
        settings = resolve({**given(ctx), "timeout": _COMPLETION_TIMEOUT})
        with connected(settings) as connection:
            page = connection.call(
                inventory(connection).ListStorages, inventory_pb2.ListStoragesRequest(page_size=1000)
            )
    except (Failure, grpc.RpcError, OSError):
        return []
    return [
        CompletionItem(name, help=f"{storage.vendor} {storage.model}")
        for storage in page.storages
        for name in (name_of(storage), storage.id)
        if name.startswith(incomplete) and (incomplete or name != storage.id)
    ]
