"""Points as they go through the service: columns of one kind of one array."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_MOST_EMPTY = 4
"""So many times the room that their samples need may windows take that become one."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Samples of some resources at evenly spaced times. Times are milliseconds since 1970 UTC."""

    kind: str
    """`storage`, or a resource kind in the singular."""
    native_ids: tuple[str, ...]
    """The resources, each once."""
    metrics: tuple[str, ...]
    """Names of the catalogue, each once."""
    begin: int
    """Time of the first samples."""
    step: int
    """Time between samples, more than 0."""
    values: Values
    """By time, metric and resource, in base units; NaN: no sample."""

    @property
    def steps(self) -> int:
        """Number of times."""
        return int(self.values.shape[0])

    @property
    def last(self) -> int:
        """Time of the last samples."""
        return self.begin + (self.steps - 1) * self.step

    @property
    def points(self) -> int:
        """How many samples there are."""
        return int(self.values.size - np.count_nonzero(np.isnan(self.values)))

    def times(self) -> NDArray[np.int64]:
        """All times."""
        return self.begin + self.step * np.arange(self.steps, dtype=np.int64)

    def between(self, begin: int, end: int) -> Window | None:
        """The part with begin <= time < end; None where there is none."""
        first = max(0, -(-(begin - self.begin) // self.step))
        beyond = min(self.steps, -(-(end - self.begin) // self.step))
        if first >= beyond:
            return None
        if first == 0 and beyond == self.steps:
            return self
        return Window(
            self.kind,
            self.native_ids,
            self.metrics,
            self.begin + first * self.step,
            self.step,
            self.values[first:beyond],
        )


def joined(windows: Sequence[Window]) -> list[Window]:
    """Windows of the same kind, metrics, step and phase as one.

    No two of them may have a sample of the same series and time. Where their times and resources differ so much that
    one would be mostly empty, they stay apart.
    """
    first = windows[0]
    if len(windows) == 1:
        return [first]
    if all(window.begin == first.begin and window.steps == first.steps for window in windows):
        values = np.concatenate([window.values for window in windows], axis=2)
        return [Window(first.kind, tuple(_ids(windows)), first.metrics, first.begin, first.step, values)]
    places = {native_id: place for place, native_id in enumerate(dict.fromkeys(_ids(windows)))}
    begin, last = min(window.begin for window in windows), max(window.last for window in windows)
    shape = ((last - begin) // first.step + 1, len(first.metrics), len(places))
    size = sum(window.values.size for window in windows)
    if math.prod(shape) > size * _MOST_EMPTY:
        return list(windows)
    values = np.full(shape, np.nan)
    for window in windows:
        row = (window.begin - begin) // first.step
        columns = [places[native_id] for native_id in window.native_ids]
        values[row : row + window.steps, :, columns] = window.values
    return [Window(first.kind, tuple(places), first.metrics, begin, first.step, values)]


def _ids(windows: Sequence[Window]) -> Iterator[str]:
    return (native_id for window in windows for native_id in window.native_ids)
