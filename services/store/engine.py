"""The store's engine: reads in the event loop or in threads, writes in one thread.

Three ways in, by what the work may cost:

- `read`: point reads and pages of at most 1,000 rows. SQLite answers in the event loop itself (4 µs for a row by id, a
  thread would add 65); PostgreSQL in a small thread pool.
- `scan`: whatever may take longer. Always in a thread, on a connection of its own, in one snapshot.
- `write`: one thread writes. What waits in its queue shares a transaction with a savepoint each, since small
  transactions are dear (25-30 µs a row against 11-14). A work may be run again after a deadlock or a full disk that
  another one caused, so it must not keep state from an earlier run.

A work is a function of a `Connection`. An exception undoes that work alone and reaches its caller; faults of the
database itself arrive as `StoreFault`, unique violations as `DuplicateKey`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

from services.store.backend import Backend, Sqlite, backend_for
from services.store.connection import Connection
from services.store.errors import StoreFault, translated
from services.store.migrate import bring_to_head
from services.store.notifications import Listener
from services.store.schema import Schema
from services.store.signals import Signals
from services.store.statement import Dialect
from services.store.writer import Writer, WriterMetrics

T = TypeVar("T")

log = logging.getLogger(__name__)

READ_THREADS = 4
SCAN_THREADS = 3
MAX_KEPT = 4096


class Store:
    """An open database at the present schema. Made by `Store.open`; belongs to one event loop."""

    def __init__(self, backend: Backend, schema: Schema) -> None:
        self.dialect: Dialect = backend.dialect
        self.path = backend.path if isinstance(backend, Sqlite) else ""
        """SQLite's file; empty for PostgreSQL."""
        self.signals = Signals()
        self._backend = backend
        self._writer = Writer(backend, schema, self.signals)
        self._inline = backend.reader() if isinstance(backend, Sqlite) else None
        self._local = threading.local()
        self._opened: list[Connection] = []
        self._reads = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="store-read")
        self._scans = ThreadPoolExecutor(SCAN_THREADS, thread_name_prefix="store-scan")
        self._listener = Listener(backend, schema.channel, self.signals)
        self._kept: dict[Hashable, object] = {}
        self._kept_at = 0
        self._closed = False

    @property
    def writer_metrics(self) -> WriterMetrics:
        """What the writer did so far."""
        return self._writer.metrics

    @classmethod
    def open(cls, url: str, schema: Schema) -> Store:
        """Opens the database and brings its schema to this version's.

        Raises:
            ValueError: the URL names no database.
            StoreFault: the database can't be reached or opened.
            SchemaError: its schema is newer, or not ours.
            InUse: another process writes to it, where only one may.
        """
        backend = backend_for(url, schema)
        bring_to_head(backend, url, schema)
        return cls(backend, schema)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs a short reading work. On SQLite it holds the event loop: at most 1,000 rows by an index."""
        if self._inline is not None:
            try:
                return work(self._inline)
            except Exception as error:
                raise self._translated(error, "read") from error
        return await self._in_thread(self._reads, work, snapshot=False)

    async def read_kept(self, key: Hashable, work: Callable[[Connection], T]) -> T:
        """As `read`, for what is asked again and again: the result is kept until the next commit.

        Only on SQLite, whose file this process alone writes (tokens apart, which must not be read this way).

        Args:
            key: Says what `work` reads; equal keys must mean equal works.
            work: Its result must not be changed by who gets it.
        """
        commits = self._writer.metrics.commits  # before the read: a commit during it makes what it read old
        if self._inline is None:
            return await self.read(work)
        if commits != self._kept_at or len(self._kept) >= MAX_KEPT:
            self._kept.clear()
            self._kept_at = commits
        if key not in self._kept:
            self._kept[key] = await self.read(work)
        return cast("T", self._kept[key])

    async def scan(self, work: Callable[[Connection], T]) -> T:
        """Runs a reading work of any length in a thread, in one snapshot."""
        return await self._in_thread(self._scans, work, snapshot=True)

    async def write(self, work: Callable[[Connection], T], *, bulk: bool = False) -> T:
        """Runs a writing work in the writer thread; returns once it is committed.

        Works that may take more than some 10 ms are to be `bulk`: others need not wait for them, but for one that runs.
        A caller that is cancelled does not know whether its work was done.
        """
        self._listener.ensure()
        return await self._writer.submit(work, bulk=bulk)

    async def close(self) -> None:
        """Lets what is queued be written, then closes all connections."""
        if self._closed:
            return
        self._closed = True
        await self._listener.close()
        await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self._writer.close()
        self._reads.shutdown()
        self._scans.shutdown()
        for connection in [*self._opened, *([self._inline] if self._inline else [])]:
            connection.raw.close()

    async def _in_thread(self, pool: ThreadPoolExecutor, work: Callable[[Connection], T], *, snapshot: bool) -> T:
        self._listener.ensure()
        if self._closed:
            raise StoreFault("read", "it is closed")
        return await asyncio.get_running_loop().run_in_executor(pool, self._read_in_thread, work, snapshot)

    def _read_in_thread(self, work: Callable[[Connection], T], snapshot: bool) -> T:
        began = time.monotonic()
        while True:
            connection: Connection | None = getattr(self._local, "connection", None)
            fresh = connection is None
            if connection is None:
                connection = self._local.connection = self._backend.reader()
                self._opened.append(connection)
            try:
                if not snapshot:
                    return work(connection)
                self._backend.begin_snapshot(connection)
                try:
                    return work(connection)
                finally:
                    if self._backend.in_transaction(connection) or not self._broken(connection):
                        connection.raw.execute("ROLLBACK")
            except Exception as error:
                if self._broken(connection):
                    # The server went away since the last read: reads are repeated once on a new connection.
                    self._local.connection = None
                    self._opened.remove(connection)
                    if not fresh and time.monotonic() - began < 5:
                        continue
                raise self._translated(error, "read") from error

    def _broken(self, connection: Connection) -> bool:
        return self._backend.psycopg is not None and bool(connection.raw.closed)

    def _translated(self, error: BaseException, what: str) -> BaseException:
        return translated(error, what, self._backend.psycopg)
