"""What an array says that it can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct

from delphis.driver.v1 import storage_driver_pb2
from delphis.sdk import metrics
from delphis.type.v1 import metric_pb2
from services.calls.errors import CallError
from services.inventory.kinds import KINDS, STORAGE, Kind


class Listed(NamedTuple):
    """Which of the kinds that its driver announces an array lists."""

    kinds: list[Kind]
    others: list[Kind]
    """It has none of these, and is not asked for them."""
    warnings: tuple[str, ...] = ()


def capabilities(answer: bytes, driver: str) -> metric_pb2.Capabilities:
    """The answer to GetCapabilities. CallError where it is none."""
    try:
        return storage_driver_pb2.GetCapabilitiesResponse.FromString(answer).capabilities
    except DecodeError:
        raise CallError(
            "DRIVER_BROKE_CONTRACT",
            f"The driver of {driver} sent no GetCapabilitiesResponse.",
            metadata={"driver": driver, "method": "GetCapabilities"},
        ) from None


def in_delfins_shape(said: metric_pb2.Capabilities) -> Struct:
    """The capabilities as SODA Delfin's REST API shows them, in its units. See `StorageCapabilities.spec`."""
    found: dict[str, Any] = {"is_historic": said.is_historic}
    if said.HasField("retention"):
        found["performance_metric_retention_window"] = said.retention.ToSeconds()
    intervals = [group.interval.ToNanoseconds() for group in said.resource_metrics if group.HasField("interval")]
    if intervals:
        found["collect_interval"] = -(-min(intervals) // 1_000_000_000)
    measured: dict[str, dict[str, Any]] = {}
    for group in said.resource_metrics:
        for spec in group.metrics:
            if metrics.announcement_problem(group.kind, spec) is None:
                metric = metrics.catalogue()[spec.name]
                about = {"unit": metric.delfin_unit, "description": (spec.description or metric.description)[:255]}
                measured.setdefault(_delfins_word(group.kind), {})[spec.name] = about
    if measured:
        found["resource_metrics"] = measured
    answer = Struct()
    answer.update(found)
    return answer


def _delfins_word(kind: str) -> str:
    """`storagePool` for `storage_pool`."""
    first, *others = kind.split("_")
    return first + "".join(word.capitalize() for word in others)


def listed(announced: Sequence[Kind], said: metric_pb2.Capabilities) -> Listed:
    """The kinds to read of an array: all that are announced, where it says nothing of them."""
    if not said.kinds:
        return Listed(list(announced), [])
    names = set(said.kinds)
    warnings = tuple(
        f"The array says that it lists {name[:64]!r}, which is no kind: {', '.join(KINDS)}."
        for name in sorted(names - KINDS.keys() - {STORAGE})[:3]
    )
    return Listed(
        [kind for kind in announced if kind.name in names],
        [kind for kind in announced if kind.name not in names],
        warnings,
    )
