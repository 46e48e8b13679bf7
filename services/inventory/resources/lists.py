"""What the lists of resources are filtered and ordered by, and what that costs."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, bindparam, select, text

from services.inventory import uuids
from services.inventory.kinds import KINDS, Kind
from services.inventory.listing.page import KEY, Listing
from services.inventory.listing.spec import Field, ListSpec, enum_value, time_value
from services.inventory.sync.body import seq_of
from services.inventory.sync.rows import clean
from services.store.schema.storages import storages
from services.store.sequence import STEP
from services.store.statement import statement

CHEAP_SKIP = 1000

_REMOVED = select(storages.c.no).where(text("deleted_at > 0")).scalar_subquery()
"""Storages that are being removed: their rows are gone from all answers. As a rule there are none."""


def _id_value(value: str) -> bytes:
    return uuids.parsed(value) or b""


def _seek(id_: bytes) -> int:
    return seq_of(id_) if id_ else 0


def _created_value(value: str) -> int:
    return time_value(value) * STEP


def shown(kind: Kind) -> ColumnElement[bool]:
    """The condition that the row's storage is not being removed."""
    return kind.table.c.storage_no.not_in(_REMOVED)


LIVE = statement(select(storages.c.no).where(storages.c.deleted_at == 0))
"""Numbers of the storages that are not being removed."""
_IN_LIVE = select(storages.c.no).where(storages.c.deleted_at == 0).scalar_subquery()


@cache
def list_of(kind_name: str, scoped: bool, each: bool = False) -> ListSpec:
    """The list of a kind: of one storage (parameter `storage_no`), or of all, `each` sought in turn."""
    kind = KINDS[kind_name]
    table = kind.table
    seq = table.c.seq
    fields: dict[str, Field] = {
        # Rows are numbered as they are created; ids of one array have its numbers inside.
        "created_at": Field(seq, _created_value, lambda value: seq.between(value, value + (STEP - 1))),
        "id": Field(seq if scoped else table.c.id, _id_value, lambda value: table.c.id == value, seek=_seek),
        "storage_id": Field(
            table.c.storage_no,
            _id_value,
            lambda value: (
                table.c.storage_no
                == select(storages.c.no).where(storages.c.id == value, storages.c.deleted_at == 0).scalar_subquery()
            ),
        ),
        "updated_at": Field(table.c.updated_at, time_value),
        "name": Field(table.c.name, clean),
        kind.native_field: Field(table.c.native_id, clean),
    }
    for column in kind.columns:
        parse: Any = enum_value(column.numbers) if column.type == "enum" else clean
        fields[column.name] = Field(table.c[column.name], parse)
    for alias, name in kind.aliases.items():
        fields[alias] = fields[name]
    where = shown(kind)
    if scoped:
        where = table.c.storage_no == bindparam("storage_no")
    elif each:
        where = table.c.storage_no.in_(_IN_LIVE)
    columns: tuple[ColumnElement[Any], ...] = (table.c.body,)
    if kind.name == "storage_host":
        columns = (table.c.body, table.c.storage_no, table.c.native_id)
    return ListSpec(
        name=kind.plural,
        source=table,
        key=seq,
        columns=columns,
        fields=fields,
        always=(where,),
        id=Field(table.c.id, _id_value, seek=_seek),
    )


def is_cheap(kind: Kind, listing: Listing, *, scoped: bool) -> bool:
    """Whether the page is a walk along an index, so that it may be read in the event loop."""
    if listing.request.skip > CHEAP_SKIP:
        return False
    unique = {"id", "created_at"}
    leading = {column.name for column in kind.columns if column.leading}
    if scoped:
        unique |= {kind.native_field, *(("wwn",) if "wwn" in kind.table.c else ())}
    fields = {kind.aliases.get(name, name) for name in listing.fields}
    if fields & unique:
        return True
    first = kind.aliases.get(listing.order[0].field, listing.order[0].field)
    alone = len({key.descending for key in listing.order}) == 1 and len(listing.order) <= 2
    if not fields:
        along = _in_order(kind) if scoped else set()
        return alone and (first == KEY or first in along)
    # One reference of one array, in order of creation: the index has it in that order.
    return scoped and len(fields) == 1 and fields <= leading & _in_order(kind) and first == KEY


def _in_order(kind: Kind) -> set[str]:
    """The fields whose index has an array's rows in their order, and equal ones in order of creation."""
    alone = {column.name for column in kind.columns if column.leading and not kind.table.c[column.name].info["index"]}
    return alone | {"name", kind.native_field}


def is_sought_in_each(kind: Kind, listing: Listing) -> bool:
    """Whether an index that begins with the array finds the few rows of all arrays that are compared."""
    fields = set(listing.fields)
    return bool({"name", "wwn", kind.native_field} & fields) and "id" not in fields


def is_merged(kind: Kind, listing: Listing) -> bool:
    """Whether each array's rows have the order in an index, so that a list of all arrays is theirs, merged."""
    first = kind.aliases.get(listing.order[0].field, listing.order[0].field)
    return (
        not listing.fields
        and len(listing.order) == 2
        and first in _in_order(kind)
        and len({key.descending for key in listing.order}) == 1
        and listing.request.skip <= CHEAP_SKIP
    )
