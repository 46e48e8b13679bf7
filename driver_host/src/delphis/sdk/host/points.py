"""Cuts performance samples into messages. A driver may return columns of any length."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from delphis.driver.v1.storage_driver_pb2 import CollectPerfMetricsResponse
from delphis.sdk import errors
from delphis.sdk.context import Context
from delphis.sdk.host.batches import MOST_BYTES, Take, tail
from delphis.sdk.host.contract import Method
from delphis.type.v1.metric_pb2 import MetricBatch


def point_batches(take: Take, method: Method, context: Context, give_way: Callable[[], None]) -> Iterator[bytes]:
    """The messages of CollectPerfMetrics, serialised; see `batches`."""
    response = CollectPerfMetricsResponse()
    size = 0
    while columns := take(1):
        for part in _parts(_checked(columns[0], method)):
            if response.items and size + part.ByteSize() > MOST_BYTES - 1024:
                yield response.SerializeToString(deterministic=True)
                response, size = CollectPerfMetricsResponse(), 0
            response.items.append(part)
            size += part.ByteSize() + 8
        give_way()
    yield response.SerializeToString(deterministic=True) + tail(method, context)


def _checked(columns: object, method: Method) -> MetricBatch:
    if not isinstance(columns, MetricBatch):
        raise errors.DriverBrokeContract(
            f"{method.python_name} must return MetricBatch messages, not {type(columns).__name__}.",
            method=method.name,
            returned=type(columns).__name__,
        )
    expected = columns.steps * len(columns.metrics) * len(columns.native_ids)
    if len(columns.values) != expected:
        raise errors.DriverBrokeContract(
            f"{method.python_name} returned {len(columns.values)} values for {columns.kind}; {columns.steps} times of "
            f"{len(columns.metrics)} metrics of {len(columns.native_ids)} resources are {expected}.",
            method=method.name,
            values=len(columns.values),
            expected=expected,
        )
    return columns


def _parts(columns: MetricBatch) -> Iterator[MetricBatch]:
    """The columns, cut by time, then by resource, until each part fits."""
    if columns.ByteSize() <= MOST_BYTES - 1024:
        yield columns
    elif columns.steps > 1:
        half = columns.steps // 2
        yield from _parts(_times(columns, 0, half))
        yield from _parts(_times(columns, half, columns.steps))
    elif len(columns.native_ids) > 1:
        half = len(columns.native_ids) // 2
        yield from _parts(_resources(columns, 0, half))
        yield from _parts(_resources(columns, half, len(columns.native_ids)))
    else:
        raise errors.DriverBrokeContract(
            f"The metrics of one {columns.kind} at one time take {columns.ByteSize()} bytes.", kind=columns.kind
        )


def _times(columns: MetricBatch, begin: int, end: int) -> MetricBatch:
    row = len(columns.metrics) * len(columns.native_ids)
    part = MetricBatch(
        kind=columns.kind,
        native_ids=columns.native_ids,
        metrics=columns.metrics,
        steps=end - begin,
        values=columns.values[begin * row : end * row],
    )
    part.step.CopyFrom(columns.step)
    part.start.FromNanoseconds(columns.start.ToNanoseconds() + begin * columns.step.ToNanoseconds())
    return part


def _resources(columns: MetricBatch, begin: int, end: int) -> MetricBatch:
    width = len(columns.native_ids)
    part = MetricBatch(
        kind=columns.kind, native_ids=columns.native_ids[begin:end], metrics=columns.metrics, steps=columns.steps
    )
    for row in range(0, len(columns.values), width):
        part.values.extend(columns.values[row + begin : row + end])
    part.start.CopyFrom(columns.start)
    part.step.CopyFrom(columns.step)
    return part
