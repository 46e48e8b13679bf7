"""Storages, as far as lists of what they hold need them."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from services.calls.errors import CallError
from services.inventory import uuids
from services.store.connection import Connection
from services.store.schema.storages import storages
from services.store.statement import statement

_NUMBER = statement(select(storages.c.no).where(storages.c.id == bindparam("id"), storages.c.deleted_at == 0))


def number_of(connection: Connection, storage_id: str) -> int:
    """The storage's number; STORAGE_NOT_FOUND where none has the id."""
    id_ = uuids.parsed(storage_id)
    number: int | None = connection.value(_NUMBER, (id_,)) if id_ is not None else None
    if number is None:
        shown = storage_id[:80]
        raise CallError("STORAGE_NOT_FOUND", f"No storage has the id {shown!r}.", metadata={"storage_id": shown})
    return number
