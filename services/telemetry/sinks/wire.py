"""Samples as Prometheus remote write 1.0 has them on the wire.

The format is a protobuf message of four levels: a request has series (field 1), a series has labels (1) and samples
(2), a label has name (1) and value (2), a sample has value (1, a double) and time (2, in milliseconds). It is written
here without a message of its own for each, since there are hundreds of thousands a second.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from delphis.sdk import metrics
from services.telemetry.sinks.load import Load

_ONE = b"\x0a"
"""Field 1, bytes that follow their length."""
_TWO = b"\x12"
_DOUBLE = 0x09
"""Field 1, 8 bytes."""
_NUMBER = 0x10
"""Field 2, a varint."""


def request(loads: Sequence[Load]) -> tuple[bytes, int]:
    """The message, and how many samples it has. What is no number is left out, and so are series without any."""
    parts: list[bytes] = []
    count = 0
    for load in loads:
        count += _series(load, parts)
    return b"".join(parts), count


def _series(load: Load, parts: list[bytes]) -> int:
    """Adds the series of a load; how many samples they have."""
    window = load.window
    tails = _tails(load)
    times = window.times()
    # By metric, resource, time: bytes of one series lie together.
    values = np.ascontiguousarray(window.values.transpose(1, 2, 0))
    there = ~np.isnan(values)
    encoded, size = _samples(values, times)
    whole = bool(there.all())
    buffer = encoded.tobytes()
    length = size * window.steps
    for metric, name in enumerate(window.metrics):
        head = _label(b"__name__", metrics.catalogue()[name].exposed(window.kind).encode())
        base = metric * len(tails) * length
        if whole:
            begins = {
                size_of: b"".join((_ONE, _varint(len(head) + size_of + length), head))
                for size_of in set(map(len, tails))
            }
            ends = range(base + length, base + length * (len(tails) + 1), length)
            parts += [
                begins[len(tail)] + tail + buffer[end - length : end] for tail, end in zip(tails, ends, strict=True)
            ]
            continue
        some, full = there[metric].any(axis=1).tolist(), there[metric].all(axis=1).tolist()
        for place, tail in enumerate(tails):
            if not some[place]:
                continue
            begin = base + place * length
            samples = buffer[begin : begin + length]
            if not full[place]:
                samples = encoded[metric, place][there[metric, place]].tobytes()
            body = head + tail + samples
            parts += (_ONE, _varint(len(body)), body)
    return int(np.count_nonzero(there))


def _samples(values: NDArray[np.float64], times: NDArray[np.int64]) -> tuple[NDArray[np.uint8], int]:
    """Samples with their field's head, by metric, resource and time, and the bytes of one."""
    widths = {len(_varint(int(times[0]))), len(_varint(int(times[-1])))}
    width = max(widths)  # a varint may be longer than it must
    size = 2 + 1 + 8 + 1 + width
    encoded = np.empty((*values.shape, size), dtype=np.uint8)
    encoded[..., 0] = _TWO[0]
    encoded[..., 1] = size - 2
    encoded[..., 2] = _DOUBLE
    encoded[..., 3:11] = values.astype("<f8").view(np.uint8).reshape(*values.shape, 8)
    encoded[..., 11] = _NUMBER
    for place in range(width):
        more = 0x80 if place < width - 1 else 0
        encoded[..., 12 + place] = ((times >> (7 * place)) & 0x7F | more).astype(np.uint8)
    return encoded, size


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
    return [
        b"".join((before, _label(b"resource_id", _text(id_)), _label(b"resource_name", _text(name)), behind))
        for id_, name in zip(window.native_ids, load.names, strict=True)
    ]


def _text(value: str) -> bytes:
    return value.encode("utf-8", "replace")


def _label(name: bytes, value: bytes) -> bytes:
    """A label; one without a value is none, and is not sent."""
    if not value:
        return b""
    body = b"".join((_ONE, _varint(len(name)), name, _TWO, _varint(len(value)), value))
    return b"".join((_ONE, _varint(len(body)), body))


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
