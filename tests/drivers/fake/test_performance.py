"""The samples of a generated array: they add up, move, and are the same for whoever asks."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from delphis.sdk import Context, MetricBatch, ResourceMetrics, errors, metrics
from drivers.fake_storage.driver import FakeStorageDriver
from drivers.fake_storage.performance import Performance
from tests.drivers.fake.arrays import connected, listed, native_id

REPO = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 11, 18, 11, 0, 30, tzinfo=UTC)  # a Wednesday
HOUR = timedelta(hours=1)
SUMS = ("iops", "readIops", "writeIops", "throughput", "readThroughput", "writeThroughput")

# By kind, metric and native id: value by seconds since 1970.
Series = dict[tuple[str, str, str], dict[int, float]]


def collected(
    driver: FakeStorageDriver, begin: datetime, end: datetime, *asked: ResourceMetrics, now: datetime = NOW
) -> list[MetricBatch]:
    performance = Performance(driver._array, now=now.timestamp)
    return list(performance.collect(asked, begin, end))


def series(batches: list[MetricBatch]) -> Series:
    found: Series = defaultdict(dict)
    for batch in batches:
        values = iter(batch.values)
        for step in range(batch.steps):
            when = batch.start.seconds + step * batch.step.seconds
            for name in batch.metrics:
                for resource in batch.native_ids:
                    assert when not in found[batch.kind, name, resource]
                    found[batch.kind, name, resource][when] = next(values)
        assert next(values, None) is None
    return dict(found)


def of(found: Series, kind: str, name: str) -> dict[str, dict[int, float]]:
    return {key[2]: by_time for key, by_time in found.items() if key[:2] == (kind, name)}


def totals(found: Series, kind: str, name: str) -> dict[int, float]:
    sums: dict[int, float] = defaultdict(float)
    for by_time in of(found, kind, name).values():
        for when, value in by_time.items():
            sums[when] += value
    return dict(sums)


def test_what_it_announces_is_of_the_catalogue_and_comes() -> None:
    driver = connected()
    said = driver.get_capabilities(Context())
    assert (said.is_historic, said.retention.seconds) == (True, 86_400)
    found = series(collected(driver, NOW - timedelta(minutes=3), NOW))
    for group in said.resource_metrics:
        assert group.interval.seconds == 60
        for spec in group.metrics:
            assert metrics.announcement_problem(group.kind, spec) is None
            of_metric = of(found, group.kind, spec.name)
            assert {len(by_time) for by_time in of_metric.values()} == {3}
            values = [value for by_time in of_metric.values() for value in by_time.values()]
            assert metrics.catalogue()[spec.name].can_be(min(values), max(values))
    assert {(kind, name) for kind, name, _ in found} == {
        (group.kind, spec.name) for group in said.resource_metrics for spec in group.metrics
    }


@pytest.mark.parametrize("seed", ["", "other"])
@pytest.mark.parametrize("counts", [{}, {"volumes": "300", "pools": "7", "drift": "5%"}, {"pools": "0"}], ids=str)
def test_everything_adds_up(counts: dict[str, str], seed: str) -> None:
    driver = connected(seed=seed, **counts)
    found = series(collected(driver, NOW - timedelta(minutes=4), NOW))
    for name in SUMS:
        whole = of(found, "storage", name)[driver._settings.identity.serial_number]
        assert len(whole) == 4
        parts = [
            {when: totals(found, "volume", name)[when] + totals(found, "filesystem", name)[when] for when in whole},
            totals(found, "controller", name),
            totals(found, "port", name),
            *([totals(found, "storage_pool", name)] if counts.get("pools") != "0" else []),
        ]
        for part in parts:
            assert part == pytest.approx(whole, rel=1e-9)
    for kind, resource in {(kind, resource) for kind, _, resource in found}:
        by_time = {each: found.get((kind, each, resource), {}) for each in (*SUMS, "ioSize", "responseTime")}
        for when, iops in by_time["iops"].items():
            assert math.isclose(iops, by_time["readIops"][when] + by_time["writeIops"][when])
            if by_time["ioSize"]:
                assert math.isclose(by_time["throughput"][when], iops * by_time["ioSize"][when])
            if by_time["responseTime"]:
                assert 1e-5 < by_time["responseTime"][when] < 0.1


def test_pools_hold_what_their_volumes_do() -> None:
    driver = connected(volumes="400", filesystems="0")
    found = series(collected(driver, NOW - timedelta(minutes=2), NOW))
    pool_of = {volume.native_volume_id: volume.native_storage_pool_id for volume in listed(driver, "volumes")}
    for when in of(found, "storage", "iops")[driver._settings.identity.serial_number]:
        iops: dict[str, float] = defaultdict(float)
        waiting: dict[str, float] = defaultdict(float)
        for volume, pool in pool_of.items():
            of_volume = found["volume", "iops", volume][when]
            iops[pool] += of_volume
            waiting[pool] += of_volume * found["volume", "responseTime", volume][when]
        for pool, sum_of_volumes in iops.items():
            assert found["storage_pool", "iops", pool][when] == pytest.approx(sum_of_volumes)
            mean = found["storage_pool", "responseTime", pool][when]
            assert mean == pytest.approx(waiting[pool] / sum_of_volumes)


def test_resources_are_those_of_the_inventory() -> None:
    driver = connected(drift="removed=2, added=3, renumbered=2", ports="64")
    for _ in range(2):
        listed(driver, "volumes")
    known = {kind: {native_id(item) for item in listed(driver, f"{kind}s")} for kind in ("volume", "port", "disk")}
    found = series(collected(driver, NOW - timedelta(minutes=2), NOW))
    assert {key[2] for key in found if key[0] == "volume"} == known["volume"]
    for kind in ("port", "disk"):
        some = {key[2] for key in found if key[0] == kind}
        assert some < known[kind], "ports of the front end; disks that work"
        assert some


def test_reading_samples_is_no_sync() -> None:
    driver = connected(drift="added=1", volumes="10")
    for _ in range(3):
        collected(driver, NOW - HOUR, NOW)
        driver.get_capabilities(Context())
    assert len(listed(driver, "volumes")) == 10


def test_windows_may_be_cut_anywhere() -> None:
    driver = connected(volumes="30", ports="2", disks="4")
    whole = series(collected(driver, NOW - 2 * HOUR, NOW))
    parts: Series = defaultdict(dict)
    cuts = [NOW - 2 * HOUR + timedelta(seconds=seconds) for seconds in (0, 60, 61, 1200, 3570, 3600, 7000, 7200)]
    for begin, end in pairwise(cuts):
        for key, by_time in series(collected(driver, begin, end)).items():
            assert not parts[key].keys() & by_time.keys()
            parts[key].update(by_time)
    assert parts == whole


def test_another_process_says_the_same() -> None:
    script = """
import hashlib, sys
from tests.drivers.fake.test_performance import NOW, HOUR, collected
from tests.drivers.fake.arrays import connected
batches = collected(connected(volumes="40"), NOW - HOUR, NOW)
print(hashlib.sha256(b"".join(batch.SerializeToString(deterministic=True) for batch in batches)).hexdigest())
"""
    first, second = (
        subprocess.run(
            [sys.executable, "-c", script], cwd=REPO, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    )
    assert first == second != b""


def test_the_seed_and_the_array_make_a_difference() -> None:
    names = ResourceMetrics(kind="storage")
    names.metrics.add(name="iops")
    loads = {
        tuple(collected(driver, NOW - HOUR, NOW, names)[0].values)
        for driver in (connected(), connected(seed="2"), connected(array="2"))
    }
    assert len(loads) == 3


def test_the_load_follows_the_day_the_week_and_chance() -> None:
    driver = connected(volumes="300", perf_interval_s="600")
    storage = ResourceMetrics(kind="storage")
    storage.metrics.add(name="iops")
    values: list[float] = []
    for days in range(7):
        end = NOW + timedelta(days=days)
        for batch in collected(driver, end - timedelta(days=1), end, storage, now=end):
            values += batch.values
    assert len(values) == 7 * 144
    assert max(values) > 2 * min(values)
    assert len(set(values)) == len(values)
    hourly = [sum(values[at : at + 6]) / 6 for at in range(0, len(values), 6)]
    day = sum(abs(a - b) for a, b in zip(hourly[:24], hourly[12:36], strict=True))
    same_hour = sum(abs(a - b) for a, b in zip(hourly[:24], hourly[24:48], strict=True))
    assert same_hour < day, "a Thursday is more like the Wednesday than night is like day"


def test_processors_follow_the_load() -> None:
    driver = connected()
    found = series(collected(driver, NOW - 6 * HOUR, NOW, ResourceMetrics(kind="controller")))
    for controller, by_time in of(found, "controller", "cpuUsage").items():
        iops = found["controller", "iops", controller]
        times = sorted(by_time, key=lambda when: iops[when])
        assert by_time[times[0]] < by_time[times[-1]]
        assert [by_time[when] for when in times] == sorted(by_time.values())


def test_only_what_is_asked_for() -> None:
    driver = connected()
    some, all_of_it, strange = (ResourceMetrics(kind=kind) for kind in ("volume", "port", "share"))
    for name in ("writeIops", "iops", "colour"):
        some.metrics.add(name=name)
    batches = collected(driver, NOW - timedelta(minutes=2), NOW, some, all_of_it, strange)
    assert {(batch.kind, *batch.metrics) for batch in batches} == {
        ("volume", "iops", "writeIops"),
        ("port", *SUMS, "responseTime"),
    }


@pytest.mark.parametrize(
    ("attributes", "age_s", "steps"),
    [
        ({}, 600, 10),
        ({"perf_interval_s": "10"}, 600, 60),
        ({"perf_interval_s": "3600"}, 600, 1),
        ({"perf_retention_s": "300"}, 600, 5),
        ({"perf_retention_s": "0"}, 600, 1),
        ({}, -600, 0),
        ({}, 2 * 86_400, 1440),
    ],
    ids=str,
)
def test_interval_and_retention(attributes: dict[str, str], age_s: int, steps: int) -> None:
    driver = connected(**attributes)
    storage = ResourceMetrics(kind="storage")
    begin = NOW - timedelta(seconds=age_s)
    batches = collected(driver, begin, begin if age_s < 0 else NOW, storage)
    assert sum(batch.steps for batch in batches) == steps
    for batch in batches:
        assert batch.start.seconds % int(attributes.get("perf_interval_s", 60)) == 0
        assert batch.start.seconds + (batch.steps - 1) * batch.step.seconds <= NOW.timestamp()


def test_the_latest_sample_is_in_the_last_window() -> None:
    driver = connected(perf_interval_s="10")
    latest = driver.get_latest_perf_timestamp(Context())
    assert timedelta() <= datetime.now(UTC) - latest < timedelta(seconds=60)
    found = list(driver.collect_perf_metrics(Context(), [], latest, latest + timedelta(seconds=1)))
    assert {batch.start.ToDatetime(tzinfo=UTC) for batch in found} == {latest}


def test_kinds_and_metrics_may_be_chosen() -> None:
    said = connected(perf_kinds="volume, storage", perf_metrics="iops cpuUsage").get_capabilities(Context())
    assert [(group.kind, *(spec.name for spec in group.metrics)) for group in said.resource_metrics] == [
        ("storage", "iops"),
        ("volume", "iops"),
    ]


@pytest.mark.parametrize(
    "attributes",
    [
        {"perf_interval_s": "0"},
        {"perf_interval_s": "7"},
        {"perf_interval_s": "1.5"},
        {"perf_retention_s": "for ever"},
        {"perf_kinds": "share"},
        {"perf_metrics": "colour"},
        {"perf_metrics": "usedCapacity"},
    ],
    ids=str,
)
def test_what_can_not_be_set(attributes: dict[str, str]) -> None:
    with pytest.raises(errors.AccessInfoIncomplete, match=r"extra_attributes\.perf_"):
        connected(**attributes)


def test_samples_fail_as_lists_do() -> None:
    driver = connected(fail="metrics:unavailable*1; metrics:half@3; volumes:empty")
    window: Any = ([], NOW - HOUR, NOW)
    with pytest.raises(errors.ArrayUnreachable):
        driver.collect_perf_metrics(Context(), *window)
    context = Context("s-1")
    batches = list(driver.collect_perf_metrics(context, [], datetime.now(UTC) - HOUR, datetime.now(UTC)))
    assert batches
    half = list(driver.collect_perf_metrics(context, [], datetime.now(UTC) - HOUR, datetime.now(UTC)))
    assert len(half) == len(batches) // 2


def test_a_rule_without_a_place_leaves_samples_alone() -> None:
    driver = connected(fail="unavailable")
    assert list(driver.collect_perf_metrics(Context(), [], datetime.now(UTC) - HOUR, datetime.now(UTC)))


def test_messages_need_no_cutting() -> None:
    driver = connected(volumes="30000", perf_interval_s="10")
    batches = collected(driver, NOW - timedelta(minutes=1), NOW)
    assert max(batch.ByteSize() for batch in batches) < 1 << 20
    assert sum(len(batch.native_ids) * batch.steps for batch in batches if batch.kind == "volume") == 30_000 * 6
    assert not any(map(math.isnan, batches[0].values))


@pytest.mark.slow
def test_growing_pools() -> None:
    driver = connected(capacity_growth="1", perf_interval_s="3600", perf_retention_s="31536000", pools="3")
    asked = [ResourceMetrics(kind=kind) for kind in ("storage", "storage_pool")]
    found = series(collected(driver, NOW - timedelta(days=200), NOW, *asked))
    serial = driver._settings.identity.serial_number
    fell = 0
    for pool in range(3):
        key = f"pool-{pool:03d}"
        used = list(found["storage_pool", "usedCapacity", key].values())
        (total,) = set(found["storage_pool", "totalCapacity", key].values())
        steps = [after - before for before, after in pairwise(used)]
        growing = [step for step in steps if step > 0]
        assert growing == pytest.approx([total / 100 / 24] * len(growing), rel=1e-3), "1 % a day"
        fell += len(steps) - len(growing)
        assert 0.3 * total < max(used) <= total
        assert found["storage_pool", "usedRatio", key].popitem()[1] == pytest.approx(used[-1] / total)
    assert 0 < fell < 60, "snapshots are removed now and then"
    assert totals(found, "storage_pool", "usedCapacity") == found["storage", "usedCapacity", serial]
    assert len(found["storage", "freeCapacity", serial]) == 200 * 24


def test_growing_pools_are_seen_in_the_inventory() -> None:
    driver = connected(capacity_growth="5")
    before, after = (
        {pool.native_storage_pool_id: pool.used_capacity for pool in array}
        for array in (listed(connected(), "storage_pools"), listed(driver, "storage_pools"))
    )
    assert all(after[pool] >= used for pool, used in before.items())
    assert sum(after.values()) > sum(before.values())
    now = datetime.now(UTC)
    found = series(list(driver.collect_perf_metrics(Context(), [], now - timedelta(minutes=2), now)))
    for pool, used in after.items():
        assert max(found["storage_pool", "usedCapacity", pool].values()) == pytest.approx(used, rel=1e-3)
