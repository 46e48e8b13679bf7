"""Sinks in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.calls.errors import CallError, invalid
from services.store.columns import clean
from services.store.connection import Connection
from services.store.statement import sql, statement
from services.telemetry import journal
from services.telemetry.schema.sinks import sinks
from services.telemetry.sinks.settings import MAX_SINKS
from services.values import times, uuids
from services.vault.vault import key_id_of

CHANGED = "sinks"
"""What a store's `signals` call a commit that changes sinks."""
HISTORY = "history"
"""Name and id of the sink that is always there."""
MAX_GAPS = 20

_COLUMNS = (
    sinks.c.id,
    sinks.c.sink,
    sinks.c.secrets,
    sinks.c.position,
    sinks.c.delivered,
    sinks.c.refused,
    sinks.c.dropped,
    sinks.c.last_success_at,
    sinks.c.refusal,
    sinks.c.gaps,
    sinks.c.created_at,
    sinks.c.updated_at,
)
_ALL = statement(select(*_COLUMNS).order_by(sinks.c.name))
_ONE = statement(select(*_COLUMNS).where(sinks.c.id == bindparam("id")))
_NAMED = statement(select(sinks.c.id).where(sinks.c.name == bindparam("name")))
_COUNT = statement(select(func.count()).select_from(sinks))
_INSERT = statement(insert(sinks))
_UPDATE = statement(
    update(sinks)
    .where(sinks.c.id == bindparam("sink_id"))
    .values(
        name=bindparam("new_name"),
        sink=bindparam("new_sink"),
        secrets=bindparam("new_secrets"),
        updated_at=bindparam("at"),
    )
)
_DELETE = statement(delete(sinks).where(sinks.c.id == bindparam("id")))
_SECRETS = statement(select(sinks.c.secrets))
# What was given up meanwhile is not taken back.
_MOVE = (
    "UPDATE sinks SET position = {greatest}(position, :position), delivered = delivered + :delivered, "
    "refused = refused + :refused, last_success_at = {greatest}(last_success_at, :last_success_at), "
    "refusal = CASE WHEN :refusal = '' THEN refusal ELSE :refusal END WHERE id = :id"
)
_MOVED = sql(sqlite=_MOVE.format(greatest="MAX"), postgresql=_MOVE.format(greatest="GREATEST"))
_GIVE_UP = statement(
    update(sinks)
    .where(sinks.c.id == bindparam("sink_id"))
    .values(position=bindparam("to"), dropped=sinks.c.dropped + bindparam("points"), gaps=bindparam("new_gaps"))
)


@dataclass(frozen=True, slots=True)
class StoredSink:
    """A sink as it is stored."""

    id: bytes
    sink: pb.Sink
    """Without secrets, and without what the service sets."""
    sealed: bytes
    """The secrets, encrypted."""
    position: int
    delivered: int
    refused: int
    dropped: int
    last_success_at: int
    refusal: str
    gaps: bytes
    created_at: int
    updated_at: int

    def is_as(self, other: StoredSink) -> bool:
        """Whether both are the same but for how they do."""
        return (self.id, self.sink, self.sealed) == (other.id, other.sink, other.sealed)

    def takes(self, kind: str) -> bool:
        """Whether points of a kind go there."""
        return not self.sink.kinds or kind in self.sink.kinds

    def message(self) -> pb.Sink:
        """As callers see it, but for what is not in the store."""
        shown = pb.Sink()
        shown.CopyFrom(self.sink)
        shown.id = uuids.text(self.id)
        shown.created_at.FromMicroseconds(self.created_at)
        shown.updated_at.FromMicroseconds(self.updated_at)
        status = shown.status
        status.CopyFrom(pb.SinkStatus.FromString(self.gaps))
        status.delivered, status.refused, status.dropped = self.delivered, self.refused, self.dropped
        if self.last_success_at:
            status.last_success_at.FromMicroseconds(self.last_success_at)
        if self.refusal:
            status.refusal = self.refusal
        return shown


def load_all(connection: Connection) -> list[StoredSink]:
    """All sinks, by name."""
    return [_stored(row) for row in connection.all(_ALL)]


def load(connection: Connection, sink_id: str) -> StoredSink:
    """The sink, or SINK_NOT_FOUND."""
    row = connection.one(_ONE, {"id": uuids.parsed(sink_id) or b""})
    if row is None:
        raise CallError("SINK_NOT_FOUND", f"No sink has the id {sink_id[:100]}.", metadata={"id": sink_id[:100]})
    return _stored(row)


def add(connection: Connection, id_: bytes, sink: pb.Sink, sealed: bytes) -> StoredSink:
    """Stores a new sink, which gets what is collected from now on."""
    _check_name(connection, id_, sink.name)
    if connection.value(_COUNT) >= MAX_SINKS:
        raise invalid("sink", f"There are {MAX_SINKS} sinks, which is the most. Delete one.")
    now = times.now()
    values = {
        "id": id_,
        "name": sink.name,
        "sink": sink.SerializeToString(deterministic=True),
        "secrets": sealed,
        "position": journal.end(connection),
        "delivered": 0,
        "refused": 0,
        "dropped": 0,
        "last_success_at": 0,
        "refusal": "",
        "gaps": b"",
        "created_at": now,
        "updated_at": now,
    }
    connection.run(_INSERT, values)
    connection.signal(CHANGED)
    return load(connection, uuids.text(id_))


def replace(connection: Connection, id_: bytes, sink: pb.Sink, sealed: bytes) -> StoredSink:
    """Stores a changed sink; it goes on where it is. SINK_NOT_FOUND where it was removed meanwhile."""
    load(connection, uuids.text(id_))
    _check_name(connection, id_, sink.name)
    values = {
        "sink_id": id_,
        "new_name": sink.name,
        "new_sink": sink.SerializeToString(deterministic=True),
        "new_secrets": sealed,
        "at": times.now(),
    }
    connection.run(_UPDATE, values)
    connection.signal(CHANGED)
    return load(connection, uuids.text(id_))


def remove(connection: Connection, sink_id: str) -> None:
    """Removes a sink, or SINK_NOT_FOUND."""
    connection.run(_DELETE, {"id": load(connection, sink_id).id})
    connection.signal(CHANGED)


@dataclass(frozen=True, slots=True)
class Move:
    """How far a sink came."""

    position: int
    delivered: int = 0
    refused: int = 0
    last_success_at: int = 0
    refusal: str = ""


def move(connection: Connection, id_: bytes, step: Move) -> None:
    """Keeps how far a sink came."""
    values = {
        "id": id_,
        "position": step.position,
        "delivered": step.delivered,
        "refused": step.refused,
        "last_success_at": step.last_success_at,
        "refusal": clean(step.refusal),
    }
    connection.run(_MOVED, values)


def give_up(connection: Connection, sink: StoredSink, position: int, points: int, gaps: bytes) -> None:
    """Keeps that a sink does not get what lies up to a position."""
    connection.run(_GIVE_UP, {"sink_id": sink.id, "to": position, "points": points, "new_gaps": gaps})


def key_ids(connection: Connection) -> frozenset[bytes]:
    """The keys that encrypt the secrets of sinks."""
    return frozenset(key_id_of(bytes(sealed)) for (sealed,) in connection.all(_SECRETS) if sealed)


def _check_name(connection: Connection, id_: bytes, name: str) -> None:
    holder = connection.value(_NAMED, {"name": name})
    if name == HISTORY or (holder is not None and bytes(holder) != id_):
        raise CallError(
            "SINK_ALREADY_EXISTS", f"A sink has the name {name}. Use another name.", metadata={"name": name}
        )


def _stored(row: tuple[Any, ...]) -> StoredSink:
    id_, sink, sealed, position, delivered, refused, dropped, succeeded_at, refusal, gaps, created_at, updated_at = row
    return StoredSink(
        bytes(id_),
        pb.Sink.FromString(bytes(sink)),
        bytes(sealed),
        position,
        delivered,
        refused,
        dropped,
        succeeded_at,
        refusal,
        bytes(gaps),
        created_at,
        updated_at,
    )
