"""The newest value of each series."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from services.telemetry.window import Values, Window

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
        self._newest: dict[tuple[str, str, tuple[str, ...]], Newest] = {}

    def take(self, storage_id: str, windows: list[Window]) -> None:
        """New points of an array."""
        for window in windows:
            key = (storage_id, window.kind, window.metrics)
            known = self._newest.get(key)
            if known is None or known.at <= window.last:
                self._newest[key] = Newest(
                    storage_id, window.kind, window.metrics, window.native_ids, _last(window), window.last
                )

    def storage_ids(self) -> set[str]:
        """The arrays that values are known of."""
        return {storage_id for storage_id, _, _ in self._newest}

    def forget(self, storage_id: str) -> None:
        """The array is gone."""
        for key in [key for key in self._newest if key[0] == storage_id]:
            del self._newest[key]

    def of(self, kinds: frozenset[str] | None, storage_ids: frozenset[str] | None) -> Iterator[Newest]:
        """Those of some kinds and arrays, or of all."""
        for (storage_id, kind, _), newest in self._newest.items():
            if (kinds is None or kind in kinds) and (storage_ids is None or storage_id in storage_ids):
                yield newest


def _last(window: Window) -> Values:
    """Each series' newest value: not always the last time has one."""
    values: Values = window.values[-1].copy()
    for earlier in range(window.steps - 2, -1, -1):
        missing = np.isnan(values)
        if not missing.any():
            break
        values[missing] = window.values[earlier][missing]
    return values
