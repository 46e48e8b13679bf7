"""OSDs: each is a disk, and the daemon that serves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from delphis.sdk import Disk, DiskLogicalType, DiskPhysicalType, DiskStatus

from .quantities import count, words

_NO_UUID = "00000000-0000-0000-0000-000000000000"
_PHYSICAL_TYPES = {
    "hdd": DiskPhysicalType.DISK_PHYSICAL_TYPE_HDD,
    "ssd": DiskPhysicalType.DISK_PHYSICAL_TYPE_SSD,
    "nvme": DiskPhysicalType.DISK_PHYSICAL_TYPE_NVME_SSD,
}


def disk_of(osd: Mapping[str, Any]) -> Disk:
    """A disk.

    Args:
        osd: One of `/api/osd`.
    """
    stats, place, host = osd.get("osd_stats") or {}, osd.get("tree") or {}, osd.get("host") or {}
    blocks = count(stats.get("kb"))
    device_class = place.get("device_class")
    destroyed = "destroyed" in (osd.get("state") or ())
    return Disk(
        native_disk_id=id_of(osd),
        name=f"osd.{osd['osd']}",
        status=_status_of(osd),
        physical_type=_PHYSICAL_TYPES.get(device_class) if isinstance(device_class, str) else None,
        logical_type=_logical_type_of(osd, destroyed),
        location=host.get("name"),
        capacity=blocks * 1024 if blocks else None,  # a destroyed one says 0
        native=words(
            state=" ".join([*sorted(osd.get("state") or ()), "in" if osd["in"] else "out"]),
            device_class=device_class,
            weight=osd.get("weight"),
            crush_weight=place.get("crush_weight"),
        ),
    )


def id_of(osd: Mapping[str, Any]) -> str:
    """The OSD's uuid, which a replacement under the same number doesn't have; the number where there is none."""
    uuid = osd.get("uuid")
    return uuid if isinstance(uuid, str) and uuid and uuid != _NO_UUID else f"osd.{int(osd['osd'])}"


def _status_of(osd: Mapping[str, Any]) -> DiskStatus.ValueType:
    if not osd["up"]:
        return DiskStatus.DISK_STATUS_ABNORMAL
    # "Out" is what an operator makes of a disk that is to be emptied.
    return DiskStatus.DISK_STATUS_NORMAL if osd["in"] else DiskStatus.DISK_STATUS_OFFLINE


def _logical_type_of(osd: Mapping[str, Any], destroyed: bool) -> DiskLogicalType.ValueType:
    if destroyed:
        return DiskLogicalType.DISK_LOGICAL_TYPE_BROKEN
    return DiskLogicalType.DISK_LOGICAL_TYPE_DATA if osd["in"] else DiskLogicalType.DISK_LOGICAL_TYPE_UNASSIGNED
