"""Reading an answer: whether it is the one before is known without a look at the rows."""

from __future__ import annotations

import pytest
import xxhash

from delphis.driver.v1 import storage_driver_pb2
from delphis.type.v1 import block_pb2
from services.inventory.sync.reading import Answer, read_stream
from services.inventory.sync.spool import MAX_RESERVED, Spool, SpoolBudget
from tests.sync.arrays import batches, streamed

SEED = 7


def volumes(count: int, name: str = "") -> list[block_pb2.Volume]:
    return [block_pb2.Volume(native_volume_id=f"v{number}", name=name) for number in range(count)]


class Rows:
    """Stored digests of what came once."""

    def __init__(self, items: list[block_pb2.Volume]) -> None:
        self.loads = 0
        self._digests = {
            xxhash.xxh3_128_digest(item.SerializeToString(deterministic=True), SEED): number
            for number, item in enumerate(items)
        }

    async def load(self) -> dict[bytes, int]:
        self.loads += 1
        return dict(self._digests)


async def first(items: list[block_pb2.Volume]) -> Answer:
    return await read_stream(streamed(batches(items)), SEED, {}, Spool(SpoolBudget()))


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_the_answer_before_is_known_however_it_is_cut(size: int) -> None:
    items, budget = volumes(10), SpoolBudget()
    before, rows = (await first(items)).digest, Rows(items)
    spool = Spool(budget)
    parts = batches(items, size=size)
    parts[-1] += storage_driver_pb2.ListVolumesResponse(
        warnings=[storage_driver_pb2.Warning(message="slow")]
    ).SerializeToString()
    answer = await read_stream(streamed(parts), SEED, rows.load, spool, before=before)
    assert (answer.same, answer.items, answer.complete, answer.warnings, rows.loads) == (True, 10, True, ["slow"], 0)
    spool.close()
    assert budget.used == 0


@pytest.mark.parametrize(
    "parts",
    [batches(volumes(9)), batches(volumes(10), complete=False), batches(volumes(10)[::-1]), batches(volumes(10, "x"))],
    ids=["one less", "not complete", "in another order", "changed"],
)
async def test_any_other_answer_is_looked_at_item_by_item(parts: list[bytes]) -> None:
    before, rows = (await first(volumes(10))).digest, Rows(volumes(10))
    answer = await read_stream(streamed(parts), SEED, rows.load, Spool(SpoolBudget()), before=before)
    expected = await read_stream(streamed(parts), SEED, await rows.load(), Spool(SpoolBudget()))
    assert not answer.same
    assert rows.loads == 2
    assert (answer.matched, answer.unmatched, answer.items) == (expected.matched, expected.unmatched, expected.items)
    assert list(answer.spool.chunks()) == list(expected.spool.chunks())


async def test_a_large_answer_is_not_kept_until_its_end() -> None:
    items, budget = volumes(20, "x" * (MAX_RESERVED // 10)), SpoolBudget()
    before, rows = (await first(items)).digest, Rows(items)
    spool = Spool(budget)
    answer = await read_stream(streamed(batches(items, size=1)), SEED, rows.load, spool, before=before)
    assert (answer.same, rows.loads, list(answer.matched)) == (False, 1, list(range(20)))
    assert (answer.digest, budget.used) == (before, 0)
