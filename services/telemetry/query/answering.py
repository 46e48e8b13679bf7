"""Series from the history, and from grids that were read elsewhere. It runs in a thread: see `Store.scan`."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from delphis.sdk.metrics import Metric
from delphis.type.v1 import metric_catalogue_pb2
from services.calls.errors import CallError
from services.store.connection import Connection
from services.telemetry.history.reader import Grid, Numbers, Times, grids
from services.telemetry.query.coverage import Span
from services.telemetry.query.groups import Group
from services.telemetry.query.question import Question
from services.telemetry.query.steps import in_steps

MAX_SERIES = 1000
MAX_POINTS = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One series of the answer."""

    metric: Metric
    storage_id: str
    """Empty: of several."""
    native_id: str
    """Empty: of several."""
    times: Times
    values: Numbers


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What was read from another database. No sample of it is in what is read from the history."""

    own: Span | None = None
    """What is read from the history. None: nothing."""
    grids: Mapping[str, Sequence[Grid]] = field(default_factory=dict[str, Sequence[Grid]])
    """By storage."""


def answer(
    connection: Connection,
    question: Question,
    storage_ids: Sequence[str],
    elsewhere: Elsewhere | None = None,
    *,
    highest: Mapping[str, Sequence[str]] | None = None,
) -> list[Series]:
    """The series of these arrays. CallError QUERY_TOO_BROAD where they are too many.

    `highest` are the top resources, by storage, where they were found out before.
    """
    beside = elsewhere or Elsewhere((question.begin, question.end))
    if question.group_by:
        found = list(_grouped(connection, question, storage_ids, beside))
        if question.top:
            found = _top(found, question)
        return _checked(found)
    wanted: Mapping[str, Sequence[str]] | None = None
    if question.top:
        wanted = top_resources(connection, question, storage_ids, beside) if highest is None else highest
        storage_ids = list(wanted)
    taken: list[Series] = []
    for storage_id in storage_ids:
        ids = wanted[storage_id] if wanted is not None else question.native_ids or None
        for grid in _grids(connection, question, storage_id, ids, beside):
            taken.extend(_alone(grid, question, storage_id))
            _checked(taken, joined=bool(beside.grids))
    if beside.grids:
        taken = _checked(_joined(taken))
    return _top(taken, question) if question.top else taken


def _grids(
    connection: Connection,
    question: Question,
    storage_id: str,
    native_ids: Sequence[str] | None,
    elsewhere: Elsewhere,
) -> Iterator[Grid]:
    if elsewhere.own is not None:
        kind, names = question.kind, needed(question)
        yield from grids(connection, UUID(storage_id).bytes, kind, names, *elsewhere.own, native_ids=native_ids)
    for grid in elsewhere.grids.get(storage_id, ()):
        chosen = grid if native_ids is None else _of_some(grid, frozenset(native_ids))
        if chosen.native_ids:
            yield chosen


def _of_some(grid: Grid, native_ids: frozenset[str]) -> Grid:
    places = [place for place, native_id in enumerate(grid.native_ids) if native_id in native_ids]
    if len(places) == len(grid.native_ids):
        return grid
    return Grid(tuple(grid.native_ids[place] for place in places), grid.metrics, grid.times, grid.values[:, :, places])


def _joined(found: list[Series]) -> list[Series]:
    """Parts of a series, as one, by time."""
    parts: dict[tuple[str, str, str], list[Series]] = {}
    for one in found:
        parts.setdefault((one.metric.name, one.storage_id, one.native_id), []).append(one)
    return [several[0] if len(several) == 1 else _one(several) for several in parts.values()]


def _one(parts: list[Series]) -> Series:
    times = np.concatenate([part.times for part in parts])
    order = np.argsort(times, kind="stable")
    first = parts[0]
    values = np.concatenate([part.values for part in parts])[order]
    return Series(first.metric, first.storage_id, first.native_id, times[order], values)


def needed(question: Question) -> tuple[str, ...]:
    """The metrics to read: those that are asked for, and those that they are weighted by."""
    names = [metric.name for metric in question.metrics]
    names.extend(metric.weight for metric in question.metrics if metric.weight)
    return tuple(dict.fromkeys(names))


def _stepped(grid: Grid, question: Question, metric: Metric) -> tuple[Times, Numbers, Numbers | None]:
    """Values of one metric by time and resource, and the weights that go with them."""
    values = grid.values[:, grid.metrics.index(metric.name)]
    weights = grid.values[:, grid.metrics.index(metric.weight)] if metric.weight else None
    if weights is not None:
        # Of a resource of which no weight is known at all, each value counts alike.
        weights = np.where(np.isnan(weights).all(axis=0), 1.0, weights)
    if not question.step:
        return grid.times, values, weights
    times, stepped = in_steps(grid.times, values, question.step, metric.over_time, weights)
    if weights is not None:
        # How much a step weighs is what happened in it: the mean of what was measured.
        _, weights = in_steps(grid.times, weights, question.step, metric_catalogue_pb2.AGGREGATION_MEAN, None)
    return times, stepped, weights


def _alone(grid: Grid, question: Question, storage_id: str) -> Iterator[Series]:
    for metric in question.metrics:
        times, values, _ = _stepped(grid, question, metric)
        for column, native_id in enumerate(grid.native_ids):
            told = ~np.isnan(values[:, column])
            if told.any():
                yield Series(metric, storage_id, native_id, times[told], values[told, column])


def _grouped(
    connection: Connection, question: Question, storage_ids: Sequence[str], elsewhere: Elsewhere
) -> Iterator[Series]:
    everything = {metric.name: Group(question.over_resources(metric)) for metric in question.metrics}
    any_at_all = False
    for storage_id in storage_ids:
        groups = everything
        if question.group_by == "storage":
            groups = {metric.name: Group(question.over_resources(metric)) for metric in question.metrics}
        found = False
        for grid in _grids(connection, question, storage_id, question.native_ids or None, elsewhere):
            found = any_at_all = True
            for metric in question.metrics:
                groups[metric.name].add(*_stepped(grid, question, metric))
        if found and question.group_by == "storage":
            yield from _series(groups, question, storage_id)
    if any_at_all and question.group_by == "all":
        yield from _series(everything, question, "")


def _series(groups: dict[str, Group], question: Question, storage_id: str) -> Iterator[Series]:
    for metric in question.metrics:
        times, values = groups[metric.name].series()
        if len(times):
            yield Series(metric, storage_id, "", times, values)


def top_resources(
    connection: Connection, question: Question, storage_ids: Sequence[str], elsewhere: Elsewhere
) -> dict[str, list[str]]:
    """The resources whose mean of the first metric is greatest, by array."""
    metric = question.metrics[0]
    best: list[tuple[float, str, str]] = []
    for storage_id in storage_ids:
        for mean, native_id in _means(connection, question, storage_id, elsewhere, metric):
            entry = (mean, storage_id, native_id)
            (heapq.heappush if len(best) < question.top else heapq.heappushpop)(best, entry)
    found: dict[str, list[str]] = {}
    for _, storage_id, native_id in best:
        found.setdefault(storage_id, []).append(native_id)
    return found


def _means(
    connection: Connection, question: Question, storage_id: str, elsewhere: Elsewhere, metric: Metric
) -> Iterator[tuple[float, str]]:
    """The resources of an array with the means of a metric. Of a resource there may be several grids."""
    several = bool(elsewhere.grids.get(storage_id))
    sums: dict[str, tuple[float, float]] = {}
    for grid in _grids(connection, question, storage_id, question.native_ids or None, elsewhere):
        _, values, _ = _stepped(grid, question, metric)
        told = ~np.isnan(values)
        counts = told.sum(axis=0)
        totals = np.where(told, values, 0.0).sum(axis=0)
        for native_id, total, count in zip(grid.native_ids, totals.tolist(), counts.tolist(), strict=True):
            if several:
                before, so_many = sums.get(native_id, (0.0, 0.0))
                sums[native_id] = before + total, so_many + count
            elif count:
                yield total / count, native_id
    yield from ((total / count, native_id) for native_id, (total, count) in sums.items() if count)


def _top(found: list[Series], question: Question) -> list[Series]:
    """The series of the top ones, the greatest first; of one resource they stay together, in the order asked for."""
    first = question.metrics[0].name
    means = {(one.storage_id, one.native_id): float(one.values.mean()) for one in found if one.metric.name == first}
    order = sorted(means, key=lambda key: -means[key])[: question.top]
    places = {key: place for place, key in enumerate(order)}
    names = [metric.name for metric in question.metrics]
    kept = [one for one in found if (one.storage_id, one.native_id) in places]
    return sorted(kept, key=lambda one: (places[one.storage_id, one.native_id], names.index(one.metric.name)))


def _checked(found: list[Series], *, joined: bool = False) -> list[Series]:
    """`joined`: parts of one series will be."""
    points = sum(len(one.times) for one in found)
    if (len(found) > MAX_SERIES and not joined) or points > MAX_POINTS:
        raise CallError(
            "QUERY_TOO_BROAD",
            f"More than {MAX_SERIES:,} series or {MAX_POINTS:,} points would be answered."
            " Ask for fewer series, a larger step, or the top ones.",
            metadata={},
        )
    return found
