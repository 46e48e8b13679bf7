"""The catalogue of metrics: whole, without contradictions, and read as it is written."""

from __future__ import annotations

import re

import pytest

from delphis.sdk import MetricSpec, metrics
from delphis.type.v1.metric_catalogue_pb2 import Aggregation, Metric, MetricUnit

BY_NAME = metrics.catalogue()


def test_every_value_is_a_metric() -> None:
    assert len(BY_NAME) == len(Metric.DESCRIPTOR.values) - 2
    assert {metric.unit for metric in BY_NAME.values()} == {"1/s", "By/s", "s", "By", "1"}
    assert len(MetricUnit.DESCRIPTOR.values) == 2 + 5


@pytest.mark.parametrize("name", BY_NAME)
def test_a_metric_is_complete(name: str) -> None:
    metric = BY_NAME[name]
    assert re.fullmatch("[a-z]+([A-Z][a-z]+)*", name)
    assert re.fullmatch(r"[A-Z].{10,80}\.", metric.description)
    assert metric.kinds
    assert set(metric.kinds) <= {*["storage", "storage_pool", "volume", "controller", "port", "disk", "filesystem"]}
    assert set(metric.delfin_kinds) <= set(metric.kinds)
    assert metric.largest > 0
    assert metric.delfin_factor > 0
    assert metric.delfin_unit
    for aggregation in (metric.over_resources, metric.over_time):
        assert aggregation > Aggregation.AGGREGATION_UNKNOWN
    weighted = Aggregation.AGGREGATION_WEIGHTED_MEAN in (metric.over_resources, metric.over_time)
    assert weighted == bool(metric.weight)
    if metric.weight:
        assert set(metric.kinds) <= set(BY_NAME[metric.weight].kinds), "where it is, its weight can be"


def test_delfins_table() -> None:
    """Units and factors that SODA Delfin fixed, and its kinds."""
    said = {
        name: (one.delfin_unit, one.delfin_factor, one.unit, len(one.delfin_kinds))
        for name, one in BY_NAME.items()
        if one.delfin_kinds
    }
    rate, moved = ("IOPS", 1, "1/s", 7), ("MB/s", 1e6, "By/s", 7)
    assert said == {
        **dict.fromkeys(("iops", "readIops", "writeIops"), rate),
        **dict.fromkeys(("throughput", "readThroughput", "writeThroughput"), moved),
        "responseTime": ("ms", 1e-3, "s", 6),
        **dict.fromkeys(("readResponseTime", "writeResponseTime"), ("ms", 1e-3, "s", 3)),
        **dict.fromkeys(("cacheHitRatio", "readCacheHitRatio", "writeCacheHitRatio"), ("%", 1e-2, "1", 1)),
        **dict.fromkeys(("ioSize", "readIoSize", "writeIoSize"), ("KB", 1e3, "By", 2)),
        "cpuUsage": ("%", 1e-2, "1", 1),
    }


def test_exposed_names() -> None:
    names = [metric.exposed(kind) for metric in BY_NAME.values() for kind in metric.kinds]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("delphis(_[a-z]+)+", name) for name in names)
    assert BY_NAME["readThroughput"].exposed("storage_pool") == "delphis_storage_pool_read_throughput_bytes_per_second"
    assert BY_NAME["cacheHitRatio"].exposed("volume") == "delphis_volume_cache_hit_ratio"


@pytest.mark.parametrize(
    ("kind", "name", "unit", "problem"),
    [
        ("volume", "iops", "1/s", None),
        ("storage", "overcommitRatio", "1", None),
        ("volume", "IOPS", "1/s", "'IOPS' is no metric of the catalogue"),
        ("volume", "", "", "'' is no metric of the catalogue"),
        ("port", "cpuUsage", "1", "cpuUsage is no metric of a port: it goes with controller"),
        ("share", "iops", "1/s", "iops is no metric of a share"),
        ("volume", "throughput", "MB/s", "throughput has the unit 'MB/s', and is in 'By/s' in the catalogue"),
        ("volume", "throughput", "", "throughput has the unit ''"),
    ],
)
def test_what_is_wrong_with_an_announcement(kind: str, name: str, unit: str, problem: str | None) -> None:
    found = metrics.announcement_problem(kind, MetricSpec(name=name, unit=unit))
    assert found == problem if problem is None else found and found.startswith(problem)


@pytest.mark.parametrize(
    ("name", "lowest", "highest", "can"),
    [
        ("cpuUsage", 0.0, 1.0, True),
        ("cpuUsage", 0.0, 1.005, True),
        ("cpuUsage", 0.0, 55.0, False),
        ("overcommitRatio", 0.0, 12.0, True),
        ("responseTime", 0.0, 5.0, True),
        ("responseTime", -0.1, 0.1, False),
        ("iops", 0.0, float("inf"), False),
        ("iops", float("-inf"), 0.0, False),
        ("iops", 0.0, 1e12, False),
    ],
)
def test_what_can_be(name: str, lowest: float, highest: float, can: bool) -> None:
    assert BY_NAME[name].can_be(lowest, highest) is can


def test_metrics_of_a_kind() -> None:
    assert "cpuUsage" in {metric.name for metric in metrics.of_kind("controller")}
    assert metrics.of_kind("share") == ()
