"""From rows of the history to series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import bindparam, select

from services.store.connection import Connection, Row
from services.store.statement import statement
from services.telemetry.history import slots
from services.telemetry.history.chunk import BLOCK, names_of, unpack
from services.telemetry.schema.history import chunks

Times = NDArray[np.int64]
Numbers = NDArray[np.float64]

_LONGEST_CHUNK = 24 * 3600 * 1000
_COLUMNS = (chunks.c.metrics, chunks.c.begin, chunks.c.step, chunks.c.steps, chunks.c.wide, chunks.c.numbers)
_OF_BLOCK = statement(
    select(*_COLUMNS)
    .where(
        chunks.c.storage_id == bindparam("storage_id"),
        chunks.c.kind == bindparam("kind"),
        chunks.c.block == bindparam("block"),
        chunks.c.begin >= bindparam("first"),
        chunks.c.begin < bindparam("end"),
        chunks.c.begin + chunks.c.step * chunks.c.steps > bindparam("begin"),
    )
    .order_by(chunks.c.begin)
)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Numbers of some resources of one kind of one array at the same times."""

    native_ids: tuple[str, ...]
    metrics: tuple[str, ...]
    times: Times
    """Milliseconds since 1970 UTC, growing."""
    values: Numbers
    """By time, metric and resource; NaN: no sample."""


def grids(
    connection: Connection,
    storage_id: bytes,
    kind: str,
    metrics: tuple[str, ...],
    begin: int,
    end: int,
    *,
    native_ids: Sequence[str] | None = None,
) -> Iterator[Grid]:
    """What the history has of the resources, up to 16 in a grid; nothing of those that it has nothing of.

    Args:
        connection: Of a scan: all of it is read in one snapshot.
        storage_id: The array.
        kind: Its kind.
        metrics: Which metrics, each once.
        begin: Only samples of this time or later, in milliseconds.
        end: Only samples before this time.
        native_ids: Which resources. None: all.
    """
    if native_ids is None:
        wanted = slots.load(connection, storage_id, kind).of
    else:
        wanted = slots.of_some(connection, storage_id, kind, native_ids)
    blocks: dict[int, list[tuple[int, str]]] = {}
    for native_id, slot in wanted.items():
        blocks.setdefault(slot // BLOCK, []).append((slot % BLOCK, native_id))
    for block, members in sorted(blocks.items()):
        members.sort()
        within = {"first": begin - _LONGEST_CHUNK, "begin": begin, "end": end}
        rows = connection.all(_OF_BLOCK, {"storage_id": storage_id, "kind": kind, "block": block, **within})
        found = _grid(rows, metrics, begin, end, np.array([slot for slot, _ in members]))
        if found is not None:
            yield Grid(tuple(native_id for _, native_id in members), metrics, *found)


def _grid(
    rows: list[Row], metrics: tuple[str, ...], begin: int, end: int, columns: NDArray[np.intp]
) -> tuple[Times, Numbers] | None:
    alike: dict[tuple[bytes, int, int], list[Row]] = {}
    for row in rows:
        packed, _, step, _, wide, _ = row
        alike.setdefault((packed, step, wide), []).append(row)
    parts: list[tuple[Times, list[int], NDArray[Any]]] = []
    for (packed, step, wide), same in alike.items():
        names = names_of(packed)
        shared = [name for name in metrics if name in names]
        places, indices = [metrics.index(name) for name in shared], [names.index(name) for name in shared]
        for some in _apart(same, step) if shared else ():
            times = _times(some, step)
            within = (times >= begin) & (times < end)
            if within.any():
                values = unpack(b"".join([row[5] for row in some]), len(names), wide=bool(wide))
                parts.append((times[within], places, values[:, indices][:, :, columns][within]))
    if not parts:
        return None
    times = parts[0][0] if len(parts) == 1 else np.unique(np.concatenate([part[0] for part in parts]))
    grid = np.full((len(times), len(metrics), len(columns)), np.nan)
    for moments, places, values in parts:
        at = np.searchsorted(times, moments)
        for index, place in enumerate(places):
            told = values[:, index]
            grid[at, place] = np.where(np.isnan(told), grid[at, place], told)
    return times, grid


def _apart(rows: list[Row], step: int) -> list[list[Row]]:
    """Chunks of one step in lists of which none has a time twice: chunks of several windows may overlap."""
    times = _times(rows, step)
    return [rows] if bool((np.diff(times) > 0).all()) else [[row] for row in rows]


def _times(rows: list[Row], step: int) -> Times:
    """The times of chunks of one step, one behind another."""
    begins, steps = np.array([row[1] for row in rows], np.int64), np.array([row[3] for row in rows], np.int64)
    before = np.repeat(np.cumsum(steps) - steps, steps)
    return np.repeat(begins, steps) + step * (np.arange(int(steps.sum()), dtype=np.int64) - before)
