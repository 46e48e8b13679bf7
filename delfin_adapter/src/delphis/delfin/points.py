"""From a flat list of series, each of one metric of one resource, to columns in base units."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from delphis.delfin import kinds, metrics, odd_values, rows, times
from delphis.delfin.notes import Notes
from delphis.sdk import MetricBatch

_NAN = math.nan
_NUMBERS = frozenset({int, float})
_ORDER = ("name", "labels", "values")


# Resource, metric, what its values are multiplied by, its values by time.
_Series = tuple[str, str, float, Mapping[Any, Any]]


def batches(answer: Any, notes: Notes, begin_ms: int, end_ms: int, historic: bool) -> Iterator[MetricBatch]:
    """The columns.

    Args:
        answer: What collect_perf_metrics returned.
        notes: Where oddities go.
        begin_ms: Begin of the window.
        end_ms: End of the window; not in it.
        historic: The array keeps samples; then those outside of the window are left out.
    """
    # Series with the same times stand in one batch, whatever the resource and metric: the rest would be holes.
    together: dict[tuple[str, tuple[Any, ...]], list[_Series]] = {}
    for item in rows.listed(answer, notes):
        read = _series(item, notes)
        if read is not None and read[1][3]:
            together.setdefault((read[0], tuple(read[1][3])), []).append(read[1])
    for (kind, keys), series in together.items():
        moments: dict[int, Any] = {}
        for key in keys:
            ms = times.milliseconds(key)
            if ms is None:
                notes.odd("values", "has a key that is no time: left out", key)
            elif not historic or begin_ms <= ms < end_ms:
                moments[ms] = key
        for run in _runs(sorted(moments)):
            yield _batch(kind, run, moments, series, notes)
    notes.tell()


def _series(item: Any, notes: Notes) -> tuple[str, _Series] | None:
    try:
        name, labels, values = item
        word, resource, said = labels["resource_type"], labels.get("resource_id"), labels.get("unit")
        if not (resource.__class__ is str and resource.isprintable() and " " not in resource and resource):
            resource = odd_values.one_line(resource)
        if resource is None or not (values.__class__ is dict or isinstance(values, Mapping)):
            raise TypeError("no resource, or no values")
    except (TypeError, ValueError, KeyError, AttributeError, odd_values.Unreadable):
        found = rows.as_row(item)
        ordered = isinstance(item, tuple) and found is not None and tuple(found) == _ORDER
        if found is not None and not ordered and set(_ORDER) <= found.keys():
            return _series((found["name"], found["labels"], found["values"]), notes)
        notes.lacks("item", "is no (name, labels, values): left out", item)
        return None
    kind = kinds.kind_of(str(word))
    if kind is None:
        notes.odd("resource_type", "is no kind of resource: left out", word)
        return None
    metric = metrics.read_as(kind, str(name), str(said or ""))
    if isinstance(metric, str):
        notes.odd(str(name), metric, said)
        return None
    return kind, (resource, metric.name, metric.factor, values)


def _runs(moments: list[int]) -> Iterator[list[int]]:
    """Times cut where the distance between them changes."""
    run: list[int] = []
    for before, ms in pairwise([None, *moments]):
        assert ms is not None
        if len(run) >= 2 and before is not None and ms - before != run[1] - run[0]:
            yield run
            run = []
        run.append(ms)
    if run:
        yield run


def _batch(kind: str, run: list[int], keys: Mapping[int, Any], series: list[_Series], notes: Notes) -> MetricBatch:
    places: dict[str, int] = {}
    names: dict[str, int] = {}
    for resource, metric, _, _ in series:
        places.setdefault(resource, len(places))
        names.setdefault(metric, len(names))
    row = len(names) * len(places)
    values = [_NAN] * (len(run) * row)
    own = [keys[ms] for ms in run]
    for resource, metric, factor, by_time in series:
        found = list(map(by_time.__getitem__, own))
        if not _are_usual(found):
            found = [_number(value, notes) for value in found]
        if factor != 1.0:
            found = [value * factor for value in found]
        values[names[metric] * len(places) + places[resource] :: row] = found
    batch = MetricBatch(kind=kind, native_ids=list(places), metrics=list(names), steps=len(run), values=values)
    batch.start.FromMilliseconds(run[0])
    if len(run) > 1:
        batch.step.FromMilliseconds(run[1] - run[0])
    return batch


def _are_usual(values: list[Any]) -> bool:
    """Numbers, none of which is below zero, NaN or infinite: a sum keeps what is not finite."""
    try:
        total: Any = sum(values)
        return type(total) in _NUMBERS and math.isfinite(total) and bool(min(values) >= 0)
    except TypeError:
        return False


def _number(value: Any, notes: Notes) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        if value is not None:
            notes.odd("values", "has a value that is no number: left out", value)
        return _NAN
    return found if 0 <= found < math.inf else _NAN
