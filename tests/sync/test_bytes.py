"""The bytes of items, rows and tokens."""

from __future__ import annotations

import uuid
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delphis.type.v1 import block_pb2, host_pb2
from services.inventory.changes import token
from services.inventory.kinds import KINDS
from services.inventory.sync import body
from services.inventory.sync.difference import Difference
from services.inventory.sync.spool import CHUNK, Spool, SpoolBudget
from services.inventory.sync.wire import Batch, driver_part_class
from services.store import minting, wire

STORAGE = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
SEQ = 1_795_366_290_483_554 << 8


@given(st.integers(0, 2**64 - 1))
def test_varints_are_protobufs(value: int) -> None:
    assert wire.varint(value) == block_pb2.Volume(total_capacity=_signed(value)).SerializeToString()[2:] or value == 0


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


@given(st.integers(0, 2**59), st.integers(0, 2**51), st.booleans(), st.text(max_size=300))
def test_a_body_is_the_drivers_part_and_the_cores(seq: int, updated_at: int, missing: bool, name: str) -> None:
    part = block_pb2.Volume(native_volume_id="v1", name=name).SerializeToString()
    ((text, id_),) = minting.mint(minting.id_prefix(STORAGE.bytes), [seq])
    stored = body.BodyMaker(STORAGE.bytes).body(part, text, seq, updated_at)
    if missing:
        stored = body.with_missing(stored, True)
    assert wire.framed(body.message(stored)) == stored
    maker = body.BodyMaker(STORAGE.bytes)
    old_part, core = maker.parts(stored)
    assert (old_part, body.core_id(core)) == (part, text)
    assert maker.renewed(part, core, updated_at) == maker.body(part, text, seq, updated_at)
    volume = block_pb2.Volume.FromString(body.message(stored))
    assert (volume.name, volume.id, volume.storage_id) == (name, text, str(STORAGE))
    assert volume.created_at.ToMicroseconds() == seq >> 8
    assert volume.HasField("updated_at") == bool(updated_at)
    assert volume.updated_at.ToMicroseconds() == updated_at
    assert volume.missing == missing
    assert body.with_missing(stored, False) == body.BodyMaker(STORAGE.bytes).body(part, text, seq, updated_at)
    assert uuid.UUID(bytes=id_) == uuid.UUID(text)
    assert uuid.UUID(text).variant == uuid.RFC_4122
    assert uuid.UUID(text).version == 8


def test_ids_are_in_the_order_of_rows_and_lie_with_their_array() -> None:
    prefix = minting.id_prefix(STORAGE.bytes)
    numbers = range(SEQ, SEQ + 10_000 * 256, 256)  # more than share the upper bits
    minted = minting.mint(prefix, numbers)
    assert sorted(minted) == minted
    assert {id_[:4] for _, id_ in minted} == {prefix}
    assert len({id_ for _, id_ in minted}) == 10_000
    assert [wire.id_text(id_) for _, id_ in minted] == [text for text, _ in minted]
    assert [minting.seq_of(id_) for _, id_ in minted] == list(numbers)


@pytest.mark.parametrize("step", [1, 250_000, 1_000_000], ids=["one second", "the next one too", "seconds apart"])
def test_bodies_of_many_rows_are_those_of_each(step: int) -> None:
    maker = body.BodyMaker(STORAGE.bytes)
    numbers = [SEQ, SEQ + step * 256, SEQ + 2 * step * 256]
    parts = [block_pb2.Volume(name="v" * length).SerializeToString() for length in (0, 200, 20_000)]
    texts = [text for text, _ in minting.mint(maker.prefix, numbers)]
    assert maker.bodies(parts, texts, numbers) == [
        maker.body(part, text, number, 0) for part, text, number in zip(parts, texts, numbers, strict=True)
    ]


def test_hosts_get_their_initiators() -> None:
    host = host_pb2.StorageHost(native_storage_host_id="h1")
    content = body.with_initiators(host.SerializeToString(), ["i1", "i2" * 100])
    assert list(host_pb2.StorageHost.FromString(content).storage_host_initiators) == ["i1", "i2" * 100]


@pytest.mark.parametrize("kind", KINDS)
def test_a_driver_part_knows_nothing_of_the_core(kind: str) -> None:
    part_class = driver_part_class(KINDS[kind])
    assert {field.name for field in part_class.DESCRIPTOR.fields} == {
        field.name for field in KINDS[kind].descriptor.fields if field.number < 200
    }


def test_a_batch_gives_items_unparsed() -> None:
    items = [block_pb2.Volume(native_volume_id=f"v{number}").SerializeToString() for number in range(3)]
    data = b"".join(wire.framed(item) for item in items) + b"\x10\x01"
    batch = Batch.FromString(data)
    assert list(batch.items) == items
    assert batch.complete


def test_differences_name_fields_in_order() -> None:
    difference = Difference(KINDS["storage_pool"])
    part = driver_part_class(KINDS["storage_pool"])

    def fields(old: dict[str, object], new: dict[str, object]) -> list[str]:
        return difference.fields(part(**old), part(**new))

    assert fields({}, {}) == []
    assert fields({"native": {"a": "1", "b": "2"}}, {"native": {"b": "2", "a": "1"}}) == []
    assert fields({"native": {"a": "1"}}, {"native": {"a": "2"}}) == ["native"]
    assert fields({"used_capacity": 0}, {}) == ["used_capacity"]
    assert fields({"name": ""}, {"name": "x"}) == ["name"]
    assert fields({"native_disk_ids": ["a", "b"]}, {"native_disk_ids": ["b", "a"]}) == ["native_disk_ids"]
    assert fields(
        {"name": "a", "status": 2, "total_capacity": 0, "native": {"a": "1"}},
        {"name": "b", "status": 3, "used_capacity": 0, "native": {}},
    ) == ["name", "native", "status", "total_capacity", "used_capacity"]


@pytest.mark.parametrize("own_limit", [0, 1000, 10_000, 1 << 30])
def test_spools_give_back_what_they_got(tmp_path: Path, own_limit: int) -> None:
    budget = SpoolBudget()
    spool = Spool(budget, own_limit=own_limit, folder=str(tmp_path))
    items = [f"item {number}".encode() * (number % 7) for number in range(3 * CHUNK + 5)]
    for number, item in enumerate(items):
        spool.extend([item], array("Q", [number]))
    for _ in range(2):
        found = [pair for chunk, numbers in spool.chunks() for pair in zip(chunk, numbers, strict=True)]
        assert found == [(item, number) for number, item in enumerate(items)]
        assert max(len(chunk) for chunk, _ in spool.chunks()) <= CHUNK
    assert budget.used <= own_limit
    assert list(tmp_path.iterdir()) == [], "the file has no name that could stay behind"
    spool.close()
    assert budget.used == 0


def test_spools_share_a_budget(tmp_path: Path) -> None:
    budget = SpoolBudget(limit=4 << 20)
    spools = [Spool(budget, folder=str(tmp_path)) for _ in range(4)]
    for _ in range(4000):
        for spool in spools:
            spool.extend([b"x" * 1000], array("Q", [0]))
    assert budget.used <= budget.limit + (4 << 20)
    for spool in spools:
        assert sum(len(items) for items, _ in spool.chunks()) == 4000
        spool.close()


@given(st.dictionaries(st.integers(1, 2**31), st.integers(0, 2**40), max_size=50))
def test_tokens_hold_positions(vector: dict[int, int]) -> None:
    text = token.written(vector, "query")
    assert token.read(text, "query") == vector
    assert token.read(text, "other") is None


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda data: data.hex()))
def test_other_tokens_are_refused(text: str) -> None:
    assert token.read(text, "query") is None
