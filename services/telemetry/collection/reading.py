"""One array asked for its points."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from delphis.driver.v1 import storage_driver_pb2
from delphis.type.v1 import metric_pb2
from services.calls.errors import CallError
from services.fleet.core import Core, target
from services.fleet.storage import Storage
from services.telemetry.acceptance import Acceptance, Refusals
from services.telemetry.window import Window

MAX_WARNINGS = 20
MAX_WARNING = 1_000
LARGE = 100_000
"""Values that are put together in a thread: no other array waits for that."""
_UNABLE = frozenset({"STORAGE_CAPABILITY_NOT_SUPPORTED", "PROTOCOL_TOO_OLD"})


@dataclass(slots=True)
class Reading:
    """What an array answered."""

    windows: list[Window]
    refusals: Refusals
    warnings: list[str] = field(default_factory=list)
    complete: bool = False
    overflowed: bool = False
    """There was more than can be taken at once."""


async def read_capabilities(core: Core, storage_id: str) -> metric_pb2.Capabilities:
    """What the array measures; nothing where its driver can't say. CallError where it does not answer."""
    request = storage_driver_pb2.GetCapabilitiesRequest(target=target(storage_id))
    try:
        answer = await core.ask_array("GetCapabilities", request, storage_driver_pb2.GetCapabilitiesResponse)
    except CallError as error:
        if error.reason in _UNABLE:
            return metric_pb2.Capabilities()
        raise
    return answer.capabilities


async def read_newest(core: Core, storage_id: str) -> int | None:
    """The time up to which the array has all samples, in milliseconds: 0 where it has none, None where it can't say."""
    request = storage_driver_pb2.GetLatestPerfTimestampRequest(target=target(storage_id))
    try:
        answer = await core.ask_array(
            "GetLatestPerfTimestamp", request, storage_driver_pb2.GetLatestPerfTimestampResponse
        )
    except CallError as error:
        if error.reason in _UNABLE:
            return None
        raise
    return answer.timestamp.ToMilliseconds() if answer.HasField("timestamp") else 0


async def read_points(
    core: Core, storage: Storage, wanted: Sequence[metric_pb2.ResourceMetrics], begin: int, end: int
) -> Reading:
    """The points of some kinds with begin <= time < end, in milliseconds. CallError where the array does not answer."""
    request = storage_driver_pb2.CollectPerfMetricsRequest(target=target(storage.id), resource_metrics=wanted)
    request.begin_time.FromMilliseconds(begin)
    request.end_time.FromMilliseconds(end)
    reading = Reading([], Refusals())
    kinds = frozenset(one.kind for one in wanted)
    taking = Acceptance(begin=begin, end=end, wanted=kinds, own_id=storage.native_id, refusals=reading.refusals)
    answers = core.list_from_array("CollectPerfMetrics", request, storage_driver_pb2.CollectPerfMetricsResponse)
    async for answer in answers:
        for batch in answer.items:
            taking.add(batch)
        room = MAX_WARNINGS - len(reading.warnings)
        reading.warnings.extend(warning.message[:MAX_WARNING] for warning in answer.warnings[:room])
        reading.complete = answer.complete
    large = taking.values > LARGE
    reading.windows = await asyncio.to_thread(taking.windows) if large else taking.windows()
    reading.overflowed = taking.overflowed
    return reading
