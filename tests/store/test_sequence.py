"""Numbers of rows: they grow, and none is given twice."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import bindparam, insert

from services.inventory.schema import SCHEMA
from services.inventory.schema.resources import tombstones
from services.store.connection import Connection
from services.store.engine import Store
from services.store.sequence import STEP, micros
from services.store.statement import statement
from tests.support.postgres import Cluster

_BURY = statement(
    insert(tombstones).values(
        seq=bindparam("number"), storage_no=1, kind="volume", native_id="v", id=b"", removed_at=bindparam("at")
    )
)


def take(connection: Connection, count: int) -> list[int]:
    return list(connection.sequence.take(connection, count))


async def test_numbers_grow_and_tell_the_time(store: Store) -> None:
    before = time.time_ns() // 1000
    first = await store.write(lambda connection: take(connection, 1000))
    second = await store.write(lambda connection: take(connection, 3))
    assert sorted({*first, *second}) == [*first, *second]
    assert before <= micros(first[0]) <= time.time_ns() // 1000
    assert [micros(number) - micros(first[0]) for number in first] == list(range(1000))


async def test_a_clock_that_was_set_back_gives_no_number_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db"
    store = Store.open(url, SCHEMA)
    future = (time.time_ns() // 1000 + 86_400_000_000) * STEP
    await store.write(lambda connection: connection.run(_BURY, (future, 1)))
    await store.close()
    store = Store.open(url, SCHEMA)
    assert (await store.write(lambda connection: take(connection, 2)))[0] > future
    await store.close()


@pytest.mark.postgres
async def test_two_writers_on_one_database_give_different_numbers(postgres_cluster: Cluster) -> None:
    url = postgres_cluster.shared_database()
    one, two = Store.open(url, SCHEMA), Store.open(url, SCHEMA)
    found = [await store.write(lambda connection: take(connection, 5)) for store in (one, two, one, two)]
    numbers = [number for part in found for number in part]
    assert len(set(numbers)) == 20
    assert found[0][0] % STEP != found[1][0] % STEP
    await one.close()
    await two.close()
