"""The sync of one kind of one array, from the driver's stream to the commit."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

from delphis.type.v1 import storage_pb2
from services.calls.errors import CallError, reasons
from services.inventory.kinds import KINDS, Kind
from services.inventory.sync import states
from services.inventory.sync.reading import read_stream
from services.inventory.sync.result import FAILED, UNSUPPORTED, Guard, KindResult, StorageGone
from services.inventory.sync.rows import rows_of
from services.inventory.sync.spool import Spool, SpoolBudget, SpoolFault
from services.inventory.sync.target import Carried, Target
from services.inventory.sync.writing import PART_ROWS, WHOLE_ROWS, write_kind, write_part, write_same
from services.store.connection import Connection
from services.store.engine import Store

INLINE_ROWS = 1000
"""Kinds of up to so many rows have their digests read in the event loop."""
_TROUBLED = {storage_pb2.STORAGE_STATUS_OFFLINE, storage_pb2.STORAGE_STATUS_ABNORMAL}
_UNSUPPORTED = {"STORAGE_CAPABILITY_NOT_SUPPORTED", "PROTOCOL_TOO_OLD"}
_budget = SpoolBudget()
_Rows = tuple[dict[bytes, int], frozenset[int]]
"""Digests with the rows' numbers; the numbers of those that are marked missing."""


async def sync_kind(
    store: Store,
    storage_id: bytes,
    kind: str,
    stream: AsyncIterator[bytes],
    *,
    storage_status: int = 0,
    guard: Guard | None = None,
    now: int | None = None,
) -> KindResult:
    """Brings a kind's rows to what the driver streams: batches, each a serialised List…Response of StorageDriver.

    The difference is written in one transaction after the stream has ended, together with the kind's state; where a
    large kind has no rows yet in several, of which the last makes it a loaded one. An answer that is the one before
    writes nothing but the state. A CallError of the stream writes
    nothing but the state, and is in the result's `error`; so is a SpoolFault.

    Args:
        store: The store.
        storage_id: Whose kind, 16 bytes.
        kind: The kind in the singular.
        stream: The driver's answer.
        storage_status: What the array said of itself in this sync, a `StorageStatus`.
        guard: Called first in the transaction; what it raises undoes it and comes out here.
        now: Microseconds since 1970, for tests; else the clock's.

    Raises:
        StorageGone: the storage does not exist any more.
        KindMoved: the kind was written while the stream was read; read it again.
        StoreFault: nothing is written.
    """
    described = KINDS[kind]
    started_at = now or _now()
    stored = _Stored(store, storage_id, described)
    before = await stored.begin()
    spool = Spool(_budget, folder=os.path.dirname(store.path) or None)
    try:
        try:
            digests = stored.load if stored.digests is None else stored.digests
            answer = await read_stream(stream, described.seed, digests, spool, before=before.answer)
        except CallError as error:
            return await record_failure(store, storage_id, kind, error, started_at=started_at, now=now, guard=guard)
        target = Target(
            kind=described,
            storage_id=storage_id,
            before=before,
            stored=stored.count,
            flagged=stored.flagged,
            troubled=storage_status in _TROUBLED,
            started_at=started_at,
            now=now or _now(),
            guard=guard,
        )
        if answer.same:
            return await store.write(partial(write_same, target=target, answer=answer))
        try:
            carried = Carried()
            if not stored.count and not before.loaded and len(spool) > WHOLE_ROWS:
                while len(spool) - carried.items > PART_ROWS:
                    part = await store.write(
                        partial(write_part, target=target, answer=answer, carried=carried), bulk=True
                    )
                    carried.seen.update(part.seen)
                    carried = replace(part, seen=carried.seen)
                    target = replace(target, before=replace(target.before, generation=target.before.generation + 1))
            return await store.write(partial(write_kind, target=target, answer=answer, carried=carried), bulk=True)
        except SpoolFault as error:
            return await record_failure(store, storage_id, kind, error, started_at=started_at, now=now, guard=guard)
    finally:
        spool.close()


class _Stored:
    """The rows of a kind, as far as they have been read."""

    def __init__(self, store: Store, storage_id: bytes, kind: Kind) -> None:
        self.digests: dict[bytes, int] | None = None
        self.count = 0
        self.flagged: frozenset[int] = frozenset()
        """Numbers of those that are marked missing."""
        self._store = store
        self._read = partial(_read, storage_id=storage_id, kind=kind)

    async def begin(self) -> states.StoredKind:
        """The kind's state. Its rows are read too, where no answer is known that they are."""
        most = INLINE_ROWS if self._store.dialect == "sqlite" else 0
        state, rows = await self._store.read(partial(self._read, most=most))
        self.count = state.total
        if rows is not None:
            self._take(rows)
        elif not state.answer:
            await self.load()
        return state

    async def load(self) -> dict[bytes, int]:
        """Reads the rows, their digests with their numbers. That others wrote since `begin` shows in the generation."""
        _, rows = await self._store.scan(partial(self._read, most=sys.maxsize, anyway=True))
        assert rows is not None
        return self._take(rows)

    def _take(self, rows: _Rows) -> dict[bytes, int]:
        self.digests, self.flagged = rows
        self.count = len(self.digests)
        return self.digests


def _read(
    connection: Connection, storage_id: bytes, kind: Kind, most: int, *, anyway: bool = False
) -> tuple[states.StoredKind, _Rows | None]:
    """The kind's state and rows. Without these where there are more than `most`, or where they are a known answer."""
    state = states.read(connection, storage_id, kind.name)
    if state is None:
        raise StorageGone
    if state.total > most or (state.answer and not anyway):
        return state, None
    digests: dict[bytes, int] = {}
    flagged: frozenset[int] = frozenset()
    if state.total:
        rows = rows_of(kind.name)
        for chunk in connection.rows(rows.digests, (state.storage_no,), size=2000):
            digests.update(chunk)
        if state.missing:
            flagged = frozenset(row[0] for row in connection.all(rows.flagged, (state.storage_no,)))
    return state, (digests, flagged)


async def record_failure(
    store: Store,
    storage_id: bytes,
    kind: str,
    error: CallError,
    *,
    started_at: int | None = None,
    now: int | None = None,
    guard: Guard | None = None,
) -> KindResult:
    """Writes that a kind could not be read, or that the array has none; its rows stay. Raises as `sync_kind`."""
    ended_at = now or _now()
    known = reasons().get(error.reason)

    def write(connection: Connection) -> KindResult:
        if guard is not None:
            guard(connection)
        before = states.read(connection, storage_id, kind)
        if before is None:
            raise StorageGone
        result = KindResult(
            kind=kind,
            outcome=UNSUPPORTED if error.reason in _UNSUPPORTED else FAILED,
            total=before.total,
            missing=before.missing,
            missing_answers=before.missing_answers,
            missing_since=before.missing_since,
            error_code=known.text if known is not None else error.reason,
            error_msg=error.message[:1000],
            started_at=started_at or ended_at,
            ended_at=ended_at,
            last_success_at=before.last_success_at,
        )
        states.write(connection, before.storage_no, result, generation=before.generation, loaded=before.loaded)
        return result

    return replace(await store.write(write), error=error)


def _now() -> int:
    return time.time_ns() // 1000
