"""What names what, and what adds up, whatever the counts are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delphis.sdk import Context, DiskStatus, StoragePoolStatus
from delphis.type.v1 import options_pb2
from drivers.fake_storage.kinds import DEFAULT_COUNTS, KINDS
from tests.drivers.fake.arrays import access_info, connected, connected_to, everything, listed, native_id

COUNTS = st.fixed_dictionaries({kind: st.one_of(st.integers(0, 3), st.integers(0, 60)) for kind in KINDS}).flatmap(
    lambda counts: st.integers(0, 900).map(lambda volumes: {**counts, "volumes": volumes})
)
DRIFTS = st.sampled_from(["", "all", "7%", "30%, removed=5, added=9, renamed=3, renumbered=4", "added=3", "removed=11"])


def check(array: dict[str, list[Any]], counts: dict[str, int]) -> None:
    ids = {kind: {native_id(item) for item in items} for kind, items in array.items()}
    for kind, items in array.items():
        assert len(ids[kind]) == len(items), kind
        for item in items:
            check_references(item, ids, counts)


def check_references(item: Any, ids: dict[str, set[str]], counts: dict[str, int]) -> None:
    for field in item.DESCRIPTOR.fields:
        kind = field.GetOptions().Extensions[options_pb2.references]
        if not kind or field.number >= 200:
            continue
        plural = next(plural for plural in KINDS if singular(plural) == kind)
        value = getattr(item, field.name)
        if isinstance(value, str):
            assert not item.HasField(field.name) or value in ids[plural], (item, field.name)
        else:
            assert set(value) <= ids[plural], (item, field.name)
            assert len(set(value)) == len(value)
            assert value or not counts[plural] or kind in ("disk", "port"), (item, field.name)


def singular(plural: str) -> str:
    return plural.removesuffix("s")


def check_sums(array: dict[str, list[Any]], storage: Any) -> None:
    pools = array["storage_pools"]
    for pool in pools:
        pool_id = pool.native_storage_pool_id
        inside = [volume for volume in array["volumes"] if volume.native_storage_pool_id == pool_id]
        inside += [filesystem for filesystem in array["filesystems"] if filesystem.native_pool_id == pool_id]
        assert pool.used_capacity == sum(item.used_capacity for item in inside)
        assert pool.subscribed_capacity == sum(item.total_capacity for item in inside)
        assert pool.used_capacity <= pool.total_capacity
        disks = [disk for disk in array["disks"] if disk.native_disk_id in pool.native_disk_ids]
        if disks:
            assert pool.total_capacity == sum(disk.capacity for disk in disks) * 3 // 4
        broken = any(disk.status != DiskStatus.DISK_STATUS_NORMAL for disk in disks)
        assert (pool.status == StoragePoolStatus.STORAGE_POOL_STATUS_DEGRADED) == broken
    for item in [storage, *pools, *array["volumes"], *array["filesystems"]]:
        assert item.free_capacity == item.total_capacity - item.used_capacity >= 0
    for field in ("total_capacity", "used_capacity", "free_capacity", "subscribed_capacity"):
        assert getattr(storage, field) == sum(getattr(pool, field) for pool in pools)
    assert storage.raw_capacity == sum(disk.capacity for disk in array["disks"])
    if array["disks"]:
        assert storage.raw_capacity >= storage.total_capacity or len(pools) > len(array["disks"])


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(counts=COUNTS, drift=DRIFTS, port=st.integers(0, 65535), syncs=st.integers(1, 4))
def test_everything_hangs_together(counts: dict[str, int], drift: str, port: int, syncs: int) -> None:
    attributes = {kind: str(count) for kind, count in counts.items()}
    driver = connected_to(access_info({"drift": drift, **attributes}, port=port))
    for _ in range(syncs):
        storage = driver.get_storage(Context())
        array = everything(driver)
        if not ("removed" in drift or "added" in drift):
            assert {kind: len(items) for kind, items in array.items()} == counts
        check(array, {**counts, "volumes": len(array["volumes"])})
        check_sums(array, storage)


def test_a_demonstration_array_has_everything() -> None:
    array = everything(connected())
    assert {kind: len(items) for kind, items in array.items()} == DEFAULT_COUNTS
    for view in array["masking_views"]:
        assert view.HasField("native_storage_host_id") != view.HasField("native_storage_host_group_id")
        assert view.HasField("native_volume_id") != view.HasField("native_volume_group_id")
        assert view.HasField("native_port_group_id")
    for field in (
        "native_storage_host_id",
        "native_volume_id",
        "native_storage_host_group_id",
        "native_volume_group_id",
    ):
        assert any(view.HasField(field) for view in array["masking_views"])
    assert all(initiator.native_storage_host_id for initiator in array["storage_host_initiators"])
    assert all(volume.native_storage_pool_id for volume in array["volumes"])
    assert all(port.native_parent_id for port in array["ports"])
    assert {quota.native_qtree_id != "" for quota in array["quotas"]} == {True, False}
    assert all(pool.native_disk_ids for pool in array["storage_pools"])


def test_files_agree_on_their_paths() -> None:
    array = everything(connected(filesystems="5", qtrees="23", shares="40", quotas="60"))
    qtrees = {qtree.native_qtree_id: qtree for qtree in array["qtrees"]}
    filesystems = {filesystem.native_filesystem_id: filesystem for filesystem in array["filesystems"]}
    for share in array["shares"]:
        filesystem = filesystems[share.native_filesystem_id]
        if share.HasField("native_qtree_id"):
            assert share.path == qtrees[share.native_qtree_id].path
            assert qtrees[share.native_qtree_id].native_filesystem_id == share.native_filesystem_id
        else:
            assert share.path == f"/{filesystem.name}"
    for quota in array["quotas"]:
        assert quota.used_capacity <= quota.capacity_soft_limit <= quota.capacity_hard_limit
        if quota.HasField("native_qtree_id"):
            assert qtrees[quota.native_qtree_id].native_filesystem_id == quota.native_filesystem_id
    for native, filesystem in filesystems.items():
        counted = sum(quota.used_capacity for quota in array["quotas"] if quota.native_filesystem_id == native)
        assert counted <= filesystem.used_capacity


def test_some_parts_are_broken_and_most_are_not() -> None:
    disks = [disk for port in range(30) for disk in listed(connected_to(access_info(port=port)), "disks")]
    broken = [disk for disk in disks if disk.status != DiskStatus.DISK_STATUS_NORMAL]
    assert len(disks) / 50 < len(broken) < len(disks) / 10
    assert {disk.status for disk in disks} >= {DiskStatus.DISK_STATUS_OFFLINE, DiskStatus.DISK_STATUS_DEGRADED}


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_may_be_large(kind: str) -> None:
    array = everything(connected(**{kind: "3000"}))
    assert len(array[kind]) == 3000
    check(array, {kind: len(items) for kind, items in array.items()})


def test_no_message_is_larger_than_a_batch_may_be() -> None:
    groups = listed(connected(volumes="200000", volume_groups="3", storage_hosts="50000"), "volume_groups")
    assert max(group.ByteSize() for group in groups) < 1 << 20
