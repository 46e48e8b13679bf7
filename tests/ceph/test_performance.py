"""Rates of the manager's counters, against a recorded page."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from delphis.sdk import AccessInfo, MetricBatch, ResourceMetrics, RestAccess, errors, metrics
from drivers.ceph.exposition import access_of, samples
from tests.ceph.dashboard import Recorded, recorded
from tests.ceph.metrics_page import MetricsPage
from tests.sdk_http.server import Says, closed_port, serving

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
VOL1, INNER = "1/104713dad887", "1/ns1/10559ff29c9b"
DISK = "11111111-aaaa-4000-8000-000000000000"
POOL_READS = 'ceph_pool_rd{pool_id="1"}'


class Measured:
    """A recorded cluster, its page, and a clock that the test moves."""

    def __init__(self, cluster: Recorded, page: MetricsPage) -> None:
        self.cluster, self.page = cluster, page
        self.now = NOW.timestamp()
        cluster.driver._performance._clock = lambda: self.now

    def pass_time(self, seconds: float, collections: int | None = None) -> None:
        self.now += seconds
        self.page.collections += round(seconds / 15) if collections is None else collections

    def collect(self, *asked: ResourceMetrics) -> list[MetricBatch]:
        return list(self.cluster.driver.collect_perf_metrics(self.cluster.context, asked, NOW, NOW))

    def sample(self, kind: str) -> dict[str, dict[str, float]]:
        """The latest values of a kind, by native id and metric."""
        found: dict[str, dict[str, float]] = {}
        for batch in self.collect(ResourceMetrics(kind=kind)):
            values = iter(batch.values)
            for name in batch.metrics:
                for native_id in batch.native_ids:
                    found.setdefault(native_id, {})[name] = next(values)
        return found


@pytest.fixture
def measured() -> Iterator[Measured]:
    page = MetricsPage()
    with serving(page) as server, recorded(prometheus=str(server.port)) as cluster:
        yield Measured(cluster, page)


def test_what_the_page_shows_is_announced(measured: Measured) -> None:
    said = measured.cluster.driver.get_capabilities(measured.cluster.context)
    assert not said.is_historic
    assert {group.kind for group in said.resource_metrics} == {"storage", "storage_pool", "volume", "disk"}
    for group in said.resource_metrics:
        assert group.interval.seconds == 15
        assert [metrics.announcement_problem(group.kind, spec) for spec in group.metrics] == [None] * len(group.metrics)


def test_without_images_on_the_page_none_are_announced(measured: Measured) -> None:
    for image in ("vol1", "inner"):
        measured.page.forget(image)
    said = measured.cluster.driver.get_capabilities(measured.cluster.context)
    assert "volume" not in {group.kind for group in said.resource_metrics}


def test_the_first_question_has_no_answer_and_the_second_has_rates(measured: Measured) -> None:
    page = measured.page
    assert measured.collect() == []
    assert measured.cluster.driver.get_latest_perf_timestamp(measured.cluster.context) is None
    page.added[page.image("read_ops")] += 600
    page.added[page.image("read_bytes")] += 600 * 4096
    page.added[page.image("write_ops")] += 60
    page.added[page.image("write_bytes")] += 60 * 65536
    page.added[page.image("read_latency_count")] += 600
    page.added[page.image("read_latency_sum")] += 600 * 2_000_000  # nanoseconds
    page.added[POOL_READS] += 660
    page.added['ceph_osd_op_r{ceph_daemon="osd.0"}'] += 600
    page.added['ceph_osd_op_rw{ceph_daemon="osd.0"}'] += 30
    page.added['ceph_osd_op_r_latency_sum{ceph_daemon="osd.0"}'] += 3  # seconds
    page.added['ceph_osd_op_r_latency_count{ceph_daemon="osd.0"}'] += 600
    measured.pass_time(60)
    volumes = measured.sample("volume")
    assert volumes.keys() == {VOL1, INNER}
    vol1 = volumes[VOL1]
    assert (vol1["iops"], vol1["readIops"], vol1["writeIops"]) == (11.0, 10.0, 1.0)
    assert (vol1["readThroughput"], vol1["writeThroughput"]) == (10 * 4096, 65536)
    assert vol1["readResponseTime"] == pytest.approx(0.002)
    assert (vol1["readIoSize"], vol1["writeIoSize"]) == (4096, 65536)
    assert math.isnan(vol1["writeResponseTime"]), "none was waited for"
    assert volumes[INNER]["iops"] == 0
    assert math.isnan(volumes[INNER]["responseTime"])
    assert measured.sample("storage_pool")["1"]["readIops"] == 11.0
    disk = measured.sample("disk")[DISK]
    assert (disk["readIops"], disk["writeIops"], disk["readResponseTime"]) == (10.0, 0.5, 0.005)
    (whole,) = measured.sample("storage").values()
    assert (whole["readIops"], whole["readResponseTime"]) == (11.0, 0.005)
    assert measured.cluster.driver.get_latest_perf_timestamp(measured.cluster.context) == datetime.fromtimestamp(
        NOW.timestamp() + 60, UTC
    )


def test_only_what_is_asked_for(measured: Measured) -> None:
    measured.collect()
    measured.pass_time(15)
    asked = ResourceMetrics(kind="disk")
    asked.metrics.add(name="iops")
    (batch,) = measured.collect(asked)
    assert (batch.kind, list(batch.metrics), batch.steps) == ("disk", ["iops"], 1)


def test_time_is_counted_by_the_manager_not_by_us(measured: Measured) -> None:
    """Its page is up to 15 seconds old: between questions 50 seconds apart it counted three times, or four."""
    measured.collect()
    for collections, iops in ((3, 2.0), (4, 1.5)):
        measured.page.added[measured.page.image("read_ops")] += 90
        measured.pass_time(50, collections)
        assert measured.sample("volume")[VOL1]["iops"] == pytest.approx(iops)
        (batch,) = measured.collect(ResourceMetrics(kind="volume"))
        assert batch.step.seconds == 15 * collections
        assert 0 <= measured.now - batch.start.seconds <= 15


def test_a_manager_that_counts_at_another_pace(measured: Measured) -> None:
    measured.collect()
    measured.page.added[measured.page.image("read_ops")] += 120
    measured.pass_time(60, collections=12)
    assert measured.sample("volume")[VOL1]["iops"] == pytest.approx(2.0)


def test_the_same_counts_are_the_same_sample(measured: Measured) -> None:
    measured.collect()
    measured.pass_time(15)
    first = measured.collect()
    measured.pass_time(5, collections=0)
    assert measured.collect() == first != []


def test_counters_that_begin_anew_make_no_rates(measured: Measured) -> None:
    """An image made anew under its name, and a disk whose daemon restarted."""
    page = measured.page
    measured.collect()
    measured.pass_time(15)
    measured.collect()
    page.added[page.image("write_ops")] -= 1900
    page.added['ceph_osd_op_w{ceph_daemon="osd.1"}'] -= 900
    measured.pass_time(15)
    assert measured.sample("volume").keys() == {INNER}
    assert len(measured.sample("disk")) == 2
    for image in measured.cluster.dashboard.answers["/api/block/image"]:
        if image["name"] == "vol1":
            image["id"] = "another"
    page.added[page.image("write_ops")] += 15
    measured.pass_time(15)
    assert measured.sample("volume").keys() == {INNER}, "not under the old image's id"
    assert len(measured.sample("disk")) == 3
    measured.cluster.driver._performance._named_at = -math.inf  # five minutes later
    page.added[page.image("write_ops")] += 15
    measured.pass_time(15)
    assert measured.sample("volume")["1/another"]["writeIops"] == 1.0


def test_another_manager_begins_anew(measured: Measured) -> None:
    measured.collect()
    measured.pass_time(60)
    assert measured.collect()
    measured.pass_time(60, collections=-6)
    assert measured.collect() == []
    measured.pass_time(15)
    assert measured.collect()


def test_a_disk_that_was_replaced_has_no_history(measured: Measured) -> None:
    measured.collect()
    measured.cluster.dashboard.answers["/api/osd"][0]["uuid"] = "22222222-aaaa-4000-8000-000000000000"
    measured.pass_time(15)
    assert len(measured.sample("disk")) == 2
    measured.pass_time(15)
    assert "22222222-aaaa-4000-8000-000000000000" in measured.sample("disk")


def test_images_that_nobody_knows_are_left_out_and_looked_up_seldom(measured: Measured) -> None:
    measured.page._lines += [line.replace("vol1", "new") for line in measured.page._lines if 'image="vol1"' in line]
    measured.collect()
    for _ in range(4):
        measured.pass_time(15)
        assert measured.sample("volume").keys() == {VOL1, INNER}
    assert measured.cluster.paths().count("/api/pool") == 1


def test_a_sync_teaches_the_names_of_images(measured: Measured) -> None:
    measured.collect()
    list(measured.cluster.driver.list_volumes(measured.cluster.context))
    asked = len(measured.cluster.paths())
    measured.pass_time(15)
    assert measured.sample("volume").keys() == {VOL1, INNER}
    assert "/api/block/image" not in measured.cluster.paths()[asked:]


def test_images_that_can_not_be_listed_take_nothing_else_along(measured: Measured) -> None:
    measured.collect()
    measured.cluster.dashboard.says["/api/pool"] = Says({"detail": "broken"}, 500)
    measured.pass_time(15)
    assert {batch.kind for batch in measured.collect()} == {"storage", "storage_pool", "disk"}
    assert measured.cluster.context.is_complete
    (warning,) = measured.cluster.context.warnings
    assert "could not be listed" in warning.message


@pytest.mark.parametrize(
    ("says", "error"),
    [
        (Says({}, 503), errors.ArrayBusy),
        (Says({}, 404), errors.BadResponse),
        (Says(b"<html>", 301, headers={"Location": "/elsewhere"}), errors.BadResponse),
    ],
    ids=["busy", "absent", "elsewhere"],
)
def test_a_page_that_is_none(measured: Measured, says: Says, error: type[Exception]) -> None:
    measured.page.says = says
    with pytest.raises(error):
        measured.collect()


def test_without_the_module_nothing_is_measured() -> None:
    with recorded(prometheus=f"127.0.0.1:{closed_port()}") as cluster:
        assert not cluster.driver.get_capabilities(cluster.context).resource_metrics
        (warning,) = cluster.context.warnings
        assert "Enable the manager's module prometheus" in warning.message
        with pytest.raises(errors.InvalidIpOrPort):
            list(cluster.driver.collect_perf_metrics(cluster.context, [], NOW, NOW))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", ("dash", 9283)),
        ("9000", ("dash", 9000)),
        (":9000", ("dash", 9000)),
        ("mgr.example:9000", ("mgr.example", 9000)),
        ("mgr.example", ("mgr.example", 9283)),
        ("[fd00::1]:9000", ("fd00::1", 9000)),
    ],
    ids=str,
)
def test_where_the_page_is(said: str, expected: tuple[str, int]) -> None:
    access = access_of(AccessInfo(rest=RestAccess(host="dash", port=8443), extra_attributes={"prometheus": said}))
    assert (access.host, access.port) == expected
    assert access.tls.plaintext


@pytest.mark.parametrize(
    ("key", "value"),
    [("prometheus", "http://x:9000/"), ("prometheus", "x:99999"), ("prometheus_interval_s", "often")],
)
def test_attributes_that_can_not_be(key: str, value: str) -> None:
    with pytest.raises(errors.AccessInfoIncomplete, match=key), recorded(**{key: value}):
        pass


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('ceph_pool_rd{pool_id="1"} 7.0', [("ceph_pool_rd", {"pool_id": "1"}, 7.0)]),
        ('ceph_rbd_read_ops{pool="a\\"}b",image="c\\\\d\\ne"} 1e3', [("ceph_rbd_read_ops", 'a"}b', "c\\d\ne", 1000.0)]),
        ("ceph_pool_rd 3", [("ceph_pool_rd", {}, 3.0)]),
        ('ceph_pool_rd{pool_id="1"} NaN', []),
        ('ceph_pool_rd{pool_id="1"} -4', []),
        ('ceph_pool_rd{pool_id="1"} many', []),
        ("ceph_pool_rd{", []),
        ("# TYPE ceph_pool_rd counter", []),
        ('node_cpu{cpu="1"} 3', []),
    ],
    ids=range(9),
)
def test_lines_of_the_page(line: str, expected: list[tuple[object, ...]]) -> None:
    found: list[tuple[object, ...]] = [
        (name, *labels.values(), value) if len(labels) > 1 else (name, labels, value)
        for name, labels, value in samples(line)
    ]
    assert found == expected


def test_a_page_of_many_images_is_read_fast_enough() -> None:
    """10,000 images are 80,000 lines; a line that is long and never ends costs no more than others."""
    line = 'ceph_rbd_read_ops{pool="rbd",namespace="",image="vol%d"} 7.0'
    text = "\n".join(line % number for number in range(5_000)) + "\nceph_rbd_read_ops{" + 'a="' * 20_000
    began = datetime.now(UTC)
    assert sum(1 for _ in samples(text)) == 5_000
    assert (datetime.now(UTC) - began).total_seconds() < 5
