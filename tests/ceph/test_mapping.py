"""What of a cluster becomes what of the contract. Against a recording."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import pytest

from delphis.sdk import (
    ControllerStatus,
    DiskLogicalType,
    DiskPhysicalType,
    DiskStatus,
    FilesystemStatus,
    StoragePoolStatus,
    StorageStatus,
    StorageType,
    VolumeStatus,
    VolumeType,
    errors,
)
from drivers.ceph.daemons import address_of
from drivers.ceph.pools import serves_io, status_of
from drivers.ceph.quantities import count, latest
from tests.ceph.dashboard import Recorded, recorded
from tests.sdk_http.server import Says


@pytest.fixture
def cluster() -> Iterator[Recorded]:
    with recorded() as one:
        yield one


def test_the_cluster(cluster: Recorded) -> None:
    storage = cluster.driver.get_storage(cluster.context)
    assert storage.serial_number == "664654ea-f30a-416d-99a4-c59b17502d1f"
    assert (storage.vendor, storage.model, storage.firmware_version) == ("ceph", "cluster", "16.2.15")
    assert storage.status == StorageStatus.STORAGE_STATUS_DEGRADED
    assert storage.total_capacity == storage.raw_capacity == 12884901888
    assert storage.used_capacity + storage.free_capacity == storage.total_capacity
    assert dict(storage.native) == {"release": "pacific", "health": "HEALTH_WARN", "checks": "OSD_DOWN"}


@pytest.mark.parametrize(
    ("health", "status"),
    [
        ("HEALTH_OK", StorageStatus.STORAGE_STATUS_NORMAL),
        ("HEALTH_ERR", StorageStatus.STORAGE_STATUS_ABNORMAL),
        ("HEALTH_NEW", StorageStatus.STORAGE_STATUS_UNKNOWN),
    ],
)
def test_health(cluster: Recorded, health: str, status: int) -> None:
    cluster.dashboard.answers["/api/health/minimal"]["health"]["status"] = health
    assert cluster.driver.get_storage(cluster.context).status == status


@pytest.mark.parametrize("monitor", [{}, {"mon_status": {}}, {"mon_status": {"monmap": {"fsid": ""}}}])
def test_no_identity(cluster: Recorded, monitor: dict[str, Any]) -> None:
    cluster.dashboard.answers["/api/monitor"] = monitor
    with pytest.raises(errors.InvalidResults):
        cluster.driver.get_storage(cluster.context)


def test_pools(cluster: Recorded) -> None:
    pools = {pool.name: pool for pool in cluster.driver.list_storage_pools(cluster.context)}
    block = pools["rbd"]
    assert block.native_storage_pool_id == "1"
    assert block.status == StoragePoolStatus.STORAGE_POOL_STATUS_DEGRADED
    assert block.storage_type == StorageType.STORAGE_TYPE_BLOCK
    assert (block.used_capacity, block.free_capacity) == (67108864, 5663742976), "negative rates beside them"
    assert block.total_capacity == 67108864 + 5663742976
    assert [disk[-1] for disk in block.native_disk_ids] == ["0", "1", "2", "3"]
    assert block.native_disk_ids[3] == "osd.3"

    assert [disk[-1] for disk in pools["cephfs.meta"].native_disk_ids] == ["2"], "a rule for flash alone"

    full = pools["cephfs.data"]
    assert full.status == StoragePoolStatus.STORAGE_POOL_STATUS_ABNORMAL
    assert full.storage_type == StorageType.STORAGE_TYPE_UNIFIED
    assert (full.total_capacity, full.used_capacity, full.free_capacity) == (1000, 400, 600), "bounded by its quota"

    odd = pools[".mgr"]
    assert odd.status == StoragePoolStatus.STORAGE_POOL_STATUS_ABNORMAL
    for field in ("used_capacity", "free_capacity", "total_capacity", "storage_type"):
        assert not odd.HasField(field), "a number that can be none is not passed on"
    assert not odd.native_disk_ids
    assert cluster.context.is_complete


@pytest.mark.parametrize(
    ("states", "status", "usable"),
    [
        ({}, StoragePoolStatus.STORAGE_POOL_STATUS_UNKNOWN, True),
        ({"active+clean": 8, "down": 0}, StoragePoolStatus.STORAGE_POOL_STATUS_NORMAL, True),
        ({"active+clean+scrubbing+deep": 8}, StoragePoolStatus.STORAGE_POOL_STATUS_NORMAL, True),
        ({"active+remapped+backfilling": 1}, StoragePoolStatus.STORAGE_POOL_STATUS_NORMAL, True),
        ({"active+undersized": 1, "active+clean": 7}, StoragePoolStatus.STORAGE_POOL_STATUS_DEGRADED, True),
        ({"peering": 1}, StoragePoolStatus.STORAGE_POOL_STATUS_DEGRADED, False),
        ({"active+clean+inconsistent": 1}, StoragePoolStatus.STORAGE_POOL_STATUS_ABNORMAL, True),
        ({"stale+active+clean": 1}, StoragePoolStatus.STORAGE_POOL_STATUS_ABNORMAL, False),
        ({"down": 1}, StoragePoolStatus.STORAGE_POOL_STATUS_ABNORMAL, False),
    ],
)
def test_states_of_a_pool(states: dict[str, int], status: int, usable: bool) -> None:
    assert status_of({"pg_status": states}) == status
    assert serves_io({"pg_status": states}) is usable


def test_images(cluster: Recorded) -> None:
    volumes = {volume.name: volume for volume in cluster.driver.list_volumes(cluster.context)}
    assert sorted(volumes) == ["inner", "last", "old", "plain", "vol1", "wide"], (
        "more than five, without the leaving one"
    )
    first = volumes["vol1"]
    assert first.native_volume_id == "1/104713dad887"
    assert first.native_storage_pool_id == "1"
    assert (first.total_capacity, first.used_capacity, first.free_capacity) == (67108864, 16777216, 50331648)
    assert first.status == VolumeStatus.VOLUME_STATUS_AVAILABLE
    assert first.type == VolumeType.VOLUME_TYPE_THIN
    assert first.native["snapshots"] == "1"
    assert not first.compressed
    assert volumes["inner"].native_volume_id == "1/ns1/10559ff29c9b"
    assert not volumes["plain"].HasField("used_capacity"), "no fast-diff, no figure"
    assert volumes["wide"].compressed
    assert volumes["wide"].native["parent"] == "rbd/vol1@s1"
    assert volumes["old"].native_volume_id == "1/name:old"
    assert volumes["old"].free_capacity == 0
    assert cluster.context.is_complete


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 8, 100])
def test_pages_of_images(cluster: Recorded, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.ceph.image_list.AT_A_TIME", size)
    assert len(list(cluster.driver.list_volumes(cluster.context))) == 6
    assert cluster.context.is_complete


def test_images_that_go_while_they_are_listed(cluster: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.ceph.image_list.AT_A_TIME", 2)
    volumes = cluster.driver.list_volumes(cluster.context)
    first = next(volumes)
    del cluster.dashboard.answers["/api/block/image"][0]
    assert len([first, *volumes]) < 6
    assert not cluster.context.is_complete, "nothing is removed from the inventory"


def test_images_that_shift_are_listed_once(cluster: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.ceph.image_list.AT_A_TIME", 2)
    volumes = cluster.driver.list_volumes(cluster.context)
    first = next(volumes)
    images = cluster.dashboard.answers["/api/block/image"]
    images.insert(0, {**images[0], "name": "new", "id": "new"})
    del images[-1]
    ids = [volume.native_volume_id for volume in (first, *volumes)]
    assert len(ids) == len(set(ids))
    assert not cluster.context.is_complete


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("renamed", [{"vol1"}, {"last"}, {"vol1", "inner"}])
def test_images_that_are_counted_but_not_given(
    cluster: Recorded, monkeypatch: pytest.MonkeyPatch, size: int, renamed: set[str]
) -> None:
    monkeypatch.setattr("drivers.ceph.image_list.AT_A_TIME", size)
    cluster.dashboard.renamed = renamed
    assert len(list(cluster.driver.list_volumes(cluster.context))) == 6 - len(renamed), "each of the others once"
    assert not cluster.context.is_complete
    assert "renamed" in cluster.context.warnings[-1].message


def test_an_image_that_cannot_be_read(cluster: Recorded) -> None:
    cluster.dashboard.answers["/api/block/image"][2] = {"name": "odd", "pool_name": "rbd"}
    assert len(list(cluster.driver.list_volumes(cluster.context))) == 5
    assert not cluster.context.is_complete
    assert "image" in cluster.context.warnings[0].message


def test_a_pool_that_does_not_answer(cluster: Recorded) -> None:
    def fail_for(pool: str) -> None:
        original = cluster.dashboard._images

        def images(asked: Any) -> Says:
            if asked.params["pool_name"] == pool:
                return Says({"detail": "timed out", "code": "110", "component": "rbd"}, 400)
            return original(asked)

        cluster.dashboard._images = images  # type: ignore[method-assign]

    fail_for("cephfs.data")
    assert len(list(cluster.driver.list_volumes(cluster.context))) == 6
    assert not cluster.context.is_complete
    assert cluster.context.warnings[0].native_id == "3"
    fail_for("rbd")
    with pytest.raises(errors.StorageBackendException):
        list(cluster.driver.list_volumes(cluster.context))


def test_disks(cluster: Recorded) -> None:
    working, dead, emptied, destroyed = cluster.driver.list_disks(cluster.context)
    assert working.name == "osd.0"
    assert working.native_disk_id == "11111111-aaaa-4000-8000-000000000000"
    assert (working.status, working.capacity) == (DiskStatus.DISK_STATUS_NORMAL, 4294967296)
    assert working.physical_type == DiskPhysicalType.DISK_PHYSICAL_TYPE_HDD
    assert (working.location, working.logical_type) == ("node-a", DiskLogicalType.DISK_LOGICAL_TYPE_DATA)
    assert dead.status == DiskStatus.DISK_STATUS_ABNORMAL
    assert emptied.status == DiskStatus.DISK_STATUS_OFFLINE
    assert emptied.physical_type == DiskPhysicalType.DISK_PHYSICAL_TYPE_NVME_SSD
    assert destroyed.native_disk_id == "osd.3"
    assert destroyed.logical_type == DiskLogicalType.DISK_LOGICAL_TYPE_BROKEN
    assert not destroyed.HasField("capacity")


def test_monitors_and_managers(cluster: Recorded) -> None:
    found = {one.name: one for one in cluster.driver.list_controllers(cluster.context)}
    assert list(found) == ["mon.a", "mon.b", "mon.c", "mgr.x", "mgr.y"]
    assert found["mon.a"].location == "node-a"
    assert found["mon.a"].native["role"] == "leader"
    assert found["mon.b"].mgmt_ip == "fd00::8"
    assert found["mon.c"].status == ControllerStatus.CONTROLLER_STATUS_OFFLINE
    assert found["mgr.x"].soft_version == "16.2.14"
    assert found["mgr.y"].native["role"] == "standby"
    assert not found["mgr.y"].HasField("mgmt_ip")


def test_filesystems(cluster: Recorded) -> None:
    works, lost = cluster.driver.list_filesystems(cluster.context)
    assert (works.native_filesystem_id, works.name, works.native_pool_id) == ("1", "cephfs", "3")
    assert works.status == FilesystemStatus.FILESYSTEM_STATUS_NORMAL
    assert works.used_capacity == 400
    assert works.compressed
    assert lost.status == FilesystemStatus.FILESYSTEM_STATUS_FAULTY
    assert not lost.HasField("total_capacity")


def test_without_the_right_to_see_the_map(cluster: Recorded) -> None:
    cluster.dashboard.says["/api/health/full"] = Says({"detail": "no"}, 403)
    assert len(list(cluster.driver.list_storage_pools(cluster.context))) == 4
    assert cluster.context.is_complete
    assert "disks" in cluster.context.warnings[0].message


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, [None], [[]], {"a": None}])
@pytest.mark.parametrize(
    "path",
    ["/api/monitor", "/api/health/minimal", "/api/health/full", "/api/host", "/api/osd", "/api/pool", "/api/cephfs"],
)
def test_nonsense_is_named_and_never_taken_for_an_empty_cluster(cluster: Recorded, path: str, odd: Any) -> None:
    cluster.dashboard.answers[path] = odd
    driver, context = cluster.driver, cluster.context
    nothing_there = isinstance(odd, list) and not odd
    for ask in (
        driver.get_storage,
        driver.list_storage_pools,
        driver.list_volumes,
        driver.list_disks,
        driver.list_controllers,
        driver.list_filesystems,
    ):
        with contextlib.suppress(errors.DriverError):
            found: Any = ask(context)
            if ask != driver.get_storage and not list(found):
                assert nothing_there or not context.is_complete, (ask, odd)


@pytest.mark.parametrize("value", [-1, -0.5, math.nan, math.inf, 2**63, True, None, "5", [], {}])
def test_no_number(value: Any) -> None:
    assert count(value) is None
    assert latest({"stored": {"latest": value, "rate": -1}}, "stored") is None


@pytest.mark.parametrize(
    ("text", "address"),
    [("10.0.0.7:3300/0", "10.0.0.7"), ("[fd00::8]:3300/0", "fd00::8"), ("-", None), (":/0", None), (None, None)],
)
def test_addresses(text: Any, address: str | None) -> None:
    assert address_of(text) == address
