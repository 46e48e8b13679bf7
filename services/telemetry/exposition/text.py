"""The newest values in Prometheus' text format 0.0.4, or in OpenMetrics 1.0.

One family after another, as both formats want it. No times: a scraper would take a value that is older than five
minutes for one that has vanished, and arrays are asked every fifteen. What is too old is left out instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from delphis.sdk import metrics
from services.exposition.formats import OPENMETRICS
from services.exposition.labels import described, escaped, pairs
from services.telemetry.exposition.latest import Names, Newest

_LINES = 2000


@dataclass(frozen=True, slots=True)
class Array:
    """What the labels of its series say of an array."""

    storage_id: str
    name: str
    vendor: str
    model: str


def write(newest: Iterable[Newest], arrays: dict[str, Array], names: Names, format_: str) -> Iterator[bytes]:
    """The text in parts of some 100 KB. Values of arrays that are not in `arrays` are left out."""
    families: dict[tuple[str, str], list[Newest]] = {}
    for one in newest:
        if one.storage_id in arrays:
            for metric in one.metrics:
                families.setdefault((one.kind, metric), []).append(one)
    labels: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    lines: list[str] = []
    for (kind, name), members in sorted(families.items()):
        lines.extend(_head(kind, name, format_))
        exposed = metrics.catalogue()[name].exposed(kind)
        for one in members:
            key = (one.storage_id, one.kind, one.native_ids)
            texts = labels.get(key)
            if texts is None:
                texts = labels[key] = _labels(one, arrays[one.storage_id], names)
            values = one.values[one.metrics.index(name)]
            if np.isnan(values).any():
                there = np.flatnonzero(~np.isnan(values)).tolist()
                texts, values = [texts[index] for index in there], values[there]
            told = list(zip(texts, values.tolist(), strict=True))
            for low in range(0, len(told), _LINES):
                lines.extend([f"{exposed}{text}{value}" for text, value in told[low : low + _LINES]])
                if len(lines) >= _LINES:
                    yield ("\n".join(lines) + "\n").encode()
                    lines.clear()
    if format_ == OPENMETRICS:
        lines.append("# EOF")
    if lines:
        yield ("\n".join(lines) + "\n").encode()


def _head(kind: str, name: str, format_: str) -> Iterator[str]:
    metric = metrics.catalogue()[name]
    exposed = metric.exposed(kind)
    yield f"# TYPE {exposed} gauge"
    if format_ == OPENMETRICS:
        yield f"# UNIT {exposed} {metric.exposition}"
    said = f"Of a {kind.replace('_', ' ')}: {metric.description}"
    yield f"# HELP {exposed} {described(said, format_)}"


def _labels(newest: Newest, array: Array, names: Names) -> list[str]:
    """For each resource what stands between the metric's name and the value."""
    common = pairs(
        (
            ("storage_id", array.storage_id),
            ("storage_name", array.name),
            ("vendor", array.vendor),
            ("model", array.model),
        )
    )
    called = names(newest.storage_id, newest.kind, newest.native_ids)
    return [
        f'{{{common}resource_id="{escaped(native_id)}",resource_name="{escaped(name)}"}} '
        for native_id, name in zip(newest.native_ids, called, strict=True)
    ]
