"""What drivers call their metrics, in the terms of the catalogue."""

from __future__ import annotations

import pytest

from delphis.delfin.metrics import Metric, read_as, usual_unit, wanted
from delphis.sdk import ResourceMetrics, metrics


@pytest.mark.parametrize("name", metrics.catalogue())
def test_usual_units_are_those_of_the_catalogue(name: str) -> None:
    metric = metrics.catalogue()[name]
    expected = Metric(name, metric.unit, metric.delfin_factor)
    assert read_as(metric.kinds[0], name, "") == read_as(metric.kinds[0], name, usual_unit(name)) == expected


@pytest.mark.parametrize(
    ("kind", "name", "unit", "expected"),
    [
        ("volume", "readIOPS", "iops", Metric("readIops", "1/s", 1.0)),
        ("volume", " throughput ", "KB/s", Metric("throughput", "By/s", 1e3)),
        ("port", "responseTime", "us", Metric("responseTime", "s", 1e-6)),
        ("controller", "cpuUsage", "", Metric("cpuUsage", "1", 1e-2)),
        ("volume", "cpuUsage", "%", "is no metric of a volume: left out"),
        ("share", "iops", "IOPS", "is no metric of a share: left out"),
        ("volume", "colour", "%", "is no metric of the catalogue: left out"),
        ("volume", "throughput", "furlongs", "has a unit that is unknown: left out"),
        ("volume", "throughput", "ms", "has a unit that is none of By/s: left out"),
    ],
)
def test_other_words(kind: str, name: str, unit: str, expected: Metric | str) -> None:
    assert read_as(kind, name, unit) == expected


def test_a_driver_is_asked_in_its_own_spelling() -> None:
    asked = ResourceMetrics(kind="volume")
    for name in ("readIops", "throughput"):
        asked.metrics.add(name=name)
    own = {"resource_metrics": {"volume": {"readIOPS": {"unit": "IOPS", "x": 1}, "iops": {}}}}
    assert wanted([asked], own) == {
        "volume": {
            "readIOPS": {"unit": "IOPS", "x": 1},
            "throughput": {"unit": "MB/s", "description": "throughput"},
        }
    }
