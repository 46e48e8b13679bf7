"""Pools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from delphis.sdk import StoragePool, StoragePoolStatus, StorageType

from .quantities import count, latest, total, words

# States of placement groups, the parts into which a pool is cut. A group has several at a time: "active+undersized".
_FAULTY = frozenset(
    {"down", "failed_repair", "incomplete", "inconsistent", "recovery_unfound", "backfill_unfound", "stale", "unknown"}
)
_REDUCED = frozenset({"degraded", "undersized"})


def pool_of(pool: Mapping[str, Any], disks: Iterable[str] = ()) -> StoragePool:
    """A pool, with capacities as its users see them: a byte that is kept three times is one byte.

    Args:
        pool: One of `/api/pool?stats=true`.
        disks: Native ids of the disks that its rule may put data on.
    """
    stats = pool.get("stats")
    used, available = latest(stats, "stored"), latest(stats, "max_avail")
    quota = count(pool.get("quota_max_bytes")) or None
    if quota is not None and used is not None:
        room = max(0, quota - used)
        available = room if available is None else min(available, room)
    return StoragePool(
        native_storage_pool_id=id_of(pool),
        name=str(pool["pool_name"]),
        status=status_of(pool),
        storage_type=_type_of(pool),
        total_capacity=total(used, available),
        used_capacity=used,
        free_capacity=available,
        native_disk_ids=disks,
        native=words(
            type=pool.get("type"),
            size=pool.get("size"),
            min_size=pool.get("min_size"),
            crush_rule=pool.get("crush_rule"),
            pg_num=pool.get("pg_num"),
            applications=" ".join(sorted(applications_of(pool))),
            compression_mode=_compression_of(pool),
            quota_max_bytes=quota,
        ),
    )


def id_of(pool: Mapping[str, Any]) -> str:
    """A pool's number: names can be changed, numbers are not used twice."""
    number = pool["pool"]
    if isinstance(number, bool) or not isinstance(number, int):
        raise ValueError("a pool without a number")
    return str(number)


def status_of(pool: Mapping[str, Any]) -> StoragePoolStatus.ValueType:
    """The worst that is true of a part of the pool."""
    states = [set(state.split("+")) for state, number in (pool.get("pg_status") or {}).items() if count(number)]
    flags = str(pool.get("flags_names") or "").split(",")
    if any(state & _FAULTY for state in states) or "full" in flags or "full_quota" in flags:
        return StoragePoolStatus.STORAGE_POOL_STATUS_ABNORMAL
    if any(state & _REDUCED or "active" not in state for state in states):
        return StoragePoolStatus.STORAGE_POOL_STATUS_DEGRADED
    return StoragePoolStatus.STORAGE_POOL_STATUS_NORMAL if states else StoragePoolStatus.STORAGE_POOL_STATUS_UNKNOWN


def serves_io(pool: Mapping[str, Any]) -> bool:
    """All of the pool can be read and written, if perhaps with less redundancy."""
    states = [set(state.split("+")) for state, number in (pool.get("pg_status") or {}).items() if count(number)]
    return all("active" in state and not state & {"stale", "down", "incomplete", "unknown"} for state in states)


def applications_of(pool: Mapping[str, Any]) -> set[str]:
    """What the pool is marked to be used for: rbd, cephfs, rgw…"""
    return {str(name) for name in pool.get("application_metadata") or ()}


def is_compressed(pool: Mapping[str, Any] | None) -> bool | None:
    """What is written is compressed; None where the pool is not known."""
    return None if pool is None else _compression_of(pool) in ("aggressive", "force")


def _compression_of(pool: Mapping[str, Any]) -> str | None:
    options = pool.get("options")
    return options.get("compression_mode") if isinstance(options, dict) else None


def _type_of(pool: Mapping[str, Any]) -> StorageType.ValueType | None:
    applications = applications_of(pool)
    if {"rbd", "cephfs"} <= applications:
        return StorageType.STORAGE_TYPE_UNIFIED
    if "rbd" in applications:
        return StorageType.STORAGE_TYPE_BLOCK
    return StorageType.STORAGE_TYPE_FILE if "cephfs" in applications else None
