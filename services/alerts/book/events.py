"""The log of what happened to alerts. The history of one, watches and delivery read it.

Positions grow in the order of commits, with gaps; one process and one thread write. Whoever has dealt with all events
up to a position goes on with `after` it.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, select

from services.alerts.book.entries import TOPIC
from services.alerts.schema.book import alert_events, alert_log
from services.store.connection import Connection
from services.store.statement import sql, statement
from services.store.wire import varint

__all__ = ["TOPIC", "EventRow", "after", "forgotten", "head", "of_alert", "oldest_after"]


class EventRow(NamedTuple):
    """An event, as it is stored."""

    position: int
    storage_id: bytes
    """Empty: of Delphis itself."""
    type: int
    """delphis.alert.v1.AlertEventType."""
    at: int
    """Microseconds since 1970."""
    body: bytes
    """delphis.alert.v1.AlertEvent without its position."""

    def message(self) -> bytes:
        """The AlertEvent, serialised."""
        return b"".join((b"\x08", varint(self.position), self.body))


_event = alert_events.c
_COLUMNS = (_event.position, _event.storage_id, _event.type, _event.at, _event.body)
_AFTER = statement(
    select(*_COLUMNS).where(_event.position > bindparam("position")).order_by(_event.position).limit(bindparam("count"))
)
_OF_ALERT = statement(
    select(*_COLUMNS)
    .where(_event.alert_seq == bindparam("alert_seq"), _event.position > bindparam("position"))
    .order_by(_event.position)
    .limit(bindparam("count"))
)
_HEAD_TEXT = "SELECT max(coalesce((SELECT max(position) FROM alert_events), 0), {})"
_FORGOTTEN_TEXT = "coalesce((SELECT forgotten FROM alert_log WHERE no = 1), 0)"
_HEAD = sql(
    sqlite=_HEAD_TEXT.format(_FORGOTTEN_TEXT),
    postgresql=_HEAD_TEXT.format(_FORGOTTEN_TEXT).replace("SELECT max(coalesce", "SELECT greatest(coalesce", 1),
)
_FORGOTTEN = statement(select(alert_log.c.forgotten).where(alert_log.c.no == 1))


def after(connection: Connection, position: int, limit: int) -> list[EventRow]:
    """The events after a position, in order, at most so many."""
    return [_row(*row) for row in connection.all(_AFTER, (position, limit))]


def oldest_after(connection: Connection, position: int) -> EventRow | None:
    """The first event after a position."""
    rows = after(connection, position, 1)
    return rows[0] if rows else None


def of_alert(connection: Connection, alert_seq: int, position: int, limit: int) -> list[EventRow]:
    """As `after`, of one alert by its row's number."""
    return [_row(*row) for row in connection.all(_OF_ALERT, (alert_seq, position, limit))]


def head(connection: Connection) -> int:
    """The position of the last event; 0: there was none."""
    return int(connection.value(_HEAD))


def forgotten(connection: Connection) -> int:
    """The last position that is no longer kept; whoever has not seen that far has missed something."""
    return int(connection.value(_FORGOTTEN) or 0)


def _row(position: int, storage_id: bytes, type_: int, at: int, body: bytes) -> EventRow:
    return EventRow(position, bytes(storage_id), type_, at, bytes(body))
