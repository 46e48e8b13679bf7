"""What the lists of resources are filtered and ordered by."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from sqlalchemy import ColumnElement, Table, bindparam, select, text

from services.inventory.kinds import KINDS, Kind
from services.inventory.schema.storages import storages
from services.inventory.storages.listing import STORAGES
from services.listing.spec import Bind, Field, ListSpec
from services.listing.values import enum_value, flag_value, integer_value, time_value
from services.store.columns import clean
from services.store.minting import seq_of
from services.store.sequence import STEP
from services.values import uuids

OF_STORAGE = "storage."
"""Begins the names of the storage's own fields."""
Scope = Literal["all", "one", "some"]
"""Of all storages; of one (parameter `storage_no`); of some (parameter `storage_nos`)."""
_REMOVED = select(storages.c.no).where(text("deleted_at > 0")).scalar_subquery()
"""Storages that are being removed: their rows are gone from all answers. As a rule there are none."""
_LIVE = storages.c.deleted_at == 0
_MOST = 2**63 - STEP


def shown(kind: Kind) -> ColumnElement[bool]:
    """The condition that the row's storage is not being removed."""
    return kind.table.c.storage_no.not_in(_REMOVED)


def _id_value(value: str) -> bytes:
    return uuids.parsed(value) or b""


def _created_value(value: str) -> int:
    """The first number of a row that was created then."""
    return max(-_MOST, min(time_value(value) * STEP, _MOST))


def _id_field(table: Table, column: ColumnElement[Any]) -> Field:
    """An id tells its row's number."""

    def compare(operator: str, *values: Bind) -> ColumnElement[bool]:
        if operator == "set":
            return table.c.seq != 0
        return (table.c.seq == values[1]) & (table.c.id == values[0])

    return Field(
        column, _id_value, type="id", compare=compare, binds=lambda id_: (id_, seq_of(id_) if len(id_) == 16 else 0)
    )


def _created_field(seq: ColumnElement[int]) -> Field:
    """Rows are numbered as they are created: a microsecond has `STEP` numbers."""

    def compare(operator: str, *values: Bind) -> ColumnElement[bool]:
        if operator == "set":
            return seq != 0
        first, last = values
        if operator == "=":
            return seq.between(first, last)
        return seq.bool_op(operator)(last if operator in {"<=", ">"} else first)

    return Field(seq, _created_value, type="time", compare=compare, binds=lambda value: (value, value + STEP - 1))


def _through_storage(table: Table, field: Field) -> Field:
    """A field of the storage."""

    def compare(operator: str, *values: Bind) -> ColumnElement[bool]:
        found = select(storages.c.no).where(_LIVE, field.condition(operator, *values))
        return table.c.storage_no.in_(found)

    return Field(
        field.column,
        field.parse,
        type=field.type,
        compare=compare,
        binds=field.binds,
        sortable=False,
        wild=field.wild,
    )


@cache
def list_of(kind_name: str, scope: Scope) -> ListSpec:
    """The list of a kind."""
    kind = KINDS[kind_name]
    table = kind.table
    id_field = _id_field(table, table.c.id)
    fields: dict[str, Field] = {
        # Ids of one array have its rows' numbers inside, behind the same prefix.
        "id": _id_field(table, table.c.seq) if scope == "one" else id_field,
        "created_at": _created_field(table.c.seq),
        "storage_id": _storage_field(table),
        "updated_at": Field(table.c.updated_at, time_value, type="time"),
        "missing": Field(table.c.missing, flag_value, type="flag"),
        "name": Field(table.c.name, clean),
        kind.native_field: Field(table.c.native_id, clean),
        **{f"{OF_STORAGE}{name}": _through_storage(table, field) for name, field in STORAGES.fields.items()},
    }
    for column in kind.columns:
        if column.type == "enum":
            fields[column.name] = Field(table.c[column.name], enum_value(column.numbers), type="enum")
        elif column.type == "number":
            fields[column.name] = Field(table.c[column.name], integer_value, type="number")
        else:
            fields[column.name] = Field(table.c[column.name], clean)
    where = shown(kind)
    if scope == "one":
        where = table.c.storage_no == bindparam("storage_no", required=True)
    elif scope == "some":
        where = table.c.storage_no.in_(bindparam("storage_nos", expanding=True, required=True))
    columns: tuple[ColumnElement[Any], ...] = (table.c.body,)
    if kind.name == "storage_host":
        columns = (table.c.body, table.c.storage_no, table.c.native_id)
    return ListSpec(
        name=kind.plural,
        source=table,
        key=table.c.seq,
        columns=columns,
        fields=fields,
        always=(where,),
        id=id_field,
        aliases=kind.aliases,
        maps={f"{OF_STORAGE}{name}": _through_storage(table, field) for name, field in STORAGES.maps.items()},
        map_key=STORAGES.map_key,
    )


def _storage_field(table: Table) -> Field:
    through = _through_storage(table, STORAGES.fields["id"])
    return Field(table.c.storage_no, through.parse, type="id", compare=through.compare)
