"""Points as protobuf: a delphis.telemetry.v1.Points a message."""

from __future__ import annotations

from collections.abc import Iterator

from delphis.telemetry.v1 import telemetry_pb2
from services.telemetry.sinks.load import Load

_VALUE_BYTES = 8
_AROUND = 4096
"""Bytes of a message that are neither numbers nor ids: names of the array and of metrics."""


def messages(load: Load, most: int) -> Iterator[tuple[bytes, int]]:
    """Bodies of at most `most` bytes, and how many points each has."""
    longest = max(len(id_.encode()) for id_ in load.window.native_ids) + 4
    columns = len(load.window.metrics)
    room = most - _AROUND
    # An id goes with at least one value of each metric.
    values = room // (_VALUE_BYTES + -(-longest // columns))
    for part in load.split(max(1, values)):
        window = part.window
        if not window.points:
            continue
        message = telemetry_pb2.Points(
            storage_id=part.source.array.storage_id, storage_name=part.source.array.name[:1000]
        )
        batch = message.batches.add(
            kind=window.kind, native_ids=window.native_ids, metrics=window.metrics, steps=window.steps
        )
        batch.start.FromMilliseconds(window.begin)
        batch.step.FromMilliseconds(window.step)
        batch.values.extend(window.values.ravel().tolist())
        yield message.SerializeToString(), window.points
