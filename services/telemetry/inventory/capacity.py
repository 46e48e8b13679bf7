"""Capacities as points: of the array and of its parts, from what the inventory has of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from delphis.sdk import metrics
from services.telemetry.window import Window

_FIELDS = {
    "totalCapacity": "total_capacity",
    "usedCapacity": "used_capacity",
    "freeCapacity": "free_capacity",
    "rawCapacity": "raw_capacity",
    "subscribedCapacity": "subscribed_capacity",
}
_RATIOS = {
    "usedRatio": ("used_capacity", "total_capacity"),
    "overcommitRatio": ("subscribed_capacity", "total_capacity"),
}


@cache
def capacity_metrics(kind: str) -> tuple[str, ...]:
    """The capacities that a kind has."""
    return tuple(metric.name for metric in metrics.of_kind(kind) if metric.is_capacity)


def window(kind: str, native_ids: Sequence[str], items: Sequence[Any], at: int) -> Window | None:
    """The capacities of some resources at a time."""
    names = capacity_metrics(kind)
    if not names or not items:
        return None
    values = np.array([[_value(name, item) for item in items] for name in names], dtype=np.float64)
    if np.isnan(values).all():
        return None
    return Window(kind, tuple(native_ids), names, at, 1, values[np.newaxis])


def unannounced(capacities: Window, announced: frozenset[str]) -> Window | None:
    """Without those that the array announces and tells itself."""
    if announced.isdisjoint(capacities.metrics):
        return capacities
    kept = [place for place, name in enumerate(capacities.metrics) if name not in announced]
    if not kept:
        return None
    names = tuple(capacities.metrics[place] for place in kept)
    return replace(capacities, metrics=names, values=capacities.values[:, kept])


def _value(name: str, item: Any) -> float:
    if name in _FIELDS:
        return _number(item, _FIELDS[name])
    part, whole = (_number(item, field) for field in _RATIOS[name])
    return part / whole if whole > 0 else float("nan")


def _number(item: Any, field: str) -> float:
    return float(getattr(item, field)) if item.HasField(field) else float("nan")
