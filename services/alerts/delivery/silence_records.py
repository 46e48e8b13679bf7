"""Silences in the store."""

from __future__ import annotations

import uuid

from sqlalchemy import bindparam, delete, func, insert, select, update

from delphis.alert.v1 import delivery_pb2
from services.alerts.delivery.settings import MAX_SILENCES
from services.alerts.schema.delivery import silences
from services.calls.errors import CallError, invalid
from services.store.connection import Connection
from services.store.statement import statement
from services.values import times, uuids

CHANGED = "silences"
"""What a store's `signals` call a commit that changes silences."""

_NAMES = ("id", "match", "starts_at", "ends_at", "reason", "created_by", "created_at")
_SELECTED = select(*(silences.c[name] for name in _NAMES))
_ALL = statement(_SELECTED.order_by(silences.c.ends_at, silences.c.id))
_ONE = statement(_SELECTED.where(silences.c.id == bindparam("id"), silences.c.ends_at > bindparam("now")))
_LIST = statement(_SELECTED.where(silences.c.ends_at > bindparam("now")).order_by(silences.c.ends_at, silences.c.id))
_COUNT = statement(select(func.count()).select_from(silences).where(silences.c.ends_at > bindparam("now")))
_INSERT = statement(insert(silences).values({name: bindparam(name) for name in _NAMES}))
_END = statement(update(silences).where(silences.c.id == bindparam("silence_id")).values(ends_at=bindparam("at")))
_REMOVE = statement(delete(silences).where(silences.c.id == bindparam("id")))
_FORGET = statement(delete(silences).where(silences.c.ends_at < bindparam("before")))


def add(connection: Connection, silence: delivery_pb2.Silence, starts_at: int, ends_at: int) -> delivery_pb2.Silence:
    """Stores a new silence; `match`, `reason` and `created_by` are the caller's."""
    now = times.now()
    if connection.value(_COUNT, {"now": now}) >= MAX_SILENCES:
        raise invalid("silence", f"There are {MAX_SILENCES} silences, which is the most. Delete one.")
    id_, match = uuid.uuid4().bytes, silence.match.SerializeToString()
    row = (id_, match, starts_at, ends_at, silence.reason, silence.created_by, now)
    connection.run(_INSERT, dict(zip(_NAMES, row, strict=True)))
    connection.signal(CHANGED)
    return _message(*row)


def load(connection: Connection, silence_id: str) -> delivery_pb2.Silence:
    """The silence, or SILENCE_NOT_FOUND: those that ended are not shown."""
    row = connection.one(_ONE, {"id": uuids.parsed(silence_id) or b"", "now": times.now()})
    if row is None:
        raise CallError("SILENCE_NOT_FOUND", f"No silence has the id {silence_id}.", metadata={"id": silence_id})
    return _message(*row)


def load_current(connection: Connection) -> list[delivery_pb2.Silence]:
    """Silences that have not ended, soonest end first."""
    return [_message(*row) for row in connection.all(_LIST, {"now": times.now()})]


def load_all(connection: Connection) -> list[delivery_pb2.Silence]:
    """Those that ended too, as far as they are kept."""
    return [_message(*row) for row in connection.all(_ALL)]


def end(connection: Connection, silence_id: str) -> None:
    """Ends a silence now, or SILENCE_NOT_FOUND.

    One that began is kept for a while: what happened meanwhile may not have been dealt with yet.
    """
    silence, now = load(connection, silence_id), times.now()
    id_ = uuids.parsed(silence_id) or b""
    if times.of_stamp(silence.starts_at) >= now:
        connection.run(_REMOVE, {"id": id_})
    else:
        connection.run(_END, {"silence_id": id_, "at": now})
    connection.signal(CHANGED)


def forget(connection: Connection, before: int) -> int:
    """Removes those that ended before the time."""
    count = connection.run(_FORGET, {"before": before})
    if count:
        connection.signal(CHANGED)
    return count


def _message(
    id_: bytes, match: bytes, starts_at: int, ends_at: int, reason: str, created_by: str, created_at: int
) -> delivery_pb2.Silence:
    return delivery_pb2.Silence(
        id=uuids.text(id_),
        match=delivery_pb2.AlertMatch.FromString(match),
        starts_at=times.stamp(starts_at),
        ends_at=times.stamp(ends_at),
        reason=reason,
        created_by=created_by,
        created_at=times.stamp(created_at),
    )
