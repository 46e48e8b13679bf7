"""How full arrays and pools were, day by day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from sqlalchemy import bindparam, delete, select

from services.store.connection import Connection
from services.store.statement import sql, statement
from services.telemetry.schema.capacity import capacities
from services.telemetry.window import Window

KINDS = frozenset({"storage", "storage_pool"})
KEPT_DAYS = 731
DAY_MILLISECONDS = 24 * 3600 * 1000

_PUT = (
    "INSERT INTO capacities (storage_id, kind, native_id, day, used, total) "
    "VALUES (:storage_id, :kind, :native_id, :day, :used, :total) "
    "ON CONFLICT (storage_id, kind, native_id, day) DO UPDATE SET used = excluded.used, total = excluded.total"
)
_SET = sql(sqlite=_PUT, postgresql=_PUT)
_COLUMNS = (
    capacities.c.storage_id,
    capacities.c.kind,
    capacities.c.native_id,
    capacities.c.day,
    capacities.c.used,
    capacities.c.total,
)
_ORDER = _COLUMNS[:4]
_OF_STORAGE = statement(
    select(*_COLUMNS)
    .where(capacities.c.storage_id == bindparam("storage_id"), capacities.c.day <= bindparam("upto"))
    .order_by(*_ORDER)
)
_OLD = statement(delete(capacities).where(capacities.c.day < bindparam("before")))
_FORGET = statement(delete(capacities).where(capacities.c.storage_id == bindparam("storage_id")))


@dataclass(frozen=True, slots=True)
class Filling:
    """How full one thing was."""

    storage_id: bytes
    kind: str
    native_id: str
    days: tuple[int, ...]
    """Days since 1970 UTC, growing."""
    used: tuple[int, ...]
    total: int
    """The newest."""


def keep(connection: Connection, storage_id: bytes, windows: Sequence[Window]) -> None:
    """Keeps the capacities of today, or takes the place of earlier ones of today."""
    rows: list[tuple[object, ...]] = []
    for window in windows:
        if window.kind not in KINDS or not {"usedCapacity", "totalCapacity"} <= set(window.metrics):
            continue
        used = window.values[-1, window.metrics.index("usedCapacity")]
        total = window.values[-1, window.metrics.index("totalCapacity")]
        told = ~(np.isnan(used) | np.isnan(total))
        day = window.last // DAY_MILLISECONDS
        rows.extend(
            (storage_id, window.kind, native_id, day, int(used[index]), int(total[index]))
            for index, native_id in enumerate(window.native_ids)
            if told[index]
        )
    connection.many(_SET, rows)


def fillings(connection: Connection, storage_id: bytes, *, upto: int) -> Iterator[Filling]:
    """Of one array. Days after `upto` were kept while a clock was wrong."""
    rows = connection.all(_OF_STORAGE, {"storage_id": storage_id, "upto": upto})
    for (of, kind, native_id), days in groupby(rows, key=lambda row: (bytes(row[0]), row[1], row[2])):
        told = list(days)
        yield Filling(
            of, kind, native_id, tuple(row[3] for row in told), tuple(row[4] for row in told), int(told[-1][5])
        )


def expire(connection: Connection, now: int) -> None:
    """Removes days of more than two years ago. `now` in milliseconds."""
    connection.run(_OLD, {"before": now // DAY_MILLISECONDS - KEPT_DAYS})


def forget(connection: Connection, storage_id: bytes) -> None:
    """The array is gone."""
    connection.run(_FORGET, {"storage_id": storage_id})
