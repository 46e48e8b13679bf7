"""From windows to rows of the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import bindparam, delete

from delphis.sdk import metrics
from services.store.connection import Connection
from services.store.statement import sql, statement
from services.telemetry.history import slots
from services.telemetry.history.chunk import BLOCK, is_wide, pack, packed_names
from services.telemetry.history.slots import KindSlots, Places
from services.telemetry.schema.history import chunks
from services.telemetry.window import Window

KINDS = frozenset({"storage", "storage_pool", "controller", "port", "volume"})
"""What the history keeps."""
MAX_VOLUME_SERIES = 50_000
_MEASURED = 9
"""Metrics of a volume for which a place is kept while only its capacities are known: these come first."""

_NEW = sql(
    sqlite="INSERT OR REPLACE INTO chunks (storage_id, kind, block, metrics, begin, step, steps, wide, numbers) "
    "VALUES (:storage_id, :kind, :block, :metrics, :begin, :step, :steps, :wide, :numbers)",
    postgresql="INSERT INTO chunks (storage_id, kind, block, metrics, begin, step, steps, wide, numbers) "
    "VALUES (:storage_id, :kind, :block, :metrics, :begin, :step, :steps, :wide, :numbers) "
    "ON CONFLICT (storage_id, kind, block, begin, metrics, step, steps) DO UPDATE SET wide = excluded.wide, "
    "numbers = excluded.numbers",
)
_EXPIRE = (
    "DELETE FROM chunks WHERE no IN (SELECT no FROM chunks WHERE begin < :before AND begin + step * steps <= :before "
    "ORDER BY begin LIMIT :count)"
)
_OLD = sql(sqlite=_EXPIRE, postgresql=_EXPIRE)
_STORAGE = statement(delete(chunks).where(chunks.c.storage_id == bindparam("storage_id")))

Key = tuple[bytes, str]


@dataclass(slots=True)
class Recorded:
    """What a transaction did, for the recorder to know once it is committed."""

    places: dict[Key, KindSlots] = field(default_factory=dict)
    points: int = 0
    left_out: int = 0
    """Values of volumes beyond the bound, and of kinds that the history does not keep."""


class Recorder:
    """Writes windows. It remembers the resources' places, so they are read once."""

    def __init__(self, *, max_volume_series: int = MAX_VOLUME_SERIES) -> None:
        self._places: dict[Key, KindSlots] = {}
        self._max_volume_series = max_volume_series

    def record(self, connection: Connection, storage_id: bytes, windows: Sequence[Window]) -> Recorded:
        """Writes the windows of one array, inside a store's work. `committed` is to be told afterwards."""
        done = Recorded()
        rows: list[tuple[object, ...]] = []
        for kind in dict.fromkeys(window.kind for window in windows):
            told = [window for window in windows if window.kind == kind]
            if kind not in KINDS:
                done.left_out += sum(window.values.size for window in told)
                continue
            known = self._placed(connection, (storage_id, kind), told, done)
            for window in told:
                places = known.places(window.native_ids)
                rows.extend(_rows(storage_id, window, places))
                kept = int(np.count_nonzero(places >= 0))
                done.points += kept * len(window.metrics) * window.steps
                done.left_out += (len(window.native_ids) - kept) * len(window.metrics) * window.steps
        connection.many(_NEW, rows)
        return done

    def committed(self, done: Recorded) -> None:
        """The transaction in which `record` ran is committed."""
        self._places.update(done.places)

    def forget(self, storage_id: bytes) -> None:
        """The array is gone; to be called after `forget_storage` was committed."""
        for key in [key for key in self._places if key[0] == storage_id]:
            del self._places[key]

    def _placed(self, connection: Connection, key: Key, windows: Sequence[Window], done: Recorded) -> KindSlots:
        known = self._places.get(key) or slots.load(connection, *key)
        ids = windows[0].native_ids
        if len(windows) > 1:
            ids = tuple(dict.fromkeys(native_id for window in windows for native_id in window.native_ids))
        told = {metric for window in windows for metric in window.metrics}
        series = _MEASURED if all(metrics.catalogue()[metric].is_capacity for metric in told) else len(told)
        most = self._max_volume_series // series if key[1] == "volume" else None
        at = max(window.last for window in windows)
        places = done.places[key] = slots.placed(connection, known, *key, ids, most, at)
        return places


def forget_storage(connection: Connection, storage_id: bytes) -> None:
    """Removes what the history has of an array."""
    connection.run(_STORAGE, {"storage_id": storage_id})
    slots.forget_storage(connection, storage_id)


def expire(connection: Connection, now: int, *, count: int = 2000) -> bool:
    """Removes some of what is older than a day; whether there may be more. `now` in milliseconds."""
    return connection.run(_OLD, {"before": now - slots.KEPT_MILLISECONDS, "count": count}) == count


def _rows(storage_id: bytes, window: Window, places: Places) -> list[tuple[object, ...]]:
    """A row for each block of slots. Slots that this window says nothing of are NaN."""
    kept = places >= 0
    if not kept.any():
        return []
    used = places[kept]
    width = (int(used.max()) // BLOCK + 1) * BLOCK
    in_order = len(used) == len(kept) and bool((used == np.arange(len(used))).all())
    if in_order and width == len(used):
        spread = window.values
    else:
        spread = np.full((window.steps, len(window.metrics), width), np.nan)
        spread[:, :, used] = window.values if len(used) == len(kept) else window.values[:, :, kept]
    wide, names = is_wide(window.metrics), packed_names(window.metrics)
    return [
        (
            storage_id,
            window.kind,
            block,
            names,
            window.begin,
            window.step,
            window.steps,
            int(wide),
            pack(spread[:, :, block * BLOCK : (block + 1) * BLOCK], wide=wide),
        )
        for block in sorted({int(slot) // BLOCK for slot in used})
    ]
