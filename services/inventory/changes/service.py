"""ChangeService: changes page by page, and as they are committed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from functools import partial

from delphis.inventory.v1 import change_pb2 as pb
from services.calls.errors import CallError, invalid
from services.calls.method import Call, Method, methods_of, stream, unary
from services.inventory.changes import token as tokens
from services.inventory.changes.reading import Found, changes_after, heads, oldest
from services.inventory.changes.recording import TOPIC
from services.inventory.kinds import KINDS, STORAGE
from services.inventory.resources.storage import is_there, known_number, number_of
from services.inventory.storages.rows import not_found
from services.store.connection import Connection
from services.store.engine import Store
from services.store.wire import varint

MAX_PAGE = 1000
WATCH_PAGE = 500
SIGN_OF_LIFE = 15.0
"""Seconds after which a watcher hears something, even if it is nothing."""
POLL_SECONDS = {"sqlite": 15.0, "postgresql": 2.0}
"""Other processes' hints may get lost; then changes are found by looking."""
START = "start"
_WATCH = "watch"

_Seen = tuple[Found, bool]
_Look = Callable[[Connection], _Seen]
_Key = tuple[str, frozenset[str], int]
"""What was seen, as a token; the kinds; where the signals stood."""


def methods(store: Store) -> Iterator[Method]:
    """The service for a method table."""
    service = _Changes(store)
    return methods_of(
        pb.DESCRIPTOR.services_by_name["ChangeService"],
        {
            "ListChanges": unary(pb.ListChangesRequest, service.list_changes),
            "WatchChanges": stream(pb.WatchChangesRequest, service.watch_changes),
        },
    )


class _Changes:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._looks: dict[_Key, asyncio.Future[_Seen]] = {}

    async def list_changes(self, request: pb.ListChangesRequest, _: Call) -> bytes:
        """A page, oldest first."""
        if request.page_size < 0:
            raise invalid("page_size", f"{request.page_size} is negative.")
        kinds = _checked("kind", [request.kind] if request.kind else [])
        query = f"{request.storage_id}\0{request.kind}"
        seen: tokens.Vector | None = None
        if request.page_token:
            given = tokens.read(request.page_token, query)
            if given is None:
                raise CallError(
                    "INVALID_PAGE_TOKEN",
                    "The page token is not ours or belongs to another query; start again without one.",
                    metadata={"page_token": request.page_token[:80]},
                )
            seen = given
        size = min(request.page_size or MAX_PAGE, MAX_PAGE)

        def read(connection: Connection) -> Found:
            number = number_of(connection, request.storage_id) if request.storage_id else None
            begin = seen if seen is not None else oldest(connection)
            return changes_after(connection, begin, size, storage_no=number, kinds=kinds)

        found = await self._store.scan(read)
        return _answer(found.parts, tokens.written(found.vector, query) if found.more else "")

    async def watch_changes(self, request: pb.WatchChangesRequest, _: Call) -> AsyncIterator[bytes]:
        """Changes as they are committed; pulled from the store, so a slow reader holds nothing but his place."""
        kinds = _checked("kinds", request.kinds)
        scope = _scope(request.storage_id)
        number, seen = await self._store.read(partial(_begin, request=request))
        token = tokens.written(seen, scope)
        yield _answer([], token)
        spoken = time.monotonic()
        while True:
            mark = self._store.signals.mark(TOPIC)
            look = partial(_look, seen=seen, storage_no=number, kinds=kinds)
            found, there = await self._together((token, kinds, mark), look)
            moved, seen = found.vector != seen, found.vector
            if moved:
                token = tokens.written(seen, scope)
            if found.count or time.monotonic() - spoken >= SIGN_OF_LIFE:
                yield _answer(found.parts, token)
                spoken = time.monotonic()
            if not found.more and not moved:
                if not there:
                    raise not_found(request.storage_id)
                wait = min(POLL_SECONDS[self._store.dialect], spoken + SIGN_OF_LIFE - time.monotonic())
                await self._store.signals.wait(TOPIC, mark, max(wait, 0.01))

    async def _together(self, key: _Key, look: _Look) -> _Seen:
        """Watchers who have seen the same are woken together, and look together: one scan for all of them."""
        task = self._looks.get(key)
        if task is None:
            task = self._looks[key] = asyncio.ensure_future(self._store.scan(look))
            task.add_done_callback(partial(self._looked, key))
        return await asyncio.shield(task)

    def _looked(self, key: _Key, task: asyncio.Future[_Seen]) -> None:
        del self._looks[key]
        if not task.cancelled():
            task.exception()  # whoever is still there gets it


def _begin(connection: Connection, *, request: pb.WatchChangesRequest) -> tuple[int | None, tokens.Vector]:
    """The number of the one storage that is watched, if it is one, and the position to begin at."""
    storage_id, token = request.storage_id, request.resume_token
    number: int | None = None
    if storage_id:
        # Whoever resumes is still owed the changes of a storage that was removed meanwhile, its removal among them.
        number = known_number(connection, storage_id) if token else number_of(connection, storage_id)
    if token == START:
        every = oldest(connection)
        return number, every if number is None else {number: every.get(number, 0)}
    if not token:
        return number, heads(connection, number)
    seen = tokens.read(token, _scope(""))
    if seen is not None:  # of all storages, one of them
        return number, seen if number is None else {number: seen.get(number, 0)}
    seen = tokens.read(token, _scope(storage_id)) if storage_id else None
    if seen is None:
        raise invalid("resume_token", "It is not ours, or of a watch over another storage.")
    return number, seen


def _look(connection: Connection, *, seen: tokens.Vector, storage_no: int | None, kinds: frozenset[str]) -> _Seen:
    """What is new, and whether the one storage that is watched is still there."""
    there = storage_no is None or is_there(connection, storage_no)
    return changes_after(connection, seen, WATCH_PAGE, storage_no=storage_no, kinds=kinds), there


def _scope(storage_id: str) -> str:
    """What a token belongs to: that of one storage says nothing of the others. Which kinds were watched is all one."""
    return f"{_WATCH}\0{storage_id}" if storage_id else _WATCH


def _checked(field: str, kinds: Iterable[str]) -> frozenset[str]:
    names = frozenset(kinds)
    unknown = sorted(names - KINDS.keys() - {STORAGE})
    if unknown:
        raise invalid(field, f"{unknown[0]!r} is none of {', '.join((STORAGE, *KINDS))}.")
    return names


def _answer(parts: list[bytes], token: str) -> bytes:
    """ListChangesResponse and WatchChangesResponse alike: changes are field 1, the token is field 2."""
    tail = b""
    if token:
        encoded = token.encode()
        tail = b"".join((b"\x12", varint(len(encoded)), encoded))
    return b"".join((*parts, tail))
