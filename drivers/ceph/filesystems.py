"""CephFS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from delphis.sdk import Filesystem, FilesystemStatus, FilesystemType, NasSecurityMode, WormType

from .pools import id_of, is_compressed
from .quantities import latest, total, words


def filesystem_of(filesystem: Mapping[str, Any], pools: Mapping[str, Mapping[str, Any]]) -> Filesystem:
    """A filesystem. Its capacity is that of its data pools; the room left is that of the pool that new files go to.

    Args:
        filesystem: One of `/api/cephfs`.
        pools: `/api/pool?stats=true` by native id.
    """
    servers = filesystem["mdsmap"]
    data = [pools[str(number)] for number in servers["data_pools"] if str(number) in pools]
    used = total(*(latest(pool.get("stats"), "stored") for pool in data)) if data else None
    free = latest(data[0].get("stats"), "max_avail") if data else None
    ranks = [one for one in servers["info"].values() if one.get("state") == "up:active"]
    return Filesystem(
        native_filesystem_id=str(int(filesystem["id"])),
        name=str(servers["fs_name"]),
        status=_status_of(servers, len(ranks)),
        type=FilesystemType.FILESYSTEM_TYPE_THIN,
        native_pool_id=id_of(data[0]) if data else None,
        security_mode=NasSecurityMode.NAS_SECURITY_MODE_UNIX,
        total_capacity=total(used, free),
        used_capacity=used,
        free_capacity=free,
        compressed=is_compressed(data[0] if data else None),
        deduplicated=False,
        worm=WormType.WORM_TYPE_NON_WORM,
        native=words(
            metadata_pool=servers.get("metadata_pool"),
            data_pools=" ".join(str(number) for number in servers["data_pools"]),
            active_servers=" ".join(sorted(str(one.get("name")) for one in ranks)),
            max_mds=servers.get("max_mds"),
        ),
    )


def _status_of(servers: Mapping[str, Any], active: int) -> FilesystemStatus.ValueType:
    broken = servers.get("failed") or servers.get("damaged") or not active
    return FilesystemStatus.FILESYSTEM_STATUS_FAULTY if broken else FilesystemStatus.FILESYSTEM_STATUS_NORMAL
