"""Points as SODA Delfin's exporter for Kafka says them: a JSON array of [name, labels, {time: value}].

Its names, its labels, its units: who reads Delfin's topic reads this one. Times are milliseconds, as text.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import orjson

from delphis.sdk import metrics
from services.telemetry.sinks.load import Load


def messages(load: Load, most: int) -> Iterator[tuple[bytes, int]]:
    """Bodies of at most `most` bytes, but for one series that is larger, and how many points each has."""
    parts: list[bytes] = []
    size = count = 0
    for text, points in _series(load, most):
        if parts and size + len(text) + 1 > most:
            yield b"[" + b",".join(parts) + b"]", count
            parts, size, count = [], 0, 0
        parts.append(text)
        size += len(text) + 1
        count += points
    if parts:
        yield b"[" + b",".join(parts) + b"]", count


def _series(load: Load, most: int) -> Iterator[tuple[bytes, int]]:
    window, array = load.window, load.source.array
    common = {
        "storage_id": array.storage_id,
        "storage_name": array.name,
        "storage_sn": load.source.serial_number,
        "resource_type": _camel(window.kind),
    }
    opening = orjson.dumps(common)[:-1]
    resources = [
        opening + b"," + orjson.dumps({"resource_id": id_, "resource_name": name})[1:-1]
        for id_, name in zip(window.native_ids, load.names, strict=True)
    ]
    keys = [f'"{at}":'.encode() for at in window.times().tolist()]
    a_text = most // 64  # points of a series in one text: each has less than 64 bytes
    for index, name in enumerate(window.metrics):
        metric = metrics.catalogue()[name]
        head = b"[" + orjson.dumps(name) + b","
        last = {"type": "RAW", "unit": metric.delfin_unit or metric.unit, "value_type": "gauge"}
        closing = b"," + orjson.dumps(last)[1:] + b",{"
        values = window.values[:, index, :] / (metric.delfin_factor or 1.0)
        there = ~np.isnan(values)
        for place, resource in enumerate(resources):
            told = np.flatnonzero(there[:, place]).tolist()
            column = values[:, place].tolist()
            for low in range(0, len(told), a_text):
                some = told[low : low + a_text]
                points = b",".join([keys[step] + repr(column[step]).encode() for step in some])
                yield b"".join((head, resource, closing, points, b"}]")), len(some)


def _camel(kind: str) -> str:
    """`storage_pool` as `storagePool`."""
    first, *others = kind.split("_")
    return first + "".join(word.capitalize() for word in others)
