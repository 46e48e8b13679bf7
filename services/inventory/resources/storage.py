"""Storages, as far as lists of what they hold need them."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from services.inventory.schema.changes import change_positions
from services.inventory.schema.storages import storages
from services.inventory.storages.rows import not_found
from services.store.connection import Connection
from services.store.statement import statement
from services.values import uuids

_NUMBER = statement(select(storages.c.no).where(storages.c.id == bindparam("id"), storages.c.deleted_at == 0))
_KNOWN = statement(select(change_positions.c.storage_no).where(change_positions.c.storage_id == bindparam("id")))
_THERE = statement(select(storages.c.no).where(storages.c.no == bindparam("no"), storages.c.deleted_at == 0))


def number_of(connection: Connection, storage_id: str) -> int:
    """The storage's number; STORAGE_NOT_FOUND where none has the id."""
    id_ = uuids.parsed(storage_id)
    number: int | None = connection.value(_NUMBER, (id_,)) if id_ is not None else None
    if number is None:
        raise not_found(storage_id)
    return number


def known_number(connection: Connection, storage_id: str) -> int:
    """The same for a storage that was removed, as long as changes of it are kept."""
    id_ = uuids.parsed(storage_id)
    number: int | None = connection.value(_KNOWN, (id_,)) if id_ is not None else None
    return number_of(connection, storage_id) if number is None else number


def is_there(connection: Connection, number: int) -> bool:
    """Whether the storage was not removed."""
    return connection.one(_THERE, (number,)) is not None
