"""A page of alerts: put together from walks along indexes, or read row by row where the rows are not too many.

Each index begins with the state and ends with the time of the last report, by which alerts are listed. Where the filter
names no state both are walked, and merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from sqlalchemy import Integer, bindparam, func, literal_column, select

from delphis.alert.v1 import alert_pb2 as pb
from services.alerts.api.listing import INDEXED, LABELLED, LABELS, list_by
from services.calls.errors import CallError
from services.listing.conditions import (
    EVERYTHING,
    RANGES,
    Condition,
    Shape,
    Term,
    alternatives,
    clause_of,
    conjuncts,
    joined,
    shape_of,
)
from services.listing.merging import Part, merged_page
from services.listing.page import Listing, Page, written
from services.listing.spec import ListSpec
from services.store.connection import Connection
from services.store.statement import Statement, statement

MAX_READ = 200_000
"""Alerts that are read for one page where no index has its filter and its order."""
_GLANCES = (1_000, 20_000)
"""Counting so far shows a way that finds few rows; counting all of another may take longer than the page."""
MAX_STORAGES = 500
"""Storages with a label that are walked one by one."""
_STATES = (pb.ALERT_STATE_OPEN, pb.ALERT_STATE_CLEARED)
_TIME = "last_raised_at"

Conditions = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class _Way:
    """How the rows of a conjunction are found: by a field's index, for each value; "" is the index of the state."""

    field: str
    values: tuple[object, ...]
    states: tuple[object, ...]
    others: Conditions
    """What else must hold."""
    served: bool
    """The index has it all."""

    def found_by(self) -> list[Condition]:
        """What the index is walked for, walk by walk."""
        if self.field == "id":
            return [EVERYTHING]
        states = [Term("state", "=", (state,)) for state in self.states]
        if not self.field:
            return list(states)
        return [joined((state, Term(self.field, "=", (value,)))) for state in states for value in self.values]

    def walks(self) -> list[Condition]:
        """The conjunction, walk by walk."""
        return [joined((*conjuncts(found), *self.others)) for found in self.found_by()]


def page_of(connection: Connection, wanted: Listing) -> Page:
    """The page, with the total where it is asked for.

    Raises:
        CallError: QUERY_TOO_BROAD: too many rows would have to be read.
        UnknownMarker: `after:ID` names no alert.
    """
    if any(_is_equal(part, "id") for part in conjuncts(wanted.condition)):
        return wanted.run(connection)
    ways = _ways(connection, wanted)
    walks: list[Part] = [
        (wanted.narrowed(list_by(way.field), condition), {}) for way in ways for condition in way.walks()
    ]
    page = merged_page(connection, wanted, walks) if walks else Page([], "")
    if not wanted.request.include_total:
        return page
    return replace(page, total=_total(connection, wanted, ways, walks))


def _total(connection: Connection, wanted: Listing, ways: Sequence[_Way], walks: Sequence[Part]) -> int:
    if len(ways) > 1:  # an alert may be in several
        return wanted.total(connection, {})
    return sum(walk.total(connection, {}) for walk, _ in walks)


def _ways(connection: Connection, wanted: Listing) -> list[_Way]:
    in_order = len(wanted.order) == 2 and wanted.order[0].field == _TIME
    in_order = in_order and wanted.order[0].descending == wanted.order[1].descending
    found: list[_Way] = []
    room = MAX_READ
    for parts in alternatives(wanted.condition):
        candidates = _candidates(connection, parts)
        best = next((way for way in candidates if way.served), None)
        if best is None or not (in_order or best.field == "id"):
            rows, best = _least(connection, wanted, candidates, room)
            room -= rows
            if room < 0:
                raise _too_broad()
        found.append(best)
    return found


def _least(connection: Connection, wanted: Listing, candidates: list[_Way], room: int) -> tuple[int, _Way]:
    """The way that finds the fewest rows, and how many; a little more than `room` stands for any number beyond."""
    rows, place = room + 1, 0
    for most in (*(bound for bound in _GLANCES if bound < room), room):
        counted = [(_found(connection, wanted, way, most), place) for place, way in enumerate(candidates)]
        rows, place = min(counted)
        if rows <= most:
            break
    return rows, candidates[place]


def _found(connection: Connection, wanted: Listing, way: _Way, most: int) -> int:
    """How many rows a way finds; a little more than `most` stands for any number beyond."""
    rows = 0
    for condition in way.found_by():
        if rows > most:
            break
        rows += _count(connection, wanted.narrowed(list_by(way.field), condition), most + 1 - rows)
    return rows


def _candidates(connection: Connection, parts: Conditions) -> list[_Way]:
    """The ways to find the rows for which all parts hold."""
    if any(_is_equal(part, "id") for part in parts):
        return [_Way("id", (), (), parts, served=True)]
    states: tuple[object, ...] = _STATES
    by_state: Conditions = ()
    for part in parts:
        if isinstance(part, Term) and _is_equal(part, "state"):
            states, by_state = part.values, (part,)
    ways: list[_Way] = []
    for field in INDEXED:
        term = next((part for part in parts if _is_equal(part, field)), None)
        if isinstance(term, Term):
            ways.append(_way(parts, field, term.values, states, (*by_state, term)))
    labels = tuple(part for part in parts if _is_label(part))
    if labels and not any(way.field == "storage_id" for way in ways):
        storages = _storages(connection, labels)
        if len(storages) <= MAX_STORAGES:
            ways.append(_way(parts, "storage_id", storages, states, (*by_state, *labels)))
    return [*ways, _way(parts, "", (), states, by_state)]


def _way(
    parts: Conditions, field: str, values: tuple[object, ...], states: tuple[object, ...], had: Conditions
) -> _Way:
    others = tuple(part for part in parts if part not in had)
    return _Way(field, values, states, others, served=all(map(_is_range, others)))


def _is_equal(part: Condition, *fields: str) -> bool:
    return isinstance(part, Term) and part.operator == "=" and part.field in fields


def _is_range(part: Condition) -> bool:
    return isinstance(part, Term) and part.field == _TIME and part.operator in RANGES


def _is_label(part: Condition) -> bool:
    return isinstance(part, Term) and part.field.partition(".")[0] == LABELS


def _storages(connection: Connection, labels: Conditions) -> tuple[object, ...]:
    """The storages that have the labels, one more than are walked at most."""
    values: list[object] = []
    shape = shape_of(joined(labels), values)
    rows = connection.all(_labelled_storages(shape), written(values, connection.dialect))
    return tuple(bytes(row[0]) for row in rows)


@cache
def _labelled_storages(shape: Shape) -> Statement:
    clause = clause_of(shape, LABELLED)
    assert clause is not None
    return statement(select(*LABELLED.columns).where(clause).limit(MAX_STORAGES + 1))


def _count(connection: Connection, wanted: Listing, most: int) -> int:
    parameters = {**written(wanted.values, connection.dialect), "most": most}
    count: int = connection.value(_bounded_count(wanted.spec, wanted.shape), parameters)
    return count


@cache
def _bounded_count(spec: ListSpec, shape: Shape) -> Statement:
    clause = clause_of(shape, spec)
    found = select(literal_column("1", Integer)).select_from(spec.source).limit(bindparam("most"))
    if clause is not None:
        found = found.where(clause)
    return statement(select(func.count()).select_from(found.subquery()))


def _too_broad() -> CallError:
    fields = ", ".join(INDEXED)
    return CallError(
        "QUERY_TOO_BROAD",
        f"This would read more than {MAX_READ:,} alerts, since no index has this filter and order. Compare one of"
        f" {fields} with = as well, or say state = open, or a label; or leave out order_by.",
        metadata={"rows": str(MAX_READ), "fields": fields},
    )
