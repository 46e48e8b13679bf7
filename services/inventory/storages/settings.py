"""What an operator decides about a storage: its name, labels, interval and pause."""

from __future__ import annotations

import re
from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration

from delphis.inventory.v1 import inventory_pb2
from delphis.type.v1 import storage_pb2
from services.calls.errors import invalid
from services.inventory.storages import messages
from services.inventory.storages.rows import StorageRow
from services.values import times

DEFAULT_INTERVAL = 15 * times.MINUTE
LEAST_INTERVAL = 10 * times.SECOND
MOST_INTERVAL = 30 * times.DAY
MAX_LABELS = 64
PATHS = ("display_name", "labels", "sync_interval", "pause")
_LABEL_KEY = re.compile(r"[A-Za-z0-9\-_./]{1,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_text(field: str, value: str, *, least: int = 1, most: int = 255) -> None:
    """INVALID_INPUT unless it is a printable text of so many characters."""
    if not least <= len(value) <= most:
        raise invalid(field, f"It must have {least} to {most} characters, this has {len(value)}.")
    if _CONTROL.search(value):
        raise invalid(field, "It must not have control characters.")


def check_labels(labels: Mapping[str, str]) -> None:
    """INVALID_INPUT where a label can't be taken."""
    if len(labels) > MAX_LABELS:
        raise invalid("labels", f"A storage has at most {MAX_LABELS} labels.")
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            raise invalid("labels", "Keys must have 1 to 63 letters, digits and `-_./`.")
        check_text(f"labels.{key}", value, least=0)


def sync_interval_of(field: str, span: Duration) -> int:
    """Microseconds of an interval, checked."""
    return times.of_duration(field, span, least=LEAST_INTERVAL, most=MOST_INTERVAL)


def changes(row: StorageRow, request: inventory_pb2.UpdateStorageRequest) -> dict[str, object]:
    """The columns that the request changes, with their new values. INVALID_INPUT where it can't be."""
    settings, now = request.settings, times.now()
    found: dict[str, object] = {}
    for path in _paths(request):
        if path == "display_name":
            check_text("display_name", settings.display_name, least=0)
            found["display_name"] = settings.display_name
        elif path == "labels":
            check_labels(settings.labels)
            found["labels"] = messages.labels_part(settings.labels)
        elif path == "sync_interval":
            span = settings.sync_interval if settings.HasField("sync_interval") else None
            found["sync_interval"] = sync_interval_of("sync_interval", span) if span is not None else 0
        else:
            found |= _pause(row, settings.pause if settings.HasField("pause") else None, now)
    return {name: value for name, value in found.items() if getattr(row, name) != value}


def interval(row: StorageRow) -> int:
    """Microseconds between two syncs of the storage."""
    return row.sync_interval or DEFAULT_INTERVAL


def _paths(request: inventory_pb2.UpdateStorageRequest) -> list[str]:
    settings = request.settings
    if not request.HasField("update_mask"):
        return [field.name for field, _ in settings.ListFields()]
    for path in request.update_mask.paths:
        if path not in PATHS:
            raise invalid("update_mask", f"There is no setting {path[:64]!r}; there are {', '.join(PATHS)}.")
    return list(dict.fromkeys(request.update_mask.paths))


def _pause(row: StorageRow, pause: storage_pb2.Pause | None, now: int) -> dict[str, object]:
    if pause is None:
        return {"paused": 0, "pause_reason": "", "pause_since": 0, "pause_until": 0}
    check_text("pause.reason", pause.reason, least=0)
    until = times.of_stamp(pause.until) if pause.HasField("until") else 0
    if pause.HasField("until") and until <= now:
        raise invalid("pause.until", "It must lie in the future.")
    since = row.pause_since if row.is_paused(now) else now
    return {"paused": 1, "pause_reason": pause.reason, "pause_since": since, "pause_until": until}
