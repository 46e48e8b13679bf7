"""What a process' store counts, and how large it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from services.observing.family import Family, Sample, counter, gauge
from services.observing.observer import Observer
from services.store.connection import Connection
from services.store.engine import Store
from services.store.statement import sql

# On SQLite the file is looked at instead; the first one is never run.
_SIZE = sql(sqlite="SELECT 0", postgresql="SELECT pg_database_size(current_database())")


def observe_store(observer: Observer, store: Store) -> None:
    """Adds what there is to tell of a store."""

    def writer() -> Iterator[Family]:
        metrics = store.writer_metrics
        yield counter("delphis_store_writes_total", "Pieces of work that were written.", Sample(metrics.works))
        yield counter("delphis_store_commits_total", "Transactions that were committed.", Sample(metrics.commits))
        yield counter(
            "delphis_store_busy_seconds_total",
            "Time for which the one writer of the store was busy: at a second a second nothing more can be written.",
            Sample(metrics.busy_seconds),
        )

    def files() -> Iterator[Family]:
        yield _size(_bytes(store.path))
        yield gauge("delphis_store_wal_bytes", "Size of SQLite's write-ahead log.", Sample(_bytes(f"{store.path}-wal")))

    async def database() -> list[Family]:
        return [_size(int(await store.read(_asked)))]

    observer.add(writer)
    if store.dialect == "sqlite":
        observer.add(files)
    else:
        observer.inquire("store", database)


def _asked(connection: Connection) -> int:
    return int(connection.value(_SIZE))


def _size(size: int) -> Family:
    return gauge("delphis_store_bytes", "Size of the database; processes that share one tell the same.", Sample(size))


def _bytes(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:  # the log, while nobody has written
        return 0
