"""Points as they go through the service: columns of one kind of one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


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


def joined(windows: Sequence[Window]) -> Window:
    """Windows that differ in their resources alone, as one."""
    first = windows[0]
    if len(windows) == 1:
        return first
    return Window(
        first.kind,
        tuple(native_id for window in windows for native_id in window.native_ids),
        first.metrics,
        first.begin,
        first.step,
        np.concatenate([window.values for window in windows], axis=2),
    )
