"""Points on their way to a sink: an entry of the journal, with what labels say of its array and resources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from services.telemetry.exposition.latest import Names
from services.telemetry.exposition.text import Array
from services.telemetry.journal import Entry
from services.telemetry.window import Values, Window


@dataclass(frozen=True, slots=True)
class Source:
    """The array."""

    array: Array
    serial_number: str


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """The points."""

    position: int
    source: Source
    window: Window
    names: tuple[str, ...]
    """Of the resources, in the window's order; empty where one is not known."""

    def split(self, most: int) -> Iterator[Load]:
        """Parts with at most `most` values, those of earlier times first."""
        window = self.window
        deep = max(1, min(window.steps, most // len(window.metrics)))
        wide = max(1, most // (len(window.metrics) * deep))
        if deep == window.steps and wide >= len(window.native_ids):
            yield self
            return
        for step in range(0, window.steps, deep):
            for low in range(0, len(window.native_ids), wide):
                part = replace(
                    window,
                    native_ids=window.native_ids[low : low + wide],
                    begin=window.begin + step * window.step,
                    values=window.values[step : step + deep, :, low : low + wide],
                )
                yield replace(self, window=part, names=self.names[low : low + wide])


def loaded(entry: Entry, source: Source, names: Names) -> Load:
    """The entry's points."""
    batch = entry.batch()
    ids = tuple(batch.native_ids)
    values: Values = np.array(batch.values, dtype=np.float64).reshape(batch.steps, len(batch.metrics), len(ids))
    window = Window(
        batch.kind, ids, tuple(batch.metrics), batch.start.ToMilliseconds(), batch.step.ToMilliseconds(), values
    )
    return Load(entry.position, source, window, names(source.array.storage_id, batch.kind, ids))
