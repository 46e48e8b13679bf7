"""A first load that is written in parts: others have their turn between them, and no cut makes a difference."""

from __future__ import annotations

import asyncio

import pytest

from delphis.inventory.v1 import job_pb2
from delphis.sdk import Volume
from services.inventory.sync import kind_sync, writing
from services.store.connection import Connection
from services.store.engine import Store
from tests.sync.arrays import Array

PART = 3


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (kind_sync, writing):
        monkeypatch.setattr(module, "PART_ROWS", PART)
    monkeypatch.setattr(kind_sync, "WHOLE_ROWS", PART)


class Cut(Exception):
    """The core ends here."""


class CutAt:
    """A guard that ends the sync before its so manieth transaction."""

    def __init__(self, transaction: int) -> None:
        self.left = transaction

    def __call__(self, connection: Connection) -> None:
        self.left -= 1
        if not self.left:
            raise Cut


def volume(native_id: str, name: str = "") -> Volume:
    return Volume(native_volume_id=native_id, name=name or f"volume {native_id}")


def volumes(*numbers: int) -> list[Volume]:
    return [volume(str(number)) for number in numbers]


async def test_it_is_one_load_with_one_event(store: Store) -> None:
    array = await Array.new(store)
    result = await array.sync(volumes(*range(10)))
    assert (result.outcome, result.added, result.total) == (job_pb2.KIND_OUTCOME_OK, 10, 10)
    assert list(await array.rows()) == [str(number) for number in range(10)]
    (loaded,) = await array.changes()
    assert (loaded.count, loaded.kind) == (10, "volume")
    again = await array.sync(volumes(*range(10)))
    assert (again.added, again.changed, again.removed) == (0, 0, 0)
    assert await array.changes() == []


async def test_what_comes_twice_or_cannot_be_read_counts_over_all_parts(store: Store) -> None:
    array = await Array.new(store)
    sent = [*volumes(0, 1, 2, 3), volume("1", "another"), volume(""), *volumes(4, 5, 6, 2, 7)]
    result = await array.sync(sent)
    assert (result.outcome, result.added) == (job_pb2.KIND_OUTCOME_PARTIAL, 8)
    assert len(result.warnings) == 3
    assert (await array.rows())["1"].name == "volume 1"


@pytest.mark.parametrize("transaction", [1, 2, 4])
async def test_a_load_that_is_cut_is_completed_by_the_next_sync(store: Store, transaction: int) -> None:
    array = await Array.new(store)
    with pytest.raises(Cut):
        await array.sync(volumes(*range(10)), guard=CutAt(transaction))
    assert len(await array.rows()) == PART * (transaction - 1)
    assert await array.changes() == []
    # Meanwhile the array lost one that was written, and one that was not.
    result = await array.sync(volumes(1, 2, 3, 4, 5, 6, 7, 8))
    assert (result.outcome, result.total, result.missing) == (job_pb2.KIND_OUTCOME_OK, 8, 0)
    assert sorted(await array.rows()) == [str(number) for number in range(1, 9)]
    (loaded,) = await array.changes()
    assert loaded.count == 8


async def test_small_writes_have_their_turn_between_the_parts(store: Store) -> None:
    array = await Array.new(store)
    parts: list[int] = []
    seen: list[int] = []

    def count(connection: Connection) -> None:
        parts.append(1)

    async def small() -> None:
        while len(seen) < 5 or not seen[-5]:
            await store.write(lambda connection: seen.append(len(parts)))

    other = asyncio.create_task(small())
    await array.sync(volumes(*range(60)), guard=count)
    await other
    assert len(parts) == 20
    assert max(seen) < 20, "they waited for the whole load"
