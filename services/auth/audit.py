"""The audit log: who called what that changes something, and who was refused."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from functools import partial

import grpc
from sqlalchemy import bindparam, delete, insert, select

from services.calls.method import Call
from services.inventory.schema.auth import audit_entries
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import StoreFault
from services.store.statement import statement

log = logging.getLogger(__name__)

QUEUE_ENTRIES = 10_000
BATCH_ENTRIES = 500
RETENTION_DAYS = 365
_FLUSH_SECONDS = 0.2
_RETRY_SECONDS = 2.0
_CHUNK_ROWS = 2000
_DAY = 86_400_000_000

COLUMNS = ("at", "caller", "method", "resource_id", "code", "reason", "request_id", "peer")
_INSERT = statement(insert(audit_entries).values({name: bindparam(name) for name in COLUMNS}).inline())
_EXPIRED = statement(
    delete(audit_entries).where(
        audit_entries.c.no.in_(
            select(audit_entries.c.no)
            .where(audit_entries.c.at < bindparam("before"))
            .order_by(audit_entries.c.at)
            .limit(_CHUNK_ROWS)
        )
    )
)

Entry = tuple[int, str, str, str, str, str, str, str]


class AuditLog:
    """Takes entries without waiting and writes them in batches. What it must drop it counts, and says so."""

    def __init__(self, store: Store) -> None:
        self.lost = 0
        """Entries that were dropped since the start: the store took too long."""
        self._store = store
        self._queue: deque[Entry] = deque()
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._reported = 0

    def start(self) -> None:
        """Begins to write."""
        self._task = asyncio.create_task(self._write_all(), name="audit")

    async def stop(self) -> None:
        """Writes what is queued, then ends."""
        if self._task is not None:
            self._stopping.set()
            self._wake.set()
            await self._task
            self._task = None
        if self._queue or self.lost > self._reported:
            log.error("%d audit entries are lost", len(self._queue) + self.lost - self._reported)

    def record(self, call: Call, code: grpc.StatusCode, reason: str) -> None:
        """Takes one ended or refused call."""
        if len(self._queue) >= QUEUE_ENTRIES:
            self.lost += 1
            return
        self._queue.append(
            (
                time.time_ns() // 1000,
                call.caller.name,
                call.method.path.lstrip("/"),
                _clean(call.resource_id, 255),
                code.name,
                reason,
                _clean(call.request_id, 64),
                _clean(call.peer, 255),
            )
        )
        self._wake.set()

    async def flush(self) -> None:
        """Writes what is queued now."""
        while self._queue:
            rows = [self._queue[place] for place in range(min(BATCH_ENTRIES, len(self._queue)))]
            await self._store.write(partial(_insert, rows=rows))
            for _ in rows:
                self._queue.popleft()

    async def prune(self) -> None:
        """Drops entries older than `RETENTION_DAYS`."""
        before = time.time_ns() // 1000 - RETENTION_DAYS * _DAY
        while await self._store.write(lambda connection: connection.run(_EXPIRED, {"before": before})):
            pass

    async def _write_all(self) -> None:
        """Only `stop` ends it, never a cancellation in the middle of a write: that one's entries would be doubtful."""
        while not (self._stopping.is_set() and not self._queue):
            if not self._stopping.is_set():
                await self._wake.wait()
                self._wake.clear()
                await self._pause(_FLUSH_SECONDS)  # so that entries come in batches
            try:
                await self.flush()
            except StoreFault as fault:
                log.warning("audit entries wait for the store: %s", fault)
                if self._stopping.is_set():
                    return
                self._wake.set()
                await self._pause(_RETRY_SECONDS)
            if self.lost > self._reported:
                log.error("%d audit entries are lost: the store is too slow or away", self.lost - self._reported)
                self._reported = self.lost

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def _insert(connection: Connection, *, rows: list[Entry]) -> None:
    connection.many(_INSERT, rows)


def _clean(text: str, most: int) -> str:
    """Callers choose these texts: no database takes a NUL."""
    return text[:most].replace("\0", "")
