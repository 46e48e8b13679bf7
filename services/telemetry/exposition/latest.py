"""The newest value of each series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np

from services.telemetry.collection.plan import CLOCK_SKEW
from services.telemetry.window import Values, Window
from services.values import times

Names = Callable[[str, str, tuple[str, ...]], tuple[str, ...]]
"""The names of resources: of an array (its id), of a kind, by their native ids; empty where one is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Newest:
    """Of one kind of one array, for metrics that were read together."""

    storage_id: str
    kind: str
    metrics: tuple[str, ...]
    native_ids: tuple[str, ...]
    values: Values
    """By metric and resource; NaN: none."""
    at: int
    """Milliseconds since 1970 UTC."""


class Latest:
    """Remembers them."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], list[Newest]] = {}
        """By array and kind; no series is in two of them."""

    def take(self, storage_id: str, windows: list[Window]) -> None:
        """New points of an array: of the metrics that they have, they take the place of all that was known.

        What is known of the future is of a clock that was set back since.
        """
        ahead = times.now() // 1000 + CLOCK_SKEW
        for kind in dict.fromkeys(window.kind for window in windows):
            known = self._newest.get((storage_id, kind), [])
            found: list[Newest] = []
            told: dict[str, set[str]] = {}
            counts = Counter(metric for window in windows if window.kind == kind for metric in window.metrics)
            for window in sorted(windows, key=lambda window: -window.last):
                late = any(
                    window.last < one.at <= ahead and not set(window.metrics).isdisjoint(one.metrics) for one in known
                )
                if window.kind == kind and not late:
                    found.append(_newest(storage_id, window, told, counts))
            kept = (_without(one, told.keys()) for one in known)
            self._newest[storage_id, kind] = [*found, *(one for one in kept if one.metrics)]

    def storage_ids(self) -> set[str]:
        """The arrays that values are known of."""
        return {storage_id for storage_id, _ in self._newest}

    def forget(self, storage_id: str) -> None:
        """The array is gone."""
        for key in [key for key in self._newest if key[0] == storage_id]:
            del self._newest[key]

    def of(self, kinds: frozenset[str] | None, storage_ids: frozenset[str] | None) -> Iterator[Newest]:
        """Those of some kinds and arrays, or of all."""
        for (storage_id, kind), newest in self._newest.items():
            if (kinds is None or kind in kinds) and (storage_ids is None or storage_id in storage_ids):
                yield from newest


def _newest(storage_id: str, window: Window, told: dict[str, set[str]], counts: Counter[str]) -> Newest:
    """The newest values of a window, but for those of resources of which later windows told a metric; adds its own.

    `counts`: in how many windows each metric is. Where it is one, as nearly always, no resource need be looked at.
    """
    values = _last(window)
    for row, metric in enumerate(window.metrics):
        others = told.setdefault(metric, set())
        if counts[metric] == 1:
            continue
        if others:
            values[row, [native_id in others for native_id in window.native_ids]] = np.nan
        others.update(window.native_ids[column] for column in np.flatnonzero(~np.isnan(values[row])))
    return Newest(storage_id, window.kind, window.metrics, window.native_ids, values, window.last)


def _without(known: Newest, metrics: Collection[str]) -> Newest:
    rows = [row for row, metric in enumerate(known.metrics) if metric not in metrics]
    if len(rows) == len(known.metrics):
        return known
    return replace(known, metrics=tuple(known.metrics[row] for row in rows), values=known.values[rows])


def _last(window: Window) -> Values:
    """Each series' newest value: not always the last time has one."""
    values: Values = window.values[-1].copy()
    for earlier in range(window.steps - 2, -1, -1):
        missing = np.isnan(values)
        if not missing.any():
            break
        values[missing] = window.values[earlier][missing]
    return values
