"""Disks, pools and the array as a whole: everything whose capacities add up.

What volumes and filesystems ever use decides how large a pool must be, that decides its disks, and the disks decide
what the pool has. So no drift ever overfills a pool.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from delphis.sdk import (
    Disk,
    DiskLogicalType,
    DiskPhysicalType,
    DiskStatus,
    Storage,
    StoragePool,
    StoragePoolStatus,
    StorageStatus,
    StorageType,
)

from . import growth as growth_of
from .array import Array, Snapshot
from .shapes import GIB
from .volumes import pool_id

_GB = 1_000_000_000
_TIB = 1 << 40


@dataclass(frozen=True)
class _Tier:
    name: str
    physical_type: DiskPhysicalType.ValueType
    model: str
    speed: int | None
    sizes_gb: tuple[int, ...]


_TIERS = (
    _Tier("gold", DiskPhysicalType.DISK_PHYSICAL_TYPE_NVME_SSD, "NV7", None, (960, 1920, 3840, 7680, 15360, 30720)),
    _Tier("silver", DiskPhysicalType.DISK_PHYSICAL_TYPE_SSD, "SS5", None, (480, 960, 1920, 3840, 7680, 15360)),
    _Tier("bronze", DiskPhysicalType.DISK_PHYSICAL_TYPE_SAS, "SA3", 10_000, (300, 600, 900, 1200, 1800, 2400)),
    _Tier("archive", DiskPhysicalType.DISK_PHYSICAL_TYPE_NL_SAS, "NL9", 7_200, (2000, 4000, 8000, 12000, 16000, 22000)),
)
# How much longer operations take than on the first tier.
_SLOWNESS = (1.0, 1.6, 8.0, 14.0)
_MANUFACTURERS = ("Meridian", "Northlake", "Orbis", "Tessel")


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of one pool. `spare` is what its contents never need."""

    total: int
    used: int
    subscribed: int
    spare: int


def room_of(snapshot: Snapshot, pool: int) -> Room:
    return grown(snapshot.array, pool, room_without_snapshots(snapshot, pool), snapshot.when)


def room_without_snapshots(snapshot: Snapshot, pool: int) -> Room:
    disks = len(snapshot.array.disks_of_pool(pool))
    if disks:
        total = disks * disk_size(snapshot, pool) * 3 // 4
    else:
        total = -(-_needed(snapshot, pool) // _TIB) * _TIB
    used = snapshot.used_in_pool(pool)
    spare = total - max(used, snapshot.most_in_pool(pool))
    return Room(total=total, used=used, subscribed=snapshot.subscribed_in_pool(pool), spare=spare)


def grown(array: Array, pool: int, room: Room, when: int) -> Room:
    """The room that snapshots leave at a time, in seconds since 1970."""
    growth = array.settings.growth
    if not growth:
        return room
    dice = array.dice("snapshots")
    taken = growth_of.snapshots(dice, pool, room=room.spare, a_day=room.total * growth, when=when)
    return replace(room, used=room.used + taken, spare=room.spare - taken)


def disk_size(snapshot: Snapshot, pool: int) -> int:
    """Bytes of a disk of the pool: the smallest on the market that is enough, or several times the largest."""
    disks = len(snapshot.array.disks_of_pool(pool))
    each = -(-_needed(snapshot, pool) * 4 // (3 * max(1, disks)))
    sizes = [gigabytes * _GB for gigabytes in _tier(pool).sizes_gb]
    return next((size for size in sizes if size >= each), -(-each // sizes[-1]) * sizes[-1])


def _needed(snapshot: Snapshot, pool: int) -> int:
    """Bytes that the pool must have: a tenth more than its contents ever use."""
    return snapshot.most_in_pool(pool) * 11 // 10 + GIB


def _tier(pool: int) -> _Tier:
    return _TIERS[pool % len(_TIERS)]


def slowness(pool: int) -> float:
    """How much longer than on the fastest disks operations take in the pool."""
    return _SLOWNESS[pool % len(_SLOWNESS)]


def storage(snapshot: Snapshot) -> Storage:
    array = snapshot.array
    rooms = [room_of(snapshot, pool) for pool in range(array.counts["storage_pools"])]
    total, used = sum(room.total for room in rooms), sum(room.used for room in rooms)
    answer = Storage(
        serial_number=array.identity.serial_number,
        name=f"fake-{array.identity.short}",
        vendor="fake_vendor",
        model="fake_model",
        firmware_version="1.0.0",
        description="Generated array",
        location="HK",
        status=StorageStatus.STORAGE_STATUS_NORMAL,
        total_capacity=total,
        used_capacity=used,
        free_capacity=total - used,
        subscribed_capacity=sum(room.subscribed for room in rooms),
    )
    if array.counts["disks"]:
        answer.raw_capacity = sum(_capacities(snapshot))
    return answer


def _capacities(snapshot: Snapshot) -> Iterator[int]:
    """Bytes of each disk."""
    array = snapshot.array
    pools = array.counts["storage_pools"]
    sizes = [disk_size(snapshot, pool) for pool in range(min(pools, array.counts["disks"]))] or [_GB * 960]
    for disk in range(array.counts["disks"]):
        yield sizes[disk % len(sizes) if disk < array.pooled_disks else 0]


def list_disks(snapshot: Snapshot) -> Iterator[Disk]:
    array = snapshot.array
    dice = array.dice("disks")
    pools = array.counts["storage_pools"]
    for disk, capacity in enumerate(_capacities(snapshot)):
        pool = disk % pools if disk < array.pooled_disks else None
        tier = _tier(pool or 0)
        status = _disk_status(array, disk)
        message = Disk(
            native_disk_id=disk_id(disk),
            name=f"Disk {disk // 24}.{disk % 24}",
            serial_number=f"{array.identity.short.upper()}{dice.number(disk, 1) & 0xFFFFFF:06X}{disk:06X}",
            physical_type=tier.physical_type,
            logical_type=_disk_use(status, pool),
            status=status,
            location=f"Enclosure {disk // 24}, slot {disk % 24}",
            manufacturer=dice.pick(_MANUFACTURERS, disk // 24, 2),
            model=f"{tier.model}-{capacity // _GB}",
            firmware=f"A{dice.below(9, disk // 12, 3)}02",
            capacity=capacity,
            health_score=_health_score(status, dice.below(15, disk, 4)),
        )
        if tier.speed is not None:
            message.speed = tier.speed
        if pool is not None:
            message.native_disk_group_id = f"dg-{pool:03d}"
        yield message


def _disk_status(array: Array, disk: int) -> DiskStatus.ValueType:
    dice = array.dice("disks")
    if not dice.one_in(20, disk):
        return DiskStatus.DISK_STATUS_NORMAL
    if dice.one_in(3, disk, 5):
        return DiskStatus.DISK_STATUS_OFFLINE
    return DiskStatus.DISK_STATUS_DEGRADED


def is_working(array: Array, disk: int) -> bool:
    return _disk_status(array, disk) != DiskStatus.DISK_STATUS_OFFLINE


def _disk_use(status: DiskStatus.ValueType, pool: int | None) -> DiskLogicalType.ValueType:
    if status == DiskStatus.DISK_STATUS_OFFLINE:
        return DiskLogicalType.DISK_LOGICAL_TYPE_BROKEN
    if pool is None:
        return DiskLogicalType.DISK_LOGICAL_TYPE_HOTSPARE
    return DiskLogicalType.DISK_LOGICAL_TYPE_MEMBER


def _health_score(status: DiskStatus.ValueType, roll: int) -> int:
    if status == DiskStatus.DISK_STATUS_OFFLINE:
        return 0
    return 40 + roll if status == DiskStatus.DISK_STATUS_DEGRADED else 100 - roll


def list_storage_pools(snapshot: Snapshot) -> Iterator[StoragePool]:
    array = snapshot.array
    for pool in range(array.counts["storage_pools"]):
        room = room_of(snapshot, pool)
        disks = array.disks_of_pool(pool)
        healthy = all(_disk_status(array, disk) == DiskStatus.DISK_STATUS_NORMAL for disk in disks)
        tier = _tier(pool)
        yield StoragePool(
            native_storage_pool_id=pool_id(pool),
            name=f"{tier.name}-{pool:03d}",
            description=f"Pool of {len(disks)} disks" if disks else "Virtual pool",
            status=(
                StoragePoolStatus.STORAGE_POOL_STATUS_NORMAL
                if healthy
                else StoragePoolStatus.STORAGE_POOL_STATUS_DEGRADED
            ),
            storage_type=_storage_type(array, pool),
            total_capacity=room.total,
            used_capacity=room.used,
            free_capacity=room.total - room.used,
            subscribed_capacity=room.subscribed,
            native_disk_ids=[disk_id(disk) for disk in disks],
        )


def _storage_type(array: Array, pool: int) -> StorageType.ValueType:
    if pool not in array.file_pools:
        return StorageType.STORAGE_TYPE_BLOCK
    if pool not in array.block_pools:
        return StorageType.STORAGE_TYPE_FILE
    return StorageType.STORAGE_TYPE_UNIFIED


def disk_id(disk: int) -> str:
    return f"disk-{disk:04d}"
