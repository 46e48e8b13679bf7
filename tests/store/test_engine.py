"""The engine: reads, scans, group commit, faults."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import bindparam, insert, select

from services.inventory.schema import SCHEMA
from services.inventory.schema.registry import settings
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import DuplicateKey, StoreFault
from services.store.statement import sql, statement
from tests.support.postgres import Cluster

_PUT = statement(insert(settings).values(name=bindparam("name"), value=bindparam("value")))
_GET = statement(select(settings.c.value).where(settings.c.name == bindparam("name")))
_COUNT = sql(sqlite="SELECT count(*) FROM settings", postgresql="SELECT count(*) FROM settings")
_SLEEP_SECONDS = 0.2


async def _write(store: Store, name: str, value: bytes = b"v") -> int:
    return await store.write(lambda connection: connection.run(_PUT, (name, value)))


async def test_what_is_written_is_read_three_ways(store: Store) -> None:
    await _write(store, "a", b"\x00\xff")
    assert await store.read(lambda connection: connection.value(_GET, ("a",))) == b"\x00\xff"
    assert await store.scan(lambda connection: connection.value(_GET, {"name": "a"})) == b"\x00\xff"
    assert await store.write(lambda connection: connection.value(_GET, ("a",))) == b"\x00\xff"
    assert await store.read(lambda connection: connection.one(_GET, ("b",))) is None


async def test_what_waits_shares_a_transaction(store: Store) -> None:
    blocked = threading.Event()
    first = asyncio.ensure_future(store.write(lambda _: blocked.wait(60)))
    await asyncio.sleep(0)
    rest = [asyncio.ensure_future(_write(store, f"n{number}")) for number in range(100)]
    await asyncio.sleep(0)
    before = store.writer_metrics.commits
    blocked.set()
    await asyncio.gather(first, *rest)
    assert store.writer_metrics.commits - before <= 3
    assert await store.read(lambda connection: connection.value(_COUNT)) == 100


async def test_a_failing_work_harms_no_other(store: Store) -> None:
    def fails(connection: Connection) -> None:
        connection.run(_PUT, ("half", b"v"))
        raise LookupError("on purpose")

    def collides(connection: Connection) -> None:
        connection.run(_PUT, ("other half", b"v"))
        connection.run(_PUT, ("a", b"v"))

    results = await asyncio.gather(
        _write(store, "a"),
        store.write(fails),
        _write(store, "b"),
        store.write(collides),
        _write(store, "c"),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [int, LookupError, int, DuplicateKey, int]
    assert await store.read(lambda connection: connection.value(_COUNT)) == 3


async def test_a_savepoint_inside_a_work_is_undone_alone(store: Store) -> None:
    def part(connection: Connection) -> None:
        with connection.savepoint():
            connection.run(_PUT, ("undone", b"v"))
            connection.signal("undone")
            raise LookupError

    def work(connection: Connection) -> None:
        connection.run(_PUT, ("kept", b"v"))
        with pytest.raises(LookupError):
            part(connection)
        connection.run(_PUT, ("kept too", b"v"))

    mark = store.signals.mark("undone")
    await store.write(work)
    assert await store.read(lambda connection: connection.value(_COUNT)) == 2
    assert store.signals.mark("undone") == mark


async def test_reading_works_do_not_write(store: Store) -> None:
    for way in (store.read, store.scan):
        with pytest.raises(Exception, match=r"(?i)read-?only"):
            await way(lambda connection: connection.run(_PUT, ("a", b"v")))
    assert await store.read(lambda connection: connection.value(_COUNT)) == 0


async def test_a_scan_sees_one_moment(store: Store) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def twice(connection: Connection) -> tuple[int, int]:
        before = connection.value(_COUNT)
        begun.set()
        go_on.wait(60)
        return before, connection.value(_COUNT)

    scan = asyncio.ensure_future(store.scan(twice))
    await asyncio.to_thread(begun.wait, 10)
    await _write(store, "a")
    go_on.set()
    assert await scan == (0, 0)


async def test_a_long_scan_does_not_hold_the_loop_or_the_writer(store: Store) -> None:
    ready = threading.Event()
    scan = asyncio.ensure_future(store.scan(lambda _: ready.wait(60)))
    began = time.monotonic()
    await _write(store, "a")
    assert await store.read(lambda connection: connection.value(_COUNT)) == 1
    assert time.monotonic() - began < 50
    ready.set()
    await scan


async def test_closing_writes_what_is_queued(database_url: str) -> None:
    store = Store.open(database_url, SCHEMA)
    writes = [asyncio.ensure_future(_write(store, f"n{number}")) for number in range(20)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*writes)
    with pytest.raises(StoreFault):
        await _write(store, "late")
    again = Store.open(database_url, SCHEMA)
    assert await again.read(lambda connection: connection.value(_COUNT)) == 20
    await again.close()


async def test_a_cancelled_caller_leaves_the_writer_well(store: Store) -> None:
    blocked = threading.Event()
    first = asyncio.ensure_future(store.write(lambda _: blocked.wait(60)))
    await asyncio.sleep(0)
    cancelled = asyncio.ensure_future(_write(store, "cancelled"))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    blocked.set()
    await first
    await _write(store, "next")
    assert await store.read(lambda connection: connection.value(_COUNT)) == 1


async def test_a_full_disk_fails_those_who_fill_it(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/store.db", SCHEMA)
    pages = await store.write(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    await store.write(lambda connection: connection.execute(f"PRAGMA max_page_count={pages + 20}").fetchone())
    large = b"x" * 4_000_000
    results = await asyncio.gather(
        _write(store, "before"), _write(store, "large", large), _write(store, "after"), return_exceptions=True
    )
    assert [type(result) for result in results] == [int, StoreFault, int]
    assert isinstance(results[1], StoreFault)
    assert results[1].reason == "STORE_FAULT"
    assert "full" in results[1].message
    assert await store.read(lambda connection: connection.value(_COUNT)) == 2
    await store.close()


async def test_a_locked_file_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = Store.open(f"sqlite:///{path}", SCHEMA)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    write = asyncio.ensure_future(_write(store, "a"))
    await asyncio.wait([write], timeout=_SLEEP_SECONDS)
    assert not write.done()
    other.execute("COMMIT")
    await write
    other.close()
    await store.close()


@pytest.mark.postgres
async def test_a_lost_connection_fails_a_write_and_is_replaced(postgres_cluster: Cluster) -> None:
    store = Store.open(postgres_cluster.new_database(), SCHEMA)
    await _write(store, "a")
    await store.read(lambda connection: connection.value(_COUNT))
    end_others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"

    def lose(connection: Connection) -> None:
        connection.execute(f"{end_others} AND pid <> pg_backend_pid()")
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(StoreFault):
        await store.write(lose)
    await _write(store, "b")
    assert await store.read(lambda connection: connection.value(_COUNT)) == 2
    await store.close()


async def test_commits_are_signalled_to_who_waits(store: Store) -> None:
    mark = store.signals.mark("topic")
    await store.write(lambda connection: connection.signal("topic"))
    assert await store.signals.wait("topic", mark, 5)
    mark = store.signals.mark("topic")
    waiting = asyncio.ensure_future(store.signals.wait("topic", mark, 20))
    await asyncio.sleep(0)
    await store.write(lambda connection: connection.signal("topic"))
    assert await waiting
    assert not await store.signals.wait("other", store.signals.mark("other"), 0.01)


@pytest.mark.postgres
async def test_commits_of_another_process_are_signalled(postgres_cluster: Cluster) -> None:
    url = postgres_cluster.new_database()
    one, two = Store.open(url, SCHEMA), Store.open(url, SCHEMA)
    await one.read(lambda connection: connection.value(_COUNT))  # begins to listen
    deadline = time.monotonic() + 60
    while True:
        mark = one.signals.mark("topic")
        await two.write(lambda connection: connection.signal("topic"))
        if await one.signals.wait("topic", mark, 1):
            break
        assert time.monotonic() < deadline
    await one.close()
    await two.close()
