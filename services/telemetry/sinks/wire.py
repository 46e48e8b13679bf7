"""Samples as Prometheus remote write 1.0 has them on the wire.

The format is a protobuf message of four levels: a request has series (field 1), a series has labels (1) and samples
(2), a label has name (1) and value (2), a sample has value (1, a double) and time (2, in milliseconds). It is written
here without a message of its own for each, since there are hundreds of thousands a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from delphis.sdk import metrics
from services.telemetry.sinks.load import Load

Bytes = NDArray[np.uint8]

_ONE = b"\x0a"
"""Field 1, bytes that follow their length."""
_TWO = b"\x12"
_DOUBLE = 0x09
"""Field 1, 8 bytes."""
_NUMBER = 0x10
"""Field 2, a varint."""


def request(loads: Sequence[Load]) -> tuple[bytes, int]:
    """The message, and how many samples it has. What is no number is left out, and so are series without any."""
    parts: list[bytes | memoryview] = []
    count = 0
    for load in loads:
        count += _series(load, parts)
    return b"".join(parts), count


def _series(load: Load, parts: list[bytes | memoryview]) -> int:
    """Adds the series of a load; how many samples they have."""
    window = load.window
    heads = [_label(b"__name__", metrics.catalogue()[name].exposed(window.kind).encode()) for name in window.metrics]
    tails = _tails(load)
    # By metric, resource, time: bytes of one series lie together.
    values = np.ascontiguousarray(window.values.transpose(1, 2, 0))
    samples = _samples(values, window.times())
    there = ~np.isnan(values)
    if there.all():
        _whole(heads, tails, samples, parts)
        return int(values.size)
    whole = there.all(axis=(0, 2))
    _whole(heads, [tails[place] for place in np.flatnonzero(whole)], samples[:, whole], parts)
    for place in np.flatnonzero(~whole & there.any(axis=(0, 2))).tolist():
        for metric, head in enumerate(heads):
            told = samples[metric, place][there[metric, place]].tobytes()
            if told:
                body = head + tails[place] + told
                parts += (_ONE, _varint(len(body)), body)
    return int(np.count_nonzero(there))


def _whole(heads: Sequence[bytes], tails: Sequence[bytes], samples: Bytes, parts: list[bytes | memoryview]) -> None:
    """Adds series that have a sample for each time. Those whose labels are equally long differ nowhere in their
    layout, so they are written together."""
    alike: dict[int, list[int]] = {}
    for place, tail in enumerate(tails):
        alike.setdefault(len(tail), []).append(place)
    for size, places in alike.items():
        everywhere = len(places) == len(tails)
        labels = np.frombuffer(b"".join(tails if everywhere else [tails[place] for place in places]), np.uint8)
        told = (samples if everywhere else samples[:, places]).reshape(len(heads), len(places), -1)
        for metric, head in enumerate(heads):
            length = len(head) + size + told.shape[2]
            before = np.frombuffer(b"".join((_ONE, _varint(length), head)), np.uint8)
            behind = len(before) + size
            series = np.empty((len(places), behind + told.shape[2]), np.uint8)
            series[:, : len(before)] = before
            series[:, len(before) : behind] = labels.reshape(-1, size)
            series[:, behind:] = told[metric]
            parts.append(series.data)


def _samples(values: NDArray[np.float64], times: NDArray[np.int64]) -> Bytes:
    """Samples with their field's head, by metric, resource, time and byte."""
    # Of one length for all: a varint may be longer than it must.
    width = max(len(_varint(int(times[0]))), len(_varint(int(times[-1]))))
    size = 1 + 8 + 1 + width
    layout = np.dtype([("head", "V3"), ("value", "<f8"), ("number", "u1"), ("time", f"V{width}")])
    samples = np.empty(values.shape, layout)
    samples["head"] = np.void(bytes((_TWO[0], size, _DOUBLE)))
    samples["value"] = values
    samples["number"] = _NUMBER
    shifted = times[:, np.newaxis] >> 7 * np.arange(width) & 0x7F
    shifted[:, :-1] |= 0x80
    samples["time"] = shifted.astype(np.uint8).view(f"V{width}").reshape(-1)
    return samples.view(np.uint8).reshape(*values.shape, layout.itemsize)


def _tails(load: Load) -> list[bytes]:
    """For each resource the labels that follow the metric's name, by their names."""
    array, window = load.source.array, load.window
    before = _label(b"model", _text(array.model))
    behind = b"".join(
        (
            _label(b"storage_id", _text(array.storage_id)),
            _label(b"storage_name", _text(array.name)),
            _label(b"vendor", _text(array.vendor)),
        )
    )
    tails: list[bytes] = []
    for id_, name in zip(window.native_ids, load.names, strict=True):
        native, called = _text(id_), _text(name)
        labels = (before, _opening(b"resource_id", len(native)), native)
        tails.append(b"".join((*labels, _opening(b"resource_name", len(called)), called, behind)))
    return tails


def _text(value: str) -> bytes:
    return value.encode("utf-8", "replace")


def _label(name: bytes, value: bytes) -> bytes:
    return _opening(name, len(value)) + value


@lru_cache(maxsize=4096)
def _opening(name: bytes, length: int) -> bytes:
    """A label up to its value, of which only the length matters. One without a value is none, and is not sent."""
    if not length:
        return b""
    inner = b"".join((_ONE, _varint(len(name)), name, _TWO, _varint(length)))
    return b"".join((_ONE, _varint(len(inner) + length), inner))


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
