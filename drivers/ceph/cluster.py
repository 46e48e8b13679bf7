"""The cluster as a whole: its identity, health and capacity."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from delphis.sdk import Storage, StorageStatus, errors

from .quantities import count, words

_STATUS = {
    "HEALTH_OK": StorageStatus.STORAGE_STATUS_NORMAL,
    "HEALTH_WARN": StorageStatus.STORAGE_STATUS_DEGRADED,
    "HEALTH_ERR": StorageStatus.STORAGE_STATUS_ABNORMAL,
}
_VERSION = re.compile(r"(\d+\.\d+\.\d+\S*)(?:.*\)\s+(\w+))?")


def storage_of(monitor: Mapping[str, Any], health: Mapping[str, Any], summary: Mapping[str, Any]) -> Storage:
    """The cluster.

    Pools of one cluster share its disks and keep two, three or one and a half copies: how much is usable depends on the
    pool, not on the cluster. So all capacities here are of the disks; those of pools are what users can write.

    Args:
        monitor: `/api/monitor`.
        health: `/api/health/minimal`.
        summary: `/api/summary`.
    """
    monitors = monitor.get("mon_status")
    fsid = monitors.get("monmap", {}).get("fsid") if isinstance(monitors, dict) else None
    if not isinstance(fsid, str) or not fsid:
        raise errors.InvalidResults("The dashboard doesn't say the cluster's fsid.", path="/api/monitor")
    version, release = version_of(summary.get("version"))
    state = health.get("health", {})
    capacity = health.get("df", {}).get("stats", {})
    return Storage(
        serial_number=fsid,
        name=f"ceph-{fsid[:8]}",  # Ceph gives clusters no name
        vendor="ceph",
        model="cluster",
        firmware_version=version,
        status=_STATUS.get(state.get("status"), StorageStatus.STORAGE_STATUS_UNKNOWN),
        total_capacity=count(capacity.get("total_bytes")),
        used_capacity=count(capacity.get("total_used_raw_bytes")),
        free_capacity=count(capacity.get("total_avail_bytes")),
        raw_capacity=count(capacity.get("total_bytes")),
        native=words(release=release, health=state.get("status"), checks=" ".join(checks_of(state))),
    )


def checks_of(state: Mapping[str, Any]) -> list[str]:
    """Codes of the health checks that failed and that no operator muted."""
    checks = state.get("checks") or []
    return sorted({str(check["type"]) for check in checks if not check.get("muted")})


def version_of(text: Any) -> tuple[str | None, str | None]:
    """The number and the name in "ceph version 16.2.15 (618f44…) pacific (stable)"."""
    found = _VERSION.search(text) if isinstance(text, str) else None
    return (found[1], found[2]) if found else (None, None)
