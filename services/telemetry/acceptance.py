"""What of an array's answer is taken: known metrics of the kind, times of the window, values that can be.

The rest is refused value by value and counted by reason; nothing of an answer is taken on trust.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from numpy.typing import NDArray

from delphis.sdk import metrics
from delphis.type.v1.metric_pb2 import MetricBatch
from services.store.columns import clean
from services.telemetry.window import Values, Window, joined

MAX_SERIES = 1_000_000
"""Of one kind of one array."""
MAX_VALUES = 16_000_000
"""Of one answer: they lie in memory until they are stored."""
MAX_STEPS = 100_000
MAX_ID = 1_000
MAX_NAMED = 20
"""Metrics whose values were refused are told by name, so many of an array."""
_SHOWN = 100
REASONS = (
    *("unknown_kind", "wrong_shape", "bad_names", "unknown_metric", "outside_window", "said_twice"),
    *("too_many_series", "too_many_values", "infinite", "negative", "too_large"),
)
"""Why values are not taken."""


@dataclass(slots=True)
class Refused:
    """Values of one metric that were not taken for one reason."""

    kind: str
    metric: str
    """Empty: of all metrics of the batch."""
    reason: str
    count: int = 0
    native_id: str = ""
    example: str = ""
    last_at: int = 0
    """Microseconds; 0: it is not known."""


@dataclass(slots=True)
class Refusals:
    """Values that were not taken, by reason, and by metric."""

    counts: Counter[str] = field(default_factory=Counter)
    named: dict[tuple[str, str, str], Refused] = field(default_factory=dict[tuple[str, str, str], Refused])

    def add(
        self, reason: str, values: int, *, kind: str, metric: str = "", native_id: str = "", example: object = ""
    ) -> None:
        """Counts some; none is no reason."""
        if not values:
            return
        self.counts[reason] += values
        one = self._of(_shown(kind), _shown(metric), reason)
        if one is not None:
            one.count += values
            one.native_id, one.example = _shown(native_id), _shown(str(example))

    def merge(self, more: Refusals, at: int) -> list[Refused]:
        """Adds those of an answer that came at a time, in microseconds; what was not known before."""
        self.counts.update(more.counts)
        new: list[Refused] = []
        for key, other in more.named.items():
            is_new = key not in self.named
            one = self._of(*key)
            if one is None:
                continue
            one.count += other.count
            one.native_id, one.example, one.last_at = other.native_id, other.example, at
            if is_new:
                new.append(one)
        return new

    def _of(self, kind: str, metric: str, reason: str) -> Refused | None:
        key = (kind, metric, reason)
        if key not in self.named and len(self.named) >= MAX_NAMED:
            return None
        return self.named.setdefault(key, Refused(kind, metric, reason))


class Acceptance:
    """Takes an answer batch by batch, so that what is not taken lies in no memory."""

    def __init__(self, *, begin: int, end: int, wanted: frozenset[str], own_id: str, refusals: Refusals) -> None:
        """Takes only samples with begin <= time < end, in milliseconds, of the kinds that were asked for.

        What a driver says twice, or out of order, counts once. `own_id` is the array's: of kind `storage` that of the
        driver is not read.
        """
        self._begin, self._end = begin, end
        self._own_id = own_id
        self._wanted = wanted
        self._refusals = refusals
        self._like: dict[tuple[str, tuple[str, ...], int, int], list[Window]] = {}
        self._series: Counter[str] = Counter()
        self._told: dict[tuple[str, tuple[str, ...]], dict[str, int]] = {}
        self.values = 0
        """So many were taken."""
        self.overflowed = False
        """There were more values than can be taken at once."""

    def add(self, batch: MetricBatch) -> None:
        """Takes what can be taken."""
        whole = _window(batch, self._wanted, self._own_id, self._refusals)
        if whole is None:
            return
        inside = whole.between(self._begin, self._end)
        if inside is not whole:
            self._refuse("outside_window", whole, inside, example=_time(whole))
        if inside is None:
            return
        told = self._told.setdefault((inside.kind, inside.metrics), {})
        window = inside.between(self._told_until(inside), self._end)
        if window is not inside:
            self._refuse("said_twice", inside, window, example=_time(inside))
        if window is None:
            return
        self._series[window.kind] += sum(id_ not in told for id_ in window.native_ids) * len(window.metrics)
        if self._series[window.kind] > MAX_SERIES:
            self._refuse("too_many_series", window, None)
            return
        if self.values + window.values.size > MAX_VALUES:
            self.overflowed = True
            self._refuse("too_many_values", window, None)
            return
        self.values += window.values.size
        told.update(dict.fromkeys(window.native_ids, window.last + 1))
        key = (window.kind, window.metrics, window.step, window.begin % window.step)
        self._like.setdefault(key, []).append(window)

    def windows(self) -> list[Window]:
        """What was taken: no two have a sample of the same series and time. To be called once."""
        found: list[Window] = []
        while self._like:
            found.extend(joined(self._like.popitem()[1]))
        return found

    def _told_until(self, window: Window) -> int:
        """From when on nothing is known of any series of a window: batches may have some of their metrics in common."""
        names = set(window.metrics)
        alike = [told for (kind, others), told in self._told.items() if kind == window.kind and names & set(others)]
        return max(told.get(id_, self._begin) for told in alike for id_ in window.native_ids)

    def _refuse(self, reason: str, window: Window, kept: Window | None, example: object = "") -> None:
        values = window.values.size - (kept.values.size if kept is not None else 0)
        self._refusals.add(reason, values, kind=window.kind, native_id=window.native_ids[0], example=example)


def _window(batch: MetricBatch, wanted: frozenset[str], own_id: str, refusals: Refusals) -> Window | None:
    """A batch's values that can be; None where nothing can be made of it."""
    ids, names, steps = tuple(batch.native_ids), tuple(batch.metrics), batch.steps
    if batch.kind == "storage" and len(ids) == 1:
        ids = (own_id,)
    size = len(batch.values)
    if not size:
        return None
    first = ids[0] if ids else ""
    if batch.kind not in wanted:
        refusals.add("unknown_kind", size, kind=batch.kind, native_id=first)
        return None
    begin, step = _milliseconds(batch.start), _milliseconds(batch.step)
    if step <= 0 and steps == 1:
        step = 1
    alone = batch.kind != "storage" or len(ids) == 1
    if not 0 < steps <= MAX_STEPS or step <= 0 or not alone or size != len(ids) * len(names) * steps:
        shape = f"{size} values of {len(ids)} resources, {len(names)} metrics and {steps} steps of {step} ms"
        refusals.add("wrong_shape", size, kind=batch.kind, native_id=first, example=shape)
        return None
    bad = next((id_ for id_ in ids if not 0 < len(id_) <= MAX_ID or "\0" in id_), None)
    if bad is not None or len(set(ids)) != len(ids) or len(set(names)) != len(names):
        example = "a resource or a metric twice" if bad is None else ascii(bad)
        refusals.add("bad_names", size, kind=batch.kind, native_id=first, example=example)
        return None
    values: Values = np.array(batch.values, dtype=np.float64).reshape(steps, len(names), len(ids))
    known = [index for index, name in enumerate(names) if _is_metric_of(name, batch.kind)]
    if len(known) < len(names):
        for index in sorted(set(range(len(names))) - set(known)):
            number = float(values[0, index, 0])
            refusals.add(
                *("unknown_metric", steps * len(ids)),
                kind=batch.kind, metric=names[index], native_id=first, example=number,
            )  # fmt: skip
        if not known:
            return None
        values, names = values[:, known], tuple(names[index] for index in known)
    _drop_impossible(batch.kind, ids, values, names, refusals)
    return Window(batch.kind, ids, names, begin, step, values)


def _drop_impossible(
    kind: str, ids: tuple[str, ...], values: Values, names: tuple[str, ...], refusals: Refusals
) -> None:
    """Puts NaN in the place of what can't be."""
    infinite = np.isinf(values)
    negative = values < 0
    ceilings = [metrics.catalogue()[name].ceiling for name in names]
    beyond = (values > np.array(ceilings).reshape(1, -1, 1)) & ~infinite
    for reason, mask in (("infinite", infinite), ("negative", negative & ~infinite), ("too_large", beyond)):
        if not mask.any():
            continue
        for index, name in enumerate(names):
            found: NDArray[np.intp] = np.argwhere(mask[:, index])
            if len(found):
                at, resource = (int(place) for place in found[0])
                example = float(values[at, index, resource])
                refusals.add(reason, len(found), kind=kind, metric=name, native_id=ids[resource], example=example)
        values[mask] = np.nan


def _is_metric_of(name: str, kind: str) -> bool:
    metric = metrics.find(name)
    return metric is not None and kind in metric.kinds


def _time(window: Window) -> str:
    try:
        return str(np.datetime64(window.begin, "ms"))
    except (OverflowError, ValueError):
        return f"{window.begin} ms"


def _shown(text: str) -> str:
    return clean(text if len(text) <= _SHOWN else text[:_SHOWN])


def _milliseconds(span: Timestamp | Duration) -> int:
    return span.seconds * 1000 + span.nanos // 1_000_000
