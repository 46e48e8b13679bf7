"""Numbers of 16 resources over one window, as bytes."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delphis.sdk import metrics
from delphis.type.v1 import metric_catalogue_pb2, options_pb2
from services.telemetry.window import Values

BLOCK = 16
"""Slots in a chunk: of nine metrics and fifteen times it is a little less than a page of SQLite."""
_NARROW, _WIDE = np.dtype("<f4"), np.dtype("<f8")


@cache
def _numbers() -> dict[str, int]:
    values = metric_catalogue_pb2.Metric.DESCRIPTOR.values
    return {value.GetOptions().Extensions[options_pb2.text]: value.number for value in values[2:]}


@cache
def _names() -> dict[int, str]:
    return {number: name for name, number in _numbers().items()}


def packed_names(names: tuple[str, ...]) -> bytes:
    """Metrics as the catalogue's numbers, a byte each."""
    numbers = _numbers()
    return bytes(numbers[name] for name in names)


def names_of(packed: bytes) -> tuple[str, ...]:
    """The metrics again; of one that this version doesn't know, an empty text."""
    names = _names()
    return tuple(names.get(number, "") for number in packed)


def is_wide(names: tuple[str, ...]) -> bool:
    """Whether the numbers keep all their digits: bytes of a capacity are counted, all else is measured."""
    return any(metrics.catalogue()[name].is_capacity for name in names)


def pack(values: Values, *, wide: bool) -> bytes:
    """Numbers by time, metric and slot, as bytes; of a measured number seven digits."""
    return values.astype(_WIDE if wide else _NARROW).tobytes()


def unpack(numbers: bytes, metrics_count: int, *, wide: bool) -> NDArray[Any]:
    """The numbers of one chunk, or of several that follow each other, by time, metric and slot."""
    return np.frombuffer(numbers, _WIDE if wide else _NARROW).reshape(-1, metrics_count, BLOCK)
