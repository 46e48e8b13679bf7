"""The one thread that writes, with group commit."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from services.store.backend import Backend
from services.store.connection import Connection
from services.store.errors import StoreFault, is_database_error, translated
from services.store.notifications import notify
from services.store.presence import Presence
from services.store.schema import Schema
from services.store.sequence import Sequence
from services.store.signals import Signals

T = TypeVar("T")

log = logging.getLogger(__name__)

GROUP_SECONDS = 0.1
"""A transaction takes no further work after this time, so that what is done is not kept waiting."""
GROUP_SIZE = 256
RETRIES = 5
SUCCESSION_SECONDS = 5.0
"""So long a process waits for its predecessor's end, where only one may write."""


@dataclass(slots=True, eq=False)
class _Work:
    """One piece of work and where its result goes."""

    run: Callable[[Connection], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None
    runs: int = 0
    bulk: bool = False
    alone: bool = False
    """It gets a transaction of its own: with others it met a deadlock."""


@dataclass(slots=True)
class WriterMetrics:
    """What the writer did so far."""

    works: int = 0
    commits: int = 0
    busy_seconds: float = 0.0


@dataclass(slots=True)
class _Queue:
    waiting: deque[_Work] = field(default_factory=deque)
    bulk: deque[_Work] = field(default_factory=deque)
    """Works that may take long: each has its turn when nothing else waits."""
    closing: bool = False


class Writer:
    """Takes works from any task, writes them in order, bulky ones after the others, answers after the commit."""

    def __init__(self, backend: Backend, schema: Schema, signals: Signals) -> None:
        """Raises InUse where another process writes to the schema, and only one may."""
        self.metrics = WriterMetrics()
        self._backend = backend
        self._channel = schema.channel
        self._signals = signals
        self._sequence = Sequence(schema)
        self._presence = Presence(schema)
        self._connection: Connection | None = self._present(backend.writer())
        self._queue = _Queue()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._loop, name="store-write", daemon=True)
        self._thread.start()

    async def submit(self, work: Callable[[Connection], T], *, bulk: bool = False) -> T:
        """Queues a work and waits for its commit."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        with self._changed:
            if self._queue.closing:
                raise StoreFault("write", "it is closed")
            (self._queue.bulk if bulk else self._queue.waiting).append(_Work(work, loop, future, bulk=bulk))
            self._changed.notify()
        return cast("T", await future)

    def close(self) -> None:
        """Writes what is queued, then ends the thread."""
        with self._changed:
            self._queue.closing = True
            self._changed.notify()
        self._thread.join()
        if self._connection is not None:
            self._connection.raw.close()

    def _present(self, connection: Connection) -> Connection:
        try:
            self._presence.wait(connection, SUCCESSION_SECONDS)
        except BaseException:
            connection.raw.close()
            raise
        return connection

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not (self._queue.waiting or self._queue.bulk or self._queue.closing):
                    self._changed.wait()
                if not (self._queue.waiting or self._queue.bulk):
                    return
            began = time.monotonic()
            try:
                self._write_group()
            except BaseException:  # the thread must live; whoever waits has been answered
                log.exception("the writer failed in an unforeseen way")
            self.metrics.busy_seconds += time.monotonic() - began

    def _take(self, group: list[_Work]) -> _Work | None:
        """The next work, where it may share the group's transaction.

        Small works and bulky ones share none: who waits for a small one would wait for the bulky one, too.
        """
        with self._changed:
            while queue := self._queue.waiting or self._queue.bulk:
                if group and (queue[0].alone or queue[0].bulk != group[0].bulk):
                    return None
                work = queue.popleft()
                if not work.future.cancelled():
                    return work
        return None

    def _write_group(self) -> None:
        group: list[_Work] = []
        try:
            connection = self._begin()
        except BaseException as error:  # noqa: BLE001
            self._fail_next(error)
            return
        until = time.monotonic() + GROUP_SECONDS
        try:
            while len(group) < GROUP_SIZE and (not group or time.monotonic() < until):
                work = self._take(group)
                if work is None:
                    break
                group.append(work)
                self._run(connection, work)
                if not self._backend.in_transaction(connection) or self._is_deadlock(work.error):
                    self._transaction_lost(group)
                    return
                if work.alone:
                    break
            topics = connection.take_signals()
            notify(connection, self._channel, topics)
            connection.raw.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001
            self._group_failed(group, error)
            return
        self.metrics.commits += 1
        self.metrics.works += len(group)
        self._answer(group, topics)

    def _begin(self) -> Connection:
        if self._connection is not None and self._backend.psycopg is not None and self._connection.raw.closed:
            self._connection = None
        if self._connection is None:
            self._connection = self._backend.writer()
        self._connection.sequence = self._sequence
        self._presence.show(self._connection)
        self._backend.begin(self._connection)
        return self._connection

    def _run(self, connection: Connection, work: _Work) -> None:
        work.runs += 1
        work.result = work.error = None
        try:
            with connection.savepoint():
                work.result = work.run(connection)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for this work
            work.error = error

    def _transaction_lost(self, group: list[_Work]) -> None:
        """The last work's fault (full disk, deadlock, lost connection) undoes the whole transaction."""
        *others, culprit = group
        self._roll_back()
        error = culprit.error or StoreFault("write", "the transaction was ended by the database")
        if self._is_deadlock(error) and culprit.runs < RETRIES:
            # Each alone holds few locks, in one order.
            for work in group:
                work.alone = True
            others.append(culprit)
        else:
            culprit.error = error
            self._answer([culprit], set())
        self._requeue(others)

    def _group_failed(self, group: list[_Work], error: BaseException) -> None:
        """The commit, or the engine itself, failed: nothing of the group is known to be written."""
        self._roll_back()
        for work in group:
            work.error = work.error or error
        self._answer(group, set())

    def _requeue(self, works: list[_Work]) -> None:
        with self._changed:
            for work in reversed(works):
                (self._queue.bulk if work.bulk else self._queue.waiting).appendleft(work)

    def _fail_next(self, error: BaseException) -> None:
        self._roll_back()
        work = self._take([])
        if work is not None:
            work.error = error
            self._answer([work], set())

    def _roll_back(self) -> None:
        connection = self._connection
        if connection is None:
            return
        connection.take_signals()
        try:
            connection.raw.rollback()
        except Exception as error:
            if not is_database_error(error, self._backend.psycopg):
                raise
            log.warning("the store's writing connection is given up: %s", error)
            self._connection = None
            connection.raw.close()

    def _is_deadlock(self, error: BaseException | None) -> bool:
        psycopg = self._backend.psycopg
        return psycopg is not None and isinstance(
            error, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure
        )

    def _answer(self, works: list[_Work], topics: set[str]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Work]] = {}
        for work in works:
            if work.error is not None:
                work.error = translated(work.error, "write", self._backend.psycopg)
            by_loop.setdefault(work.loop, []).append(work)
        for loop, own in by_loop.items():
            try:
                loop.call_soon_threadsafe(self._resolve, own, topics)
            except RuntimeError:  # the loop is closed: nobody waits any more
                continue

    def _resolve(self, works: list[_Work], topics: set[str]) -> None:
        for work in works:
            if work.future.done():
                continue
            if work.error is not None:
                work.future.set_exception(work.error)
            else:
                work.future.set_result(work.result)
        self._signals.fire(topics)
