"""The arrays that a list of all of them is about, and what their indexes have."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from sqlalchemy import bindparam, select

from services.inventory.kinds import Kind
from services.inventory.resources.access import Access
from services.inventory.resources.lists import OF_STORAGE, list_of
from services.inventory.schema.storages import kind_states, storages
from services.inventory.storages.listing import STORAGES
from services.listing.conditions import (
    Both,
    Condition,
    Negated,
    Shape,
    Term,
    clause_of,
    joined,
    shape_of,
    terms_of,
)
from services.listing.page import written
from services.store.connection import Connection
from services.store.statement import Statement, statement

MAX_VALUES = 64
"""Values of a field that an index is walked for one by one."""


def is_of_storage(condition: Condition) -> bool:
    """Whether the condition says something of the storage alone."""
    return all(term.field == "storage_id" or term.field.startswith(OF_STORAGE) for term in terms_of(condition))


def arrays_of(connection: Connection, kind: Kind, conditions: tuple[Condition, ...]) -> dict[int, int]:
    """How many rows of the kind each storage has, by its number: of the storages that have some."""
    values: list[Any] = []
    shape = shape_of(joined(tuple(map(_of_storages, conditions))), values)
    parameters = {**written(values, connection.dialect), "kind": kind.name}
    return {row[0]: row[1] for row in connection.all(_arrays(shape), parameters)}


def _of_storages(condition: Condition) -> Condition:
    """The condition in the names that the list of storages has."""
    if isinstance(condition, Term):
        name = "id" if condition.field == "storage_id" else condition.field.removeprefix(OF_STORAGE)
        return condition._replace(field=name)
    if isinstance(condition, Negated):
        return Negated(_of_storages(condition.part))
    return type(condition)(tuple(map(_of_storages, condition.parts)))


@lru_cache(maxsize=256)
def _arrays(shape: Shape) -> Statement:
    clause = clause_of(shape, STORAGES)
    found = (
        select(kind_states.c.storage_no, kind_states.c.total)
        .select_from(storages.join(kind_states, kind_states.c.storage_no == storages.c.no))
        .where(*STORAGES.always, kind_states.c.kind == bindparam("kind", required=True), kind_states.c.total > 0)
    )
    if clause is not None:
        found = found.where(clause)
    return statement(found.order_by(kind_states.c.storage_no))


def values_of(connection: Connection, kind: Kind, storage_no: int, access: Access) -> list[Any] | None:
    """The values of the field that `access` walks for each; None where they are too many."""
    values: list[Any] = []
    shape = shape_of(Both(access.found_by), values)
    parameters = {**written(values, connection.dialect), "storage_no": storage_no}
    found: list[Any] = []
    row = connection.one(_value(kind.name, access.each, shape, later=False), parameters)
    following = _value(kind.name, access.each, shape, later=True)
    while row is not None:
        found.append(row[0])
        if len(found) > MAX_VALUES:
            return None
        row = connection.one(following, {**parameters, "last": row[0]})
    return found


@cache
def _value(kind: str, field: str, shape: Shape, *, later: bool) -> Statement:
    """The field's least value, or the least that is greater than `last`: one seek in an index."""
    spec = list_of(kind, "one")
    column = spec.named(field).column
    clause = clause_of(shape, spec)
    found = select(column).where(*spec.always)
    if clause is not None:
        found = found.where(clause)
    if later:
        found = found.where(column > bindparam("last", required=True))
    return statement(found.order_by(column).limit(1))
