"""Walks from a resource to those it lies on and those that use it.

The contract gives each kind a layer between hosts and disks, and says which fields refer to other kinds. A reference is
walked down or up by the layers of its two ends, whichever end holds it: from a volume up to the masking views that name
it, and on up to the hosts that those name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from sqlalchemy import bindparam, select

from delphis.type.v1 import options_pb2
from services.inventory.kinds import KINDS, Kind, Reference
from services.inventory.schema import resources as tables
from services.store.connection import Connection
from services.store.minting import seq_of
from services.store.statement import Statement, statement

Way = Literal["down", "up"]
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Found:
    """A resource on the walk."""

    kind: str
    native_id: str
    id: bytes | None
    """None: the inventory has no resource with the native id."""
    name: str
    depth: int
    via: bytes | None
    """Id of the resource before it."""
    relation: str
    way: Way


@dataclass(frozen=True, slots=True)
class Start:
    """Where a walk begins."""

    kind: str
    native_id: str
    id: bytes
    storage_no: int


@dataclass(frozen=True, slots=True)
class _Edge:
    """A reference as seen from one of its ends."""

    reference: Reference
    holder: Kind
    other: Kind
    """The kind that the edge leads to."""
    held: bool
    """The end we stand at holds the reference."""


def start_at(connection: Connection, identity: bytes) -> Start | None:
    """The resource with an id, of whichever kind."""
    for kind in KINDS.values():
        row = connection.one(_by_id(kind.name), (seq_of(identity), identity))
        if row is not None:
            return Start(kind.name, row[0], identity, row[1])
    return None


def walk(connection: Connection, start: Start, way: Way, depth: int) -> Iterator[Found]:
    """All that is reached in at most `depth` steps, nearest first, each once."""
    seen = {(start.kind, start.native_id)}
    here: dict[str, dict[str, bytes | None]] = {start.kind: {start.native_id: start.id}}
    for step in range(1, depth + 1):
        reached: dict[str, dict[str, bytes | None]] = {}
        for kind, natives in here.items():
            for edge in _edges(kind, way):
                for found in _follow(connection, start.storage_no, edge, natives, step, way):
                    if (found.kind, found.native_id) in seen:
                        continue
                    seen.add((found.kind, found.native_id))
                    reached.setdefault(found.kind, {})[found.native_id] = found.id
                    yield found
        here = reached


def _follow(
    connection: Connection, storage_no: int, edge: _Edge, natives: dict[str, bytes | None], step: int, way: Way
) -> Iterator[Found]:
    relation = edge.reference.field
    for chunk in _chunks(list(natives)):
        pairs = connection.all(_pairs(edge.holder.name, relation, edge.held), _pair_values(edge, storage_no, chunk))
        # (native id we came from, native id we get to), in a stable order
        via = {target: natives[origin] for origin, target in reversed(pairs)}
        for targets in _chunks(list(dict.fromkeys(target for _, target in pairs))):
            rows = connection.all(_by_native(edge.other.name), {"storage_no": storage_no, "natives": targets})
            known = {row[0]: (row[1], row[2]) for row in rows}
            for target in targets:
                identity, name = known.get(target, (None, ""))
                yield Found(edge.other.name, target, identity, name, step, via[target], relation, way)


def _pair_values(edge: _Edge, storage_no: int, natives: Sequence[str]) -> dict[str, object]:
    values: dict[str, object] = {"storage_no": storage_no, "natives": natives}
    if edge.reference.repeated:
        values["relation"] = f"{edge.holder.name}.{edge.reference.field}"
    return values


@cache
def _layer(kind: str) -> int:
    layer: int = KINDS[kind].descriptor.GetOptions().Extensions[options_pb2.resource].layer
    return layer


@cache
def _edges(kind: str, way: Way) -> tuple[_Edge, ...]:
    """The references that lead from a kind in this way."""
    found: list[_Edge] = []
    for holder in KINDS.values():
        for reference in holder.references:
            if holder.name == kind and _leads(kind, reference.kind, way):
                found.append(_Edge(reference, holder, KINDS[reference.kind], held=True))
            if reference.kind == kind and _leads(kind, holder.name, way):
                found.append(_Edge(reference, holder, holder, held=False))
    return tuple(found)


def _leads(origin: str, target: str, way: Way) -> bool:
    return _layer(target) > _layer(origin) if way == "down" else _layer(target) < _layer(origin)


@cache
def _by_id(kind: str) -> Statement:
    table = KINDS[kind].table
    found = (table.c.seq == bindparam("seq"), table.c.id == bindparam("id"))
    return statement(select(table.c.native_id, table.c.storage_no).where(*found))


@cache
def _by_native(kind: str) -> Statement:
    table = KINDS[kind].table
    return statement(
        select(table.c.native_id, table.c.id, table.c.name)
        .where(table.c.storage_no == bindparam("storage_no"))
        .where(table.c.native_id.in_(bindparam("natives", expanding=True)))
    )


@cache
def _pairs(holder: str, field: str, held: bool) -> Statement:
    """(where we stand, where it leads) for a reference; `held`: we stand at the end that holds it."""
    reference = next(found for found in KINDS[holder].references if found.field == field)
    if reference.repeated:
        table = tables.members
        own, other = table.c.native_id, table.c.member
    else:
        table = KINDS[holder].table
        own, other = table.c.native_id, table.c[field]
    origin, target = (own, other) if held else (other, own)
    query = (
        select(origin, target)
        .where(table.c.storage_no == bindparam("storage_no"))
        .where(origin.in_(bindparam("natives", expanding=True)))
        .where(target != "")
    )
    if reference.repeated:
        query = query.where(table.c.relation == bindparam("relation"))
    return statement(query.order_by(target))


def _chunks(items: Sequence[str]) -> Iterable[Sequence[str]]:
    return (items[at : at + _CHUNK] for at in range(0, len(items), _CHUNK))
