"""The catalogue of metrics, as the contract says it: `delphis/type/v1/metric_catalogue.proto`.

    iops = metrics.find("iops")
    iops.unit                           # "1/s"
    iops.exposed("volume")              # "delphis_volume_iops_operations_per_second"
    metrics.announcement_problem("port", MetricSpec(name="cpuUsage", unit="1"))
                                        # "cpuUsage is no metric of a port: it goes with controller"

Drivers need none of it: they name metrics by their names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from google.protobuf.descriptor_pb2 import EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet

import delphis.descriptors
from delphis.type.v1 import metric_catalogue_pb2, options_pb2
from delphis.type.v1.metric_catalogue_pb2 import Aggregation
from delphis.type.v1.metric_pb2 import MetricSpec

_FILE = metric_catalogue_pb2.DESCRIPTOR.name
_FIRST = 2  # 0 and 1 are UNSPECIFIED and UNKNOWN
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Numbers that a driver computes are rounded.
_TOLERANCE = 1.01


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the catalogue.

    Attributes:
        name: Such as `readIops`.
        unit: Base unit of its values: `1/s`, `By/s`, `s`, `By` or `1`.
        kinds: That may have it.
        over_resources: How the values of several resources become one.
        over_time: How the values of several times become one.
        weight: The metric that a weighted mean is weighted by; empty for others.
        largest: A value beyond it is a mistake.
        is_capacity: Its points follow from the inventory, unless the array announces it.
        delfin_unit: The unit of SODA Delfin.
        delfin_factor: Base units in one of those.
        delfin_kinds: The kinds for which SODA Delfin's API takes it.
        exposition: The unit's words in the names of exposed metrics.
    """

    name: str
    unit: str
    kinds: tuple[str, ...]
    over_resources: Aggregation.ValueType
    over_time: Aggregation.ValueType
    weight: str
    largest: float
    is_capacity: bool
    delfin_unit: str
    delfin_factor: float
    delfin_kinds: tuple[str, ...]
    exposition: str

    @property
    def description(self) -> str:
        """What it is, in a sentence."""
        return _descriptions()[self.name]

    @property
    def snake_name(self) -> str:
        """Its name in snake_case: `read_iops`."""
        return _CAPITAL.sub("_", self.name).lower()

    def exposed(self, kind: str) -> str:
        """Its name for Prometheus, for one kind."""
        name = self.snake_name
        return f"delphis_{kind}_{name}" + ("" if name.endswith(f"_{self.exposition}") else f"_{self.exposition}")

    def can_be(self, lowest: float, highest: float) -> bool:
        """Values between these two can be true. Infinite ones can't; NaN stands for no value and is not to be asked."""
        return lowest >= 0 and highest <= self.ceiling

    @property
    def ceiling(self) -> float:
        """Beyond it a value is a mistake: a little more than `largest`, since drivers compute, and round."""
        return self.largest * _TOLERANCE


@cache
def catalogue() -> Mapping[str, Metric]:
    """All metrics by name, in the catalogue's order."""
    units = {
        number: (
            value.GetOptions().Extensions[options_pb2.text],
            value.GetOptions().Extensions[metric_catalogue_pb2.exposition],
        )
        for number, value in metric_catalogue_pb2.MetricUnit.DESCRIPTOR.values_by_number.items()
    }
    found: dict[str, Metric] = {}
    for value in metric_catalogue_pb2.Metric.DESCRIPTOR.values[_FIRST:]:
        options = value.GetOptions()
        name, says = options.Extensions[options_pb2.text], options.Extensions[metric_catalogue_pb2.metric]
        unit, exposition = units[says.unit]
        found[name] = Metric(
            name=name,
            unit=unit,
            kinds=tuple(says.kinds.split()),
            over_resources=says.over_resources,
            over_time=says.over_time,
            weight=says.weight,
            largest=says.largest,
            is_capacity=says.is_capacity,
            delfin_unit=says.delfin_unit,
            delfin_factor=says.delfin_factor,
            delfin_kinds=tuple(says.delfin_kinds.split()),
            exposition=exposition,
        )
    return MappingProxyType(found)


def find(name: str) -> Metric | None:
    """The metric of this name; None where the catalogue has none."""
    return catalogue().get(name)


@cache
def of_kind(kind: str) -> tuple[Metric, ...]:
    """The metrics that a kind may have: `storage`, or a resource kind in the singular."""
    return tuple(metric for metric in catalogue().values() if kind in metric.kinds)


def announcement_problem(kind: str, spec: MetricSpec) -> str | None:
    """What is wrong with a metric that a driver announces for a kind, in a sentence; None where nothing is."""
    metric = find(spec.name)
    if metric is None:
        return f"{spec.name!r} is no metric of the catalogue"
    if kind not in metric.kinds:
        return f"{metric.name} is no metric of a {kind}: it goes with {', '.join(metric.kinds)}"
    if spec.unit != metric.unit:
        return f"{metric.name} has the unit {spec.unit!r}, and is in {metric.unit!r} in the catalogue"
    return None


@cache
def _descriptions() -> Mapping[str, str]:
    """The first sentences of the comments: said once, in the contract."""
    files = FileDescriptorSet.FromString(delphis.descriptors.load()).file
    file = next(file for file in files if file.name == _FILE)
    at, enum = next((at, enum) for at, enum in enumerate(file.enum_type) if enum.name == "Metric")
    comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
    path = (FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER, at, EnumDescriptorProto.VALUE_FIELD_NUMBER)
    return {
        value.options.Extensions[options_pb2.text]: " ".join(comments[(*path, number)].split("\n\n")[0].split())
        for number, value in enumerate(enum.value)
        if value.number >= _FIRST
    }
