"""Reads from the database what the history lacks, in requests that are not too large, as grids like the history's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from delphis.sdk.metrics import Metric
from delphis.type.v1 import metric_catalogue_pb2 as catalogue
from services.telemetry.history.reader import Grid, Numbers, Times
from services.telemetry.query.coverage import Span
from services.telemetry.query.database import Database, Key, Telling, one_series
from services.telemetry.query.errors import DatabaseFault, TooMuch
from services.telemetry.query.selectors import selector

SECONDS = 20.0
"""For all requests of a query: a caller waits for 30."""
MOST_POINTS = 4_000_000
_MOST_STEPS = 10_000
"""In a request: Prometheus answers up to 11,000."""
_STORAGES, _RESOURCES = 50, 100
"""In a selector."""
_LEAST_SPAN = 1000

# What a database can put together by itself. A mean that is weighted by another metric is made here, of all samples.
_OVER_TIME: dict[int, str] = {
    catalogue.AGGREGATION_SUM: "sum_over_time",
    catalogue.AGGREGATION_MEAN: "avg_over_time",
    catalogue.AGGREGATION_MAX: "max_over_time",
    catalogue.AGGREGATION_LAST: "last_over_time",
}

Grids = dict[str, list[Grid]]
"""By storage."""
Column = tuple[str, Times, Numbers]
"""The array's id of a resource, its times, and its values by time and metric."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be read."""

    kind: str
    metrics: tuple[Metric, ...]
    """Those that are weighted by, too."""
    step: int
    """0: samples as they are."""
    grouped: bool
    """Series of several resources become one."""
    span: Span
    resources: Mapping[str, Sequence[str] | None]
    """The storages, and which of their resources; None: all."""
    leave_out: Mapping[str, frozenset[str]]
    """Resources by storage that are read elsewhere."""


class Reading:
    """One query's requests, and what they may cost together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._points = 0
        self._deadline = asyncio.get_running_loop().time() + SECONDS

    async def read(self, wanted: Wanted) -> Grids:
        """All of it; DatabaseFault, or TooMuch."""
        try:
            async with asyncio.timeout_at(self._deadline), self._database.turn:
                found: Grids = {}
                for storage_ids, native_ids in _batches(wanted.resources):
                    for stepped, span in _spans(wanted):
                        await self._slices(wanted, storage_ids, native_ids, span, found, stepped=stepped)
                return await asyncio.to_thread(lambda: {id_: _joined(grids) for id_, grids in found.items()})
        except TimeoutError:
            raise DatabaseFault(f"It did not answer all requests within {SECONDS:g} s.") from None

    async def _slices(
        self,
        wanted: Wanted,
        storage_ids: Sequence[str],
        native_ids: Sequence[str] | None,
        span: Span,
        found: Grids,
        *,
        stepped: bool,
    ) -> None:
        """Time after time, shorter ones where an answer is too large."""
        begin, end = span
        unit = wanted.step if stepped else 1
        width = min(end - begin, _MOST_STEPS * unit) if stepped else end - begin
        while begin < end:
            upto = min(begin + width, end)
            told = await self._slice(wanted, storage_ids, native_ids, (begin, upto), stepped=stepped)
            if told is None:
                width = (upto - begin) // 2 // unit * unit
                if width < max(unit, _LEAST_SPAN):
                    raise TooMuch
                continue
            for storage_id, grid in await asyncio.to_thread(list, _grids(wanted, told)):
                found.setdefault(storage_id, []).append(grid)
            begin = upto

    async def _slice(
        self,
        wanted: Wanted,
        storage_ids: Sequence[str],
        native_ids: Sequence[str] | None,
        span: Span,
        *,
        stepped: bool,
    ) -> list[Telling] | None:
        told: list[Telling] = []
        allowed = frozenset(storage_ids)
        for metric in wanted.metrics:
            chosen = selector(metric.exposed(wanted.kind), storage_ids=storage_ids, native_ids=native_ids)
            if stepped:
                function = _OVER_TIME[metric.over_time]
                found = await self._database.steps(function, chosen, *span, wanted.step, allowed)
            else:
                found = await self._database.samples(chosen, *span, allowed)
            if found is None:
                return None
            self._points += sum(len(times) for one in found.values() for _, times, _ in one.parts)
            if self._points > MOST_POINTS:
                raise TooMuch
            told.append(found)
        return told


def _batches(resources: Mapping[str, Sequence[str] | None]) -> Iterator[tuple[Sequence[str], Sequence[str] | None]]:
    """Storages and resources that go into one selector. Storages with the same wish go together."""
    alike: dict[tuple[str, ...] | None, list[str]] = {}
    for storage_id, native_ids in resources.items():
        alike.setdefault(None if native_ids is None else tuple(native_ids), []).append(storage_id)
    for wish, storage_ids in alike.items():
        for some in _parts(storage_ids, _STORAGES):
            if wish is None:
                yield some, None
            else:
                yield from ((some, ids) for ids in _parts(wish, _RESOURCES))


def _parts(listed: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (listed[place : place + size] for place in range(0, len(listed), size))


def _spans(wanted: Wanted) -> Iterable[tuple[bool, Span]]:
    """Whole steps, which the database puts together; and what is before, behind, or can't be put together there."""
    begin, end = wanted.span
    here = (metric.over_time not in _OVER_TIME or (wanted.grouped and metric.weight) for metric in wanted.metrics)
    if not wanted.step or any(here):
        return [(False, (begin, end))]
    first, last = begin + -begin % wanted.step, end - end % wanted.step
    if first >= last:
        return [(False, (begin, end))]
    spans = [(False, (begin, first)), (True, (first, last)), (False, (last, end))]
    return [(stepped, span) for stepped, span in spans if span[0] < span[1]]


def _grids(wanted: Wanted, told: Sequence[Telling]) -> Iterator[tuple[str, Grid]]:
    """What was told in one slice of time."""
    found: dict[str, list[Column]] = {}
    keys: dict[Key, None] = dict.fromkeys(key for telling in told for key in telling)
    asked = {storage_id: ids if ids is None else frozenset(ids) for storage_id, ids in wanted.resources.items()}
    for key in keys:
        storage_id, native_id = key
        ids = asked[storage_id]
        if native_id in wanted.leave_out.get(storage_id, ()) or (ids is not None and native_id not in ids):
            continue
        series = {place: one_series(telling[key]) for place, telling in enumerate(told) if key in telling}
        times = np.unique(np.concatenate([times for times, _ in series.values()]))
        values = np.full((len(times), len(told)), np.nan)
        for place, (at, numbers) in series.items():
            values[np.searchsorted(times, at), place] = numbers
        found.setdefault(storage_id, []).append((native_id, times, values))
    names = tuple(metric.name for metric in wanted.metrics)
    for storage_id, columns in found.items():
        yield from ((storage_id, grid) for grid in _alike(names, columns))


def _joined(grids: list[Grid]) -> list[Grid]:
    """Slices of time, one behind the other: samples of one step may lie in several."""
    if len(grids) < 2:
        return grids
    parts: dict[str, list[tuple[Times, Numbers]]] = {}
    for grid in grids:
        for column, native_id in enumerate(grid.native_ids):
            parts.setdefault(native_id, []).append((grid.times, grid.values[:, :, column]))
    columns: list[Column] = []
    for native_id, several in parts.items():
        times = np.concatenate([times for times, _ in several])
        order = np.argsort(times, kind="stable")
        columns.append((native_id, times[order], np.concatenate([values for _, values in several])[order]))
    return list(_alike(grids[0].metrics, columns))


def _alike(names: tuple[str, ...], columns: Iterable[Column]) -> Iterator[Grid]:
    """Resources that were measured at the same times are one grid: else its size would be anybody's guess."""
    alike: dict[bytes, list[Column]] = {}
    for column in columns:
        alike.setdefault(column[1].tobytes(), []).append(column)
    for members in alike.values():
        values = np.stack([values for _, _, values in members], axis=2)
        yield Grid(tuple(native_id for native_id, _, _ in members), names, members[0][1], values)
