"""Storages as answers: the driver's part as it was stored, then what the core knows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from delphis.type.v1 import storage_pb2
from services.inventory.kinds import CORE_FIELDS
from services.inventory.storages.rows import StorageRow
from services.values import times, uuids


def driver_part(said: storage_pb2.Storage) -> bytes:
    """What is kept of what an array says of itself: nothing that is the core's, in a stable form."""
    kept = storage_pb2.Storage()
    kept.CopyFrom(said)
    kept.DiscardUnknownFields()
    for field in kept.DESCRIPTOR.fields:
        if field.number >= CORE_FIELDS:
            kept.ClearField(field.name)  # type: ignore[arg-type]
    return kept.SerializeToString(deterministic=True)


def columns(said: storage_pb2.Storage) -> dict[str, Any]:
    """The columns that follow from what an array says of itself."""
    return {
        "name": _text(said.name),
        "vendor": _text(said.vendor),
        "model": _text(said.model),
        "firmware_version": _text(said.firmware_version),
        "status": said.status,
        "driver_part": driver_part(said),
    }


def labels_part(labels: Mapping[str, str]) -> bytes:
    """The labels as they are stored with the row: a piece of the message."""
    return storage_pb2.Storage(labels=labels).SerializeToString(deterministic=True)


def changed_fields(old: bytes, new: bytes) -> list[str]:
    """Names of the fields in which two driver's parts differ."""
    if old == new:
        return []
    before, after = _set(storage_pb2.Storage.FromString(old)), _set(storage_pb2.Storage.FromString(new))
    names = [field.name for field in storage_pb2.Storage.DESCRIPTOR.fields if field.number < CORE_FIELDS]
    return [name for name in names if before.get(name) != after.get(name)]


def message(row: StorageRow, now: int) -> storage_pb2.Storage:
    """The storage as an answer."""
    return storage_pb2.Storage.FromString(serialised(row, now))


def serialised(row: StorageRow, now: int) -> bytes:
    """The same, as bytes: what the driver said is spliced in unread."""
    return _serialised(row, row.is_paused(now))


@lru_cache(maxsize=1024)
def _serialised(row: StorageRow, paused: bool) -> bytes:
    core = storage_pb2.Storage(
        id=uuids.text(row.id) or None,
        created_at=times.stamp(row.created_at),
        updated_at=times.stamp(row.updated_at),
        display_name=row.display_name or None,
        driver_vendor=row.driver_vendor,
        driver_model=row.driver_model,
        sync_status=storage_pb2.SyncStatus.ValueType(row.sync_status),
        sync_outcome=storage_pb2.SyncOutcome.ValueType(row.sync_outcome),
        last_success_at=times.stamp(row.last_success_at),
        sync_error=row.sync_error or None,
        sync_interval=times.duration(row.sync_interval),
        pending_serial_number=row.pending_serial_number or None,
        deleted=bool(row.deleted_at),
        deleted_at=times.stamp(row.deleted_at),
    )
    if paused:
        core.pause.CopyFrom(
            storage_pb2.Pause(
                reason=row.pause_reason or None,
                until=times.stamp(row.pause_until),
                since=times.stamp(row.pause_since),
            )
        )
    return b"".join((row.driver_part, row.labels, core.SerializeToString()))


def _set(said: storage_pb2.Storage) -> dict[str, object]:
    return {field.name: dict(value) if field.name == "native" else value for field, value in said.ListFields()}


def _text(value: str) -> str:
    """For a column: PostgreSQL takes no NUL. The message keeps what the array said."""
    return value.replace("\0", "")
