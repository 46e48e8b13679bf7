"""The sync of one kind: what is stored, what is reported, which ids stay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from delphis.driver.v1 import storage_driver_pb2
from delphis.inventory.v1 import change_pb2
from delphis.type.v1 import block_pb2, hardware_pb2, host_pb2, storage_pb2
from services.calls.errors import CallError
from services.inventory.kinds import KINDS
from services.inventory.sync.cleanup import accept_removals, remove_resources
from services.inventory.sync.kind_sync import sync_kind
from services.inventory.sync.result import (
    FAILED,
    OK,
    PARTIAL,
    SUSPICIOUS,
    UNSUPPORTED,
    KindMoved,
    StorageGone,
)
from services.store.connection import Connection
from services.store.engine import Store
from services.store.minting import id_prefix
from services.store.statement import sql
from tests.sync.arrays import HOUR, Array, mark_deleted, number_of

Volume = block_pb2.Volume
CHANGED = change_pb2.CHANGE_TYPE_CHANGED


def volume(number: int, **fields: Any) -> Volume:
    fields = {"name": f"volume {number}", "wwn": f"wwn{number:04}", "total_capacity": 1000, **fields}
    return Volume(native_volume_id=f"v{number}", **fields)


def volumes(count: int, **fields: Any) -> list[Volume]:
    return [volume(number, **fields) for number in range(count)]


async def test_first_unchanged_changed(store: Store) -> None:
    array = await Array.new(store)
    result = await array.sync(volumes(7))
    assert (result.outcome, result.total, result.added, result.written) == (OK, 7, 7, 7)
    assert await array.change_names() == ["LOADED"]
    rows = await array.rows()
    assert list(rows) == [f"v{number}" for number in range(7)]
    for row in rows.values():
        assert row.storage_id.replace("-", "") == array.id.hex()
        assert bytes.fromhex(row.id.replace("-", ""))[:4] == id_prefix(array.id)
        assert row.HasField("created_at")
        assert not row.HasField("updated_at")
        assert not row.HasField("missing")
    assert len({row.id for row in rows.values()}) == 7

    result = await array.sync(volumes(7))
    assert (result.outcome, result.total, result.added, result.changed, result.written) == (OK, 7, 0, 0, 0)
    assert await array.rows() == rows
    assert await array.change_names() == []

    result = await array.sync([volume(0), volume(1, total_capacity=5), *volumes(7)[2:], volume(7)])
    assert (result.added, result.changed, result.removed, result.total) == (1, 1, 0, 8)
    after = await array.rows()
    assert after["v1"].total_capacity == 5
    assert (after["v1"].id, after["v1"].created_at) == (rows["v1"].id, rows["v1"].created_at)
    assert after["v1"].updated_at.ToMicroseconds() == array.now
    assert after["v0"] == rows["v0"]
    changes = await array.changes()
    assert [(change.type, change.native_id, list(change.fields)) for change in changes] == [
        (CHANGED, "v1", ["total_capacity"]),
        (change_pb2.CHANGE_TYPE_ADDED, "v7", []),
    ]
    assert [change.position for change in changes] == [2, 3]
    assert changes[0].id == after["v1"].id
    assert changes[0].at.ToMicroseconds() == array.now
    assert changes[0].storage_id == after["v1"].storage_id


async def test_indexed_fields_change_too(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(30))
    await array.change_names()
    await array.sync(
        [volume(n, name="new", native_storage_pool_id="p", status=block_pb2.VOLUME_STATUS_ERROR) for n in range(30)]
    )
    rows = await array.rows()
    assert {row.name for row in rows.values()} == {"new"}
    assert {tuple(change.fields) for change in await array.changes()} == {("name", "status", "native_storage_pool_id")}


async def test_zero_and_unset_differ(store: Store) -> None:
    array = await Array.new(store)
    await array.sync([volume(1, used_capacity=0), volume(2)])
    await array.changes()
    await array.sync([volume(1), volume(2, used_capacity=0)])
    rows = await array.rows()
    assert not rows["v1"].HasField("used_capacity")
    assert rows["v2"].HasField("used_capacity")
    assert [list(change.fields) for change in await array.changes()] == [["used_capacity"], ["used_capacity"]]


async def test_other_bytes_of_the_same_message_change_nothing(store: Store) -> None:
    array = await Array.new(store)
    await array.sync([volume(1, native={"a": "1", "b": "2"}), volume(2)])
    before = await array.rows()
    await array.changes()
    entry = [b"\x7a\x06\x0a\x01a\x12\x011", b"\x7a\x06\x0a\x01b\x12\x012"]
    plain = volume(1).SerializeToString()
    # The map's entries in another order, in front; a field that is the core's; one that nobody knows.
    item = entry[1] + entry[0] + plain + b"\xc2\x0c\x03abc" + b"\x98\x3f\x01"
    assert Volume.FromString(item).native == {"a": "1", "b": "2"}
    response = storage_driver_pb2.ListVolumesResponse(items=[volume(2)], complete=True)
    raw = [b"\x0a" + bytes((len(item),)) + item, response.SerializeToString()]
    result = await array.sync(raw=raw)
    assert (result.outcome, result.written, result.changed) == (OK, 0, 0)
    assert await array.rows() == before
    assert await array.changes() == []


async def test_what_belongs_to_the_core_is_stripped(store: Store) -> None:
    array = await Array.new(store)
    forged = volume(1, id="0" * 36, storage_id="x", missing=True)
    forged.created_at.seconds = 1
    await array.sync([forged])
    row = (await array.rows())["v1"]
    assert row.id != "0" * 36
    assert row.storage_id.replace("-", "") == array.id.hex()
    assert row.created_at.seconds > 1
    assert not row.missing


async def test_a_new_schema_rewrites_rows_and_reports_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    array = await Array.new(store)
    await array.sync(volumes(5))
    before = await array.rows()
    await array.changes()
    monkeypatch.setitem(KINDS["volume"].__dict__, "seed", KINDS["volume"].seed ^ 1)
    result = await array.sync([*volumes(4), volume(4, total_capacity=1)])
    assert (result.written, result.changed) == (5, 1)
    after = await array.rows()
    assert after.pop("v4") != before.pop("v4")
    assert after == before
    assert await array.change_names() == ["CHANGED v4"]
    assert (await array.sync([*volumes(4), volume(4, total_capacity=1)])).written == 0


async def test_removed_at_once_where_it_is_little(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(100))
    await array.changes()
    result = await array.sync(volumes(100)[:70])
    assert (result.outcome, result.removed, result.total) == (OK, 30, 70)
    assert len(await array.rows()) == 70
    assert sorted(await array.change_names()) == sorted(f"REMOVED v{number}" for number in range(70, 100))
    result = await array.sync(volumes(60))
    assert (result.outcome, result.removed) == (OK, 10)


@pytest.mark.parametrize("troubled", [False, True])
async def test_a_large_loss_is_kept_until_believed(store: Store, troubled: bool) -> None:
    status = storage_pb2.STORAGE_STATUS_OFFLINE if troubled else storage_pb2.STORAGE_STATUS_NORMAL
    left = 99 if troubled else 60
    array = await Array.new(store)
    await array.sync(volumes(100))
    await array.changes()
    result = await array.sync(volumes(left), storage_status=status)
    assert (result.outcome, result.removed, result.missing, result.missing_answers) == (SUSPICIOUS, 0, 100 - left, 1)
    assert result.missing_since == array.now
    assert "lacks" in result.error_msg
    rows = await array.rows()
    assert [row.missing for row in rows.values()] == [False] * left + [True] * (100 - left)
    assert len(await array.change_names()) == 100 - left

    result = await array.sync(volumes(left), storage_status=status)
    assert (result.outcome, result.missing_answers, result.written) == (SUSPICIOUS, 2, 0)
    assert await array.change_names() == []
    result = await array.sync(volumes(left), storage_status=status)
    assert (result.outcome, result.missing_answers) == (SUSPICIOUS, 3), "three answers, but not over an hour"
    result = await array.sync(volumes(left), storage_status=status, later=HOUR)
    assert (result.outcome, result.removed, result.missing) == (OK, 100 - left, 0)
    assert len(await array.rows()) == left


async def test_what_was_missed_comes_back(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(100))
    before = await array.rows()
    await array.sync(volumes(50))
    await array.changes()
    result = await array.sync([*volumes(75), *volumes(100, total_capacity=1)[75:]])
    assert (result.outcome, result.missing, result.missing_answers, result.total) == (OK, 0, 0, 100)
    changes = {change.native_id: list(change.fields) for change in await array.changes()}
    assert changes["v60"] == ["missing"]
    assert changes["v80"] == ["total_capacity", "missing"]
    assert len(changes) == 50
    after = await array.rows()
    assert {native_id: row.id for native_id, row in after.items()} == {n: row.id for n, row in before.items()}
    assert after["v60"] == before["v60"]
    result = await array.sync([*volumes(75), *volumes(100, total_capacity=1)[75:]])
    assert result.written == 0


async def test_an_empty_answer_removes_nothing(store: Store) -> None:
    array = await Array.new(store)
    assert (await array.sync([])).outcome == OK
    await array.sync(volumes(3))
    result = await array.sync([])
    assert (result.outcome, result.missing, result.total) == (SUSPICIOUS, 3, 3)


async def test_an_incomplete_answer_removes_nothing_but_adds(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(3))
    await array.changes()
    result = await array.sync([volume(1, total_capacity=7), volume(5)], complete=False)
    assert (result.outcome, result.total, result.added, result.changed, result.removed) == (PARTIAL, 4, 1, 1, 0)
    assert set(await array.rows()) == {"v0", "v1", "v2", "v5"}
    assert await array.change_names() == ["CHANGED v1", "ADDED v5"]
    assert result.last_success_at < array.now


async def test_changes_begin_with_the_first_complete_answer(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(3), complete=False)
    assert await array.changes() == []
    await array.sync(volumes(5))
    (change,) = await array.changes()
    assert (change.type, change.count, change.kind) == (change_pb2.CHANGE_TYPE_LOADED, 5, "volume")


async def test_operators_accept_removals(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(50))
    await array.sync(volumes(10))
    await array.changes()
    (result,) = await accept_removals(store, array.id, "volume")
    assert (result.outcome, result.removed, result.total, result.missing) == (OK, 40, 10, 0)
    assert len(await array.rows()) == 10
    assert len(await array.change_names()) == 40
    with pytest.raises(CallError) as refused:
        await accept_removals(store, array.id)
    assert refused.value.reason == "NOTHING_TO_ACCEPT"
    result = await array.sync(volumes(10))
    assert (result.outcome, result.written, result.missing) == (OK, 0, 0)


async def test_what_returns_gets_its_old_id(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(20))
    before = await array.rows()
    await array.sync(volumes(15))
    await array.changes()
    result = await array.sync([*volumes(17), volume(17, wwn="other")])
    assert result.added == 3
    after = await array.rows()
    assert [after[f"v{n}"].id == before[f"v{n}"].id for n in (15, 16, 17)] == [True, True, False]
    assert after["v15"].created_at == before["v15"].created_at
    assert await array.change_names() == ["RESTORED v15", "RESTORED v16", "ADDED v17"]


async def test_after_thirty_days_it_gets_a_new_one(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(5))
    before = await array.rows()
    await array.sync(volumes(4))
    await array.sync(volumes(5), later=31 * 24 * HOUR)
    assert (await array.rows())["v4"].id != before["v4"].id


async def test_the_same_native_id_with_another_wwn_is_another_volume(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(3))
    before = await array.rows()
    await array.changes()
    result = await array.sync([volume(0), volume(1, wwn="new"), volume(2, wwn="")])
    assert (result.added, result.removed, result.changed, result.total) == (1, 1, 1, 3)
    after = await array.rows()
    assert after["v1"].id != before["v1"].id
    assert after["v2"].id == before["v2"].id, "no wwn says nothing about identity"
    changes = await array.changes()
    assert [(change.type, change.native_id) for change in changes] == [
        (change_pb2.CHANGE_TYPE_REPLACED, "v1"),
        (CHANGED, "v2"),
    ]
    assert (changes[0].id, changes[0].previous_id) == (after["v1"].id, before["v1"].id)
    # The old one returns under its old name: it is known.
    await array.sync([volume(0), volume(1), volume(2, wwn="")])
    assert (await array.rows())["v1"].id == before["v1"].id


async def test_renames_keep_the_id(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(3))
    before = await array.rows()
    await array.changes()
    renamed = volume(1)
    renamed.native_volume_id = "w1"
    renamed.previous_native_ids.append("v1")
    result = await array.sync([volume(0), renamed, volume(2)])
    assert (result.added, result.changed, result.removed, result.total) == (0, 1, 0, 3)
    after = await array.rows()
    assert set(after) == {"v0", "w1", "v2"}
    assert after["w1"].id == before["v1"].id
    (change,) = await array.changes()
    assert (change.type, change.native_id) == (CHANGED, "w1")
    assert list(change.fields) == ["native_volume_id", "previous_native_ids"]
    assert (await array.sync([volume(0), renamed, volume(2)])).written == 0


async def test_a_rename_does_not_take_what_is_still_there(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(2))
    before = await array.rows()
    other = volume(9, wwn="", previous_native_ids=["v1"])
    foreign = volume(8, wwn="foreign", previous_native_ids=["v0"])
    result = await array.sync([volume(1), other, foreign])
    after = await array.rows()
    assert after["v1"].id == before["v1"].id
    assert len({after["v1"].id, after["v9"].id, after["v8"].id, before["v0"].id}) == 4
    assert (result.added, result.removed) == (2, 1)


@pytest.mark.parametrize("stored", [0, 1, 2, 3])
async def test_of_duplicates_the_first_wins(store: Store, stored: int) -> None:
    """Whether none, the first, the second or neither is what is stored."""
    array = await Array.new(store)
    first, second, neither = (volume(1, total_capacity=n) for n in (1, 2, 3))
    if stored:
        await array.sync([volume(0), [first, second, neither][stored - 1]])
    result = await array.sync([volume(0), first, second, second])
    assert result.outcome == PARTIAL
    assert "v1" in result.warnings[0]
    assert (await array.rows())["v1"].total_capacity == 1
    assert len(await array.rows()) == 2
    result = await array.sync([volume(0), first, second])
    assert (result.outcome, (await array.rows())["v1"].total_capacity) == (PARTIAL, 1)
    assert (await array.sync([volume(0), first])).outcome == OK


async def test_garbage_in_an_answer_spares_the_rest_and_removes_nothing(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(3))
    good = storage_driver_pb2.ListVolumesResponse(items=[volume(0), volume(7), Volume(name="nameless")], complete=True)
    bad_item = b"\x0a\x03\x0a\xff\xff"
    result = await array.sync(raw=[bad_item, good.SerializeToString()])
    assert (result.outcome, result.total, result.added) == (PARTIAL, 4, 1)
    assert "can't be read" in result.error_msg
    assert set(await array.rows()) == {"v0", "v1", "v2", "v7"}


@pytest.mark.parametrize(
    "raw",
    [
        [b"\xff\xff\xff"],
        [
            storage_driver_pb2.ListVolumesResponse(complete=True).SerializeToString(),
            storage_driver_pb2.ListVolumesResponse(items=[volume(1)]).SerializeToString(),
        ],
    ],
)
async def test_a_broken_stream_writes_nothing(store: Store, raw: list[bytes]) -> None:
    array = await Array.new(store)
    await array.sync(volumes(2))
    result = await array.sync(raw=raw)
    assert (result.outcome, result.error_code, result.total) == (FAILED, "DriverBrokeContract", 2)
    assert len(await array.rows()) == 2


async def test_an_error_of_the_stream_is_the_kinds(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(2))
    error = CallError("ARRAY_UNREACHABLE", "The array 127.0.0.1 does not answer.")
    result = await array.sync(volumes(1), error=error)
    assert (result.outcome, result.error_code, result.error) == (FAILED, "ArrayUnreachable", error)
    assert len(await array.rows()) == 2
    error = CallError("STORAGE_CAPABILITY_NOT_SUPPORTED", "No.")
    assert (await array.sync(error=error)).outcome == UNSUPPORTED


async def test_warnings_are_kept_in_bounds(store: Store) -> None:
    array = await Array.new(store)
    response = storage_driver_pb2.ListVolumesResponse(complete=True)
    for number in range(50):
        response.warnings.add(message="x" * 2000, native_id=f"v{number}")
    result = await array.sync(raw=[response.SerializeToString()])
    assert len(result.warnings) == 20
    assert max(map(len, result.warnings)) <= 500


async def test_a_guard_stops_the_transaction(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(2))

    def superseded(connection: Connection) -> None:
        raise LookupError("another attempt runs")

    with pytest.raises(LookupError):
        await array.sync(volumes(5), guard=superseded)
    with pytest.raises(LookupError):
        await array.sync(error=CallError("ARRAY_BUSY", "…"), guard=superseded)
    assert len(await array.rows()) == 2


async def test_a_removed_storage_gets_nothing_more(store: Store) -> None:
    array = await Array.new(store, "storage_host_group")
    number = await number_of(store, array.id)
    groups = [
        host_pb2.StorageHostGroup(native_storage_host_group_id=f"g{n}", storage_hosts=["a", "b"]) for n in range(9)
    ]
    await array.sync(groups)
    await array.sync(groups[:7])
    started = asyncio.Event()
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        started.set()
        await go_on.wait()
        yield storage_driver_pb2.ListStorageHostGroupsResponse(items=groups, complete=True).SerializeToString()

    running = asyncio.ensure_future(sync_kind(store, array.id, array.kind, slow()))
    await started.wait()
    await mark_deleted(store, array.id)
    removing = asyncio.ensure_future(remove_resources(store, number))
    go_on.set()
    with pytest.raises(StorageGone):
        await running
    assert await removing == 7
    with pytest.raises(StorageGone):
        await array.sync(groups)
    for table in ("storage_host_groups", "members", "tombstones", "kind_states"):
        count = f"SELECT count(*) FROM {table} WHERE storage_no = {number}"
        assert await store.read(lambda c, count=count: c.value(sql(sqlite=count, postgresql=count))) == 0  # type: ignore[misc]


async def test_a_kind_that_moved_meanwhile_is_read_again(store: Store) -> None:
    array = await Array.new(store)
    await array.sync(volumes(30))
    await array.sync(volumes(10))

    async def accepted_meanwhile() -> AsyncIterator[bytes]:
        await accept_removals(store, array.id, "volume")
        yield storage_driver_pb2.ListVolumesResponse(items=volumes(11), complete=True).SerializeToString()

    with pytest.raises(KindMoved):
        await sync_kind(store, array.id, "volume", accepted_meanwhile())
    assert len(await array.rows()) == 10


async def test_equal_native_ids_on_two_arrays_are_two_resources(store: Store) -> None:
    one, two = await Array.new(store), await Array.new(store)
    await one.sync(volumes(3))
    await two.sync(volumes(3, total_capacity=2))
    await one.sync(volumes(2))
    ids = {row.id for array in (one, two) for row in (await array.rows()).values()}
    assert len(ids) == 5


async def test_many_small_kinds_at_once(store: Store) -> None:
    arrays = [await Array.new(store) for _ in range(20)]
    await asyncio.gather(*(array.sync(volumes(10)) for array in arrays))
    for array in arrays:
        assert len(await array.rows()) == 10
        assert await array.change_names() == ["LOADED"]


async def test_members_follow_their_group(store: Store) -> None:
    array = await Array.new(store, "port_group")
    number = await number_of(store, array.id)
    text = f"SELECT native_id, member FROM members WHERE storage_no = {number} ORDER BY 1, 2"
    query = sql(sqlite=text, postgresql=text)

    def group(name: str, *ports: str) -> hardware_pb2.PortGroup:
        return hardware_pb2.PortGroup(native_port_group_id=name, ports=ports)

    async def members() -> list[str]:
        return [f"{a}:{b}" for a, b in await store.read(lambda c: c.all(query))]

    await array.sync([group("a", "1", "2", "2", ""), group("b", "1")])
    assert await members() == ["a:1", "a:2", "b:1"]
    await array.sync([group("a", "3", "2"), group("b", "1")])
    assert await members() == ["a:2", "a:3", "b:1"]
    renamed = group("c", "1", "4")
    renamed.previous_native_ids.append("b")
    await array.sync([group("a", "3", "2"), renamed])
    assert await members() == ["a:2", "a:3", "c:1", "c:4"]
    await array.sync([renamed])
    assert await members() == ["c:1", "c:4"]


async def test_long_and_strange_texts_are_kept_in_the_message(store: Store) -> None:
    array = await Array.new(store)
    strange = "nul \0 and ✓ and 名" + "x" * 5000
    result = await array.sync([volume(1, description=strange), volume(2, wwn="w" * 3000), volume(3, status=99)])
    assert result.outcome == OK
    rows = await array.rows()
    assert rows["v1"].description == strange
    assert rows["v2"].wwn == "w" * 3000
    assert rows["v3"].status == 99
    result = await array.sync([Volume(native_volume_id="n" * 600), Volume(native_volume_id="a\0b")])
    assert result.outcome == PARTIAL


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_is_stored(store: Store, kind: str) -> None:
    array = await Array.new(store, kind)
    described = KINDS[kind]

    def resource(number: int, revision: int) -> Any:
        message = described.message()
        for field in described.descriptor.fields:
            if field.number >= 200 or field.name == "previous_native_ids":
                continue
            if field.name == "native":
                message.native["key"] = f"value {revision}"  # type: ignore[attr-defined]
            elif field.name == described.native_field:
                setattr(message, field.name, f"n{number}")
            elif field.type == field.TYPE_STRING and field.has_presence:
                # The identity stays, or each change were a replacement.
                setattr(message, field.name, f"{field.name} {number} {0 if field.number == 3 else revision}")
            elif field.type == field.TYPE_STRING:
                getattr(message, field.name).extend([f"m{number}", f"m{revision}"])
            else:
                setattr(message, field.name, 1 if field.type == field.TYPE_BOOL else 2 + revision % 2)
        return message

    result = await array.sync([resource(number, 0) for number in range(25)])
    assert (result.outcome, result.added) == (OK, 25)
    result = await array.sync([resource(number, 1) for number in range(25)])
    assert (result.outcome, result.changed, result.total) == (OK, 25, 25)
    rows = await array.rows()
    for number in range(25):
        stored = described.message()
        stored.CopyFrom(rows[f"n{number}"])
        for field in described.descriptor.fields:
            if field.number >= 200:
                stored.ClearField(field.name)
        assert stored == resource(number, 1)
    await array.sync([resource(number, 1) for number in range(20)])
    assert len(await array.rows()) == 20
