"""By which index an array's rows are found that a filter wants, and whether the index has them in the list's order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from services.inventory.kinds import Kind
from services.listing.conditions import RANGES, Condition, Term
from services.listing.order import Key
from services.listing.page import KEY

_CREATED = "created_at"


class Access(NamedTuple):
    """How the rows are found."""

    found_by: tuple[Term, ...]
    """The terms that an index answers; without one all of the array's rows are read."""
    served: bool
    """The index has the rows in the list's order and no others: reading a page reads nothing more."""
    each: str = ""
    """It is so for each value of this field."""


@cache
def indexes_of(kind: Kind) -> tuple[tuple[str, ...], ...]:
    """The fields of each index, behind the storage and before the order of creation."""
    names = {"native_id": kind.native_field}
    found: dict[tuple[str, ...], None] = {}
    for index in kind.table.indexes:
        columns = [column.name for column in index.columns if column.name not in {"storage_no", "seq"}]
        found[tuple(names.get(name, name) for name in columns)] = None
    return tuple(sorted(columns for columns in found if columns))


@cache
def ordered_fields(kind: Kind) -> frozenset[str]:
    """The fields that an index has in order, and equal ones in order of creation."""
    return frozenset({columns[0] for columns in indexes_of(kind) if len(columns) == 1} | {"storage_id"})


def access_of(kind: Kind, parts: Sequence[Condition], order: Sequence[Key]) -> Access:
    """How rows are found of which all `parts` hold."""
    created = order[0].field == KEY
    one_way = len(order) <= 2 and len({key.descending for key in order}) == 1
    if created:
        # What narrows the time of creation narrows every walk in that order.
        parts = [part for part in parts if not _is_range(part, _CREATED)]
    if not parts:
        return Access((), served=created or (one_way and order[0].field in ordered_fields(kind)))
    equal = {part.field: part for part in parts if isinstance(part, Term) and part.operator == "="}
    best = Access((), served=False)
    for columns in indexes_of(kind):
        found = [equal[name] for name in columns if name in equal]
        missing = [name for name in columns if name not in equal]
        leads = columns[0] in equal
        if leads and len(found) > len(best.found_by):
            whole = len(found) == len(parts) and created and len(missing) < 2
            best = Access(tuple(found), served=whole, each=missing[0] if missing and whole else "")
        elif found and not best.found_by and not best.each and len(missing) == 1 and len(found) == len(parts):
            best = Access((), served=created, each=missing[0] if created else "")
    if best.found_by or best.each:
        return best
    for columns in indexes_of(kind):
        ranges = tuple(part for part in parts if isinstance(part, Term) and _is_range(part, columns[0]))
        if ranges:
            along = one_way and len(columns) == 1 and order[0].field == columns[0] and len(ranges) == len(parts)
            return Access(ranges, served=along)
    return best


def _is_range(part: Condition, field: str) -> bool:
    return isinstance(part, Term) and part.field == field and (part.operator in RANGES or field == _CREATED)
