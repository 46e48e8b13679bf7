"""How large the store is, and how busy: on both databases."""

from __future__ import annotations

import psycopg

from services.observing.observer import Observer
from services.observing.store import observe_store
from services.store.connection import Connection
from services.store.engine import Store
from services.telemetry.schema import SCHEMA
from tests.support.stores import database_url, postgres_cluster

__all__ = ["database_url", "postgres_cluster"]


async def _told(observer: Observer) -> dict[str, float]:
    return {family.name: family.samples[0].value for family in await observer.families()}


def _fill(connection: Connection) -> None:
    connection.execute("CREATE TABLE filler (body TEXT)")
    for _ in range(100):
        connection.execute(f"INSERT INTO filler VALUES ('{'x' * 1000}{'y' * 10_000}')")


async def test_a_store_tells_its_size(database_url: str) -> None:
    store = Store.open(database_url, SCHEMA)
    observer = Observer()
    observe_store(observer, store)
    try:
        before = await _told(observer)
        await store.write(_fill)
        after = await _told(observer)
    finally:
        await store.close()
    assert after["delphis_store_writes_total"] > before["delphis_store_writes_total"]
    assert after["delphis_store_commits_total"] > before["delphis_store_commits_total"]
    grown = after["delphis_store_bytes"] - before["delphis_store_bytes"]
    if database_url.startswith("postgresql"):
        assert after["delphis_process_inquiry_ok"] == 1
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        assert abs(after["delphis_store_bytes"] - row[0]) < 2**20
        assert grown > 0
    else:
        grown += after["delphis_store_wal_bytes"] - before["delphis_store_wal_bytes"]
        assert grown > 1_000_000


async def test_a_database_that_is_gone_takes_no_other_number_along(database_url: str) -> None:
    store = Store.open(database_url, SCHEMA)
    observer = Observer()
    observe_store(observer, store)
    await store.close()
    told = await _told(observer)
    assert "delphis_store_writes_total" in told
    if database_url.startswith("postgresql"):
        assert "delphis_store_bytes" not in told
        assert told["delphis_process_inquiry_ok"] == 0
