"""Watches: what is committed, as it is committed, from a position on."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import AsyncIterator

import xxhash

from delphis.alert.v1 import alert_pb2 as pb
from services.alerts.api.listing import ALERTS
from services.alerts.api.matching import matches
from services.alerts.book import events
from services.alerts.book.events import EventRow
from services.calls.errors import CallError, invalid
from services.listing.conditions import EVERYTHING, Condition, checked
from services.listing.filter import parse_filter
from services.store.connection import Connection
from services.store.engine import Store
from services.store.wire import framed, varint
from services.values import uuids

PAGE = 500
SIGN_OF_LIFE = 15.0
"""Seconds after which a watcher hears something, even if it is nothing."""
POLL_SECONDS = 15.0
"""Only this process writes, so no hint gets lost; this is for one that is of our own making."""
START = "start"
_VERSION = b"\x01"
_CHECK_BYTES = 4


def written(position: int, scope: str = "") -> str:
    """The position as a token, of one alert's history where `scope` is its id."""
    content = _VERSION + varint(position)
    return base64.urlsafe_b64encode(_check(content, scope) + content).decode().rstrip("=")


def read(token: str, scope: str = "") -> int | None:
    """The position in a token; None where it is none of ours, or of another scope."""
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        return None
    check, content = data[:_CHECK_BYTES], data[_CHECK_BYTES:]
    if content[:1] != _VERSION or _check(content, scope) != check:
        return None
    value = shift = 0
    for byte in content[1:]:
        value |= (byte & 0x7F) << shift
        shift += 7
    return value


def _check(content: bytes, scope: str) -> bytes:
    return xxhash.xxh32_digest(content + b"alerts" + scope.encode())


class Watches:
    """All watches of the service. Those that have seen the same look together."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looks: dict[tuple[int, int], asyncio.Future[list[EventRow]]] = {}

    async def watch(self, request: pb.WatchAlertsRequest) -> AsyncIterator[bytes]:
        """Answers, serialised; pulled from the store, so a slow reader holds nothing but his place."""
        condition = checked(parse_filter(request.filter), ALERTS)
        storage_id = uuids.parsed(request.storage_id) or b"?" if request.storage_id else None
        seen = await self._store.read(lambda connection: _begin(connection, request.resume_token))
        yield answer([], seen)
        spoken = time.monotonic()
        while True:
            mark = self._store.signals.mark(events.TOPIC)
            rows = await self._after(seen, mark)
            found = [row.message() for row in rows if _is_wanted(row, storage_id, condition)]
            seen = rows[-1].position if rows else seen
            if found or time.monotonic() - spoken >= SIGN_OF_LIFE:
                yield answer(found, seen)
                spoken = time.monotonic()
            if len(rows) < PAGE:
                wait = min(POLL_SECONDS, spoken + SIGN_OF_LIFE - time.monotonic())
                await self._store.signals.wait(events.TOPIC, mark, max(wait, 0.01))

    async def _after(self, position: int, mark: int) -> list[EventRow]:
        key = position, mark
        task = self._looks.get(key)
        if task is None:
            task = self._looks[key] = asyncio.ensure_future(
                self._store.scan(lambda connection: _look(connection, position))
            )
            task.add_done_callback(lambda done: self._looked(key, done))
        return await asyncio.shield(task)

    def _looked(self, key: tuple[int, int], task: asyncio.Future[list[EventRow]]) -> None:
        del self._looks[key]
        if not task.cancelled():
            task.exception()  # whoever is still there gets it


def answer(found: list[bytes], position: int) -> bytes:
    """A WatchAlertsResponse: events are field 1, the token is field 2."""
    token = written(position).encode()
    return b"".join((*map(framed, found), b"\x12", varint(len(token)), token))


def _begin(connection: Connection, token: str) -> int:
    if not token:
        return events.head(connection)
    if token == START:
        return events.forgotten(connection)
    position = read(token)
    if position is None:
        raise invalid("resume_token", "It is not ours. List the alerts, then watch from now.")
    if not events.forgotten(connection) <= position <= events.head(connection):
        raise _expired()
    return position


def _look(connection: Connection, position: int) -> list[EventRow]:
    if position < events.forgotten(connection):
        raise _expired()
    return events.after(connection, position, PAGE)


def _is_wanted(row: EventRow, storage_id: bytes | None, condition: Condition) -> bool:
    if storage_id is not None and row.storage_id != storage_id:
        return False
    return condition == EVERYTHING or matches(condition, pb.AlertEvent.FromString(row.body).alert)


def _expired() -> CallError:
    return CallError(
        "CHANGE_POSITION_EXPIRED",
        "Events after this position are no longer kept; list the alerts, then watch from now.",
    )
