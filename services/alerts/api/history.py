"""What happened to one alert, page by page."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from delphis.alert.v1 import alert_pb2 as pb
from services.alerts.api import watching
from services.alerts.book import events, operating
from services.alerts.schema.book import alerts
from services.calls.errors import CallError, invalid
from services.store.connection import Connection
from services.store.minting import seq_of
from services.store.statement import statement
from services.store.wire import framed, varint
from services.values import uuids

MAX_PAGE = 1000
_IS_THERE = statement(select(alerts.c.seq).where(alerts.c.seq == bindparam("seq"), alerts.c.id == bindparam("id")))


def history_page(connection: Connection, request: pb.ListAlertEventsRequest) -> bytes:
    """A ListAlertEventsResponse, serialised. ALERT_NOT_FOUND, INVALID_PAGE_TOKEN."""
    if request.page_size < 0:
        raise invalid("page_size", f"{request.page_size} is negative.")
    id_ = uuids.parsed(request.id)
    seq = connection.value(_IS_THERE, (seq_of(id_), id_)) if id_ else None
    if seq is None:
        raise operating.not_found(request.id)
    position = _position(request.page_token, request.id)
    size = min(request.page_size or MAX_PAGE, MAX_PAGE)
    rows = events.of_alert(connection, seq, position, size + 1)
    parts = [framed(row.message()) for row in rows[:size]]
    if len(rows) > size:
        token = watching.written(rows[size - 1].position, request.id).encode()
        parts += (b"\x12", varint(len(token)), token)
    return b"".join(parts)


def _position(token: str, id_: str) -> int:
    if not token:
        return 0
    position = watching.read(token, id_)
    if position is None:
        raise CallError(
            "INVALID_PAGE_TOKEN",
            "The page token is not ours or belongs to another query; start again without one.",
            metadata={"page_token": token[:80]},
        )
    return position
