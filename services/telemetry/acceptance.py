"""What of an array's answer is taken: known metrics of the kind, times of the window, values that can be.

The rest is refused value by value and counted by reason; nothing of an answer is taken on trust.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from delphis.sdk import metrics
from delphis.type.v1.metric_pb2 import MetricBatch
from services.telemetry.window import Values, Window, joined

MAX_SERIES = 1_000_000
"""Of one kind of one array."""
MAX_STEPS = 100_000
REASONS = (
    *("unknown_kind", "wrong_shape", "bad_names", "unknown_metric", "outside_window", "said_twice"),
    *("too_many_series", "infinite", "negative", "too_large"),
)
"""Why values are not taken."""


@dataclass(slots=True)
class Refusals:
    """Values that were not taken, by reason."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str, values: int) -> None:
        """Counts some; none is no reason."""
        if values:
            self.counts[reason] += values


def accept(
    batches: Iterable[MetricBatch], *, begin: int, end: int, wanted: frozenset[str], refusals: Refusals
) -> list[Window]:
    """The windows of an answer.

    Args:
        batches: The answer.
        begin: Only samples of this time or later, in milliseconds.
        end: Only samples before this time.
        wanted: The kinds that were asked for.
        refusals: Counts what is not taken.

    Returns:
        Windows of which no two have a sample of the same series and time: what a driver says twice, or out of order,
        counts once.
    """
    like: dict[tuple[str, tuple[str, ...], int, int], list[Window]] = {}
    series: Counter[str] = Counter()
    told: dict[tuple[str, tuple[str, ...], str], int] = {}
    for batch in batches:
        whole = _window(batch, wanted, refusals)
        if whole is None:
            continue
        inside = whole.between(begin, end)
        refusals.add("outside_window", whole.values.size - (inside.values.size if inside else 0))
        if inside is None:
            continue
        lines = [(inside.kind, inside.metrics, native_id) for native_id in inside.native_ids]
        window = inside.between(max(told.get(line, begin) for line in lines), end)
        refusals.add("said_twice", inside.values.size - (window.values.size if window else 0))
        if window is None:
            continue
        series[window.kind] += sum(line not in told for line in lines) * len(window.metrics)
        if series[window.kind] > MAX_SERIES:
            refusals.add("too_many_series", window.values.size)
            continue
        told.update(dict.fromkeys(lines, window.last + 1))
        like.setdefault((window.kind, window.metrics, window.step, window.begin % window.step), []).append(window)
    return [window for windows in like.values() for window in joined(windows)]


def _window(batch: MetricBatch, wanted: frozenset[str], refusals: Refusals) -> Window | None:
    """A batch's values that can be; None where nothing can be made of it."""
    ids, names, steps = tuple(batch.native_ids), tuple(batch.metrics), batch.steps
    size = len(batch.values)
    if not size:
        return None
    if batch.kind not in wanted:
        refusals.add("unknown_kind", size)
        return None
    begin, step = _milliseconds(batch.start), _milliseconds(batch.step)
    if step <= 0 and steps == 1:
        step = 1
    if not 0 < steps <= MAX_STEPS or step <= 0 or size != len(ids) * len(names) * steps:
        refusals.add("wrong_shape", size)
        return None
    if len(set(ids)) != len(ids) or len(set(names)) != len(names) or not all(ids) or any("\0" in one for one in ids):
        refusals.add("bad_names", size)
        return None
    values: Values = np.array(batch.values, dtype=np.float64).reshape(steps, len(names), len(ids))
    known = [index for index, name in enumerate(names) if _is_metric_of(name, batch.kind)]
    if len(known) < len(names):
        refusals.add("unknown_metric", (len(names) - len(known)) * steps * len(ids))
        if not known:
            return None
        values, names = values[:, known], tuple(names[index] for index in known)
    _drop_impossible(values, names, refusals)
    return Window(batch.kind, ids, names, begin, step, values)


def _drop_impossible(values: Values, names: tuple[str, ...], refusals: Refusals) -> None:
    """Puts NaN in the place of what can't be."""
    infinite = np.isinf(values)
    negative = values < 0
    ceilings = [metrics.catalogue()[name].ceiling for name in names]
    beyond = (values > np.array(ceilings).reshape(1, -1, 1)) & ~infinite
    for reason, mask in (("infinite", infinite), ("negative", negative & ~infinite), ("too_large", beyond)):
        found = int(np.count_nonzero(mask))
        if found:
            refusals.add(reason, found)
            values[mask] = np.nan


def _is_metric_of(name: str, kind: str) -> bool:
    metric = metrics.find(name)
    return metric is not None and kind in metric.kinds


def _milliseconds(span: Timestamp | Duration) -> int:
    return span.seconds * 1000 + span.nanos // 1_000_000
