"""Remote write, to a server that reads what it gets with protobuf's own parser."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import math
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.exposition.formats import PROMETHEUS
from services.telemetry import journal
from services.telemetry.exposition.latest import Latest
from services.telemetry.exposition.text import Array, write
from services.telemetry.sinks.load import Load, Source
from services.telemetry.sinks.remote_write import RemoteWrite
from services.telemetry.window import Window
from services.values import times
from tests.alerts.delivery.web import Reply, Request, answer, web
from tests.telemetry.sinks.prometheus import Received
from tests.telemetry.sinks.scene import BEGIN, BOX, OTHER, QUICK, scene, window

Status = Callable[[Request], bytes | None]


def _taking(received: Received, status: Status = lambda _: answer(204)) -> Callable[[Request], Reply]:
    """A server that takes what it answers well."""

    def behave(request: Request) -> Reply:
        reply = status(request)
        if reply is not None and reply.startswith(b"HTTP/1.1 2"):
            received.take(request.body)
        return reply

    return behave


async def test_points_come_with_their_times_and_the_labels_of_the_scrape(tmp_path: Path) -> None:
    received = Received()
    async with web(_taking(received)) as site, scene(tmp_path) as here:
        before = window([9.0])
        await here.collect(before)  # nobody wants it yet
        sink = await here.remote_write(
            site.url, username="u", password="p", headers=[pb.SinkHeader(name="X-Scope-OrgID", value="t1")]
        )
        first = window([1.0, 2.0, math.nan, 4.0, 5.0, 6.0], ids=("v1", 'v"2'), metrics=("iops",))
        await here.collect(first, box=OTHER)
        await here.collect(window([0.5, 7.0], metrics=("responseTime", "readIops")))
        status = await here.until(sink, "delivery", lambda status: status.delivered == 7)
        [request, *_] = site.seen
    assert (status.refused, status.failures, status.backlog_bytes) == (0, 0, 0)
    assert request.headers["content-encoding"] == "snappy"
    assert request.headers["content-type"] == "application/x-protobuf"
    assert request.headers["x-prometheus-remote-write-version"] == "0.1.0"
    assert request.headers["x-scope-orgid"] == "t1"
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"u:p").decode()
    of_one = received.series(resource_id='v"2', storage_id=OTHER.id)
    assert {at: value for (_, at), value in of_one.items()} == {BEGIN: 2.0, BEGIN + 60_000: 4.0, BEGIN + 120_000: 6.0}
    # The labels are those that /metrics tells.
    latest = Latest()
    latest.take(OTHER.id, [first])
    arrays = {OTHER.id: Array(OTHER.id, OTHER.name, OTHER.vendor, OTHER.model)}
    text = b"".join(
        write(latest.of(None, None), arrays, lambda _, __, ids: tuple(f"name of {id_}" for id_ in ids), PROMETHEUS)
    )
    scraped = {
        tuple(sorted({"__name__": sample.name, **sample.labels}.items()))
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }
    assert {labels for labels, _ in received.series(storage_id=OTHER.id)} == scraped


async def test_trouble_of_all_sorts_loses_nothing(tmp_path: Path) -> None:
    received, chance = Received(), random.Random(7)
    troubles = [answer(429, Retry_After="0"), answer(500, b"boom"), answer(503), answer(404), answer(302), None]

    def status(_: Request) -> bytes | None:
        return answer(204) if chance.random() < 0.4 else chance.choice(troubles)

    async with web(_taking(received, status)) as site, scene(tmp_path) as here:
        sink = await here.remote_write(site.url, batch_size=100)
        for step in range(40):
            await here.collect(window([float(step), step + 0.5], begin=BEGIN + step * 60_000, ids=("v1", "v2")))
            await asyncio.sleep(0)
        await here.collect(window([1.0] * 450, begin=BEGIN + 40 * 60_000, ids=("v1", "v2", "v3")))  # many requests
        await here.until(sink, "delivery", lambda status: status.delivered == 80 + 450)
    assert len(received.values) == 80 + 450
    assert set(received.times_sent.values()) == {1}


async def test_a_wait_that_is_asked_for_is_kept(tmp_path: Path) -> None:
    async with web(lambda _: answer(429, b"slow down", Retry_After="3000")) as site, scene(tmp_path) as here:
        sink = await here.remote_write(site.url)
        await here.collect(window([1.0]))
        status = await here.until(sink, "failure", lambda status: status.failures == 1)
        assert "429" in status.problem
        assert "slow down" in status.problem
        assert times.of_stamp(status.next_at) > times.now() + 2_900 * times.SECOND
        assert status.backlog_bytes > 0


async def test_what_is_refused_is_counted_and_takes_nothing_else_along(tmp_path: Path) -> None:
    received = Received()

    def status(request: Request) -> bytes:
        mine = Received()
        mine.take(request.body)
        return answer(400, b"out of bounds") if mine.series(resource_id="bad") else answer(204)

    async with web(lambda _: answer(503)) as site, scene(tmp_path) as here:
        sink = await here.remote_write(site.url)
        for name in ("a", "bad", "c"):
            await here.collect(window([1.0, 2.0], ids=(name,)))
        site.behaviour = _taking(received, status)
        found = await here.until(sink, "end", lambda status: status.delivered + status.refused == 6)
        assert (found.delivered, found.refused, found.failures) == (4, 2, 0)
        assert "400" in found.refusal
        assert "out of bounds" in found.refusal
        await here.collect(window([3.0], ids=("d",)))
        await here.until(sink, "next", lambda status: status.delivered == 5)
    assert {dict(labels)["resource_id"] for labels, _ in received.values} == {"a", "c", "d"}


async def test_a_dead_sink_blocks_no_other(tmp_path: Path) -> None:
    received = Received()
    async with web(_taking(received)) as site, scene(tmp_path) as here:
        dead = await here.remote_write("http://127.0.0.1:1/", name="dead")
        alive = await here.remote_write(site.url, name="alive", kinds=["volume"])
        paused = await here.add("paused", paused=True, remote_write=pb.RemoteWriteSink(url=site.url))
        await here.collect(window([1.0, 2.0]), window([5.0], kind="disk", ids=("d1",)))
        await here.until(alive, "delivery", lambda status: status.delivered == 2)
        status = await here.until(dead, "failures", lambda status: status.failures >= 2)
        assert "No connection" in status.problem
        assert status.backlog_bytes > 0
        assert status.HasField("oldest_at")
        assert (await here.get(paused)).status.problem == "It is paused."
        assert len(received.values) == 2
        changed = await here.update(paused, pb.Sink(name="on", remote_write=pb.RemoteWriteSink(url=site.url)))
        assert changed.name == "on"
        await here.until(paused, "what waited", lambda status: status.delivered == 3)


async def test_a_position_outlives_a_start(tmp_path: Path) -> None:
    received = Received()
    async with web(_taking(received)) as site:
        async with scene(tmp_path) as here:
            sink = await here.remote_write(site.url, bearer_token="token-5d1e")
            await here.collect(window([1.0]))
            await here.until(sink, "delivery", lambda status: status.delivered == 1)
            site.behaviour = lambda _: answer(503)
            await here.collect(window([2.0], begin=BEGIN + 60_000))
            await here.until(sink, "failure", lambda status: status.failures > 0)
        site.behaviour = _taking(received)
        async with scene(tmp_path) as here:
            await here.until(sink, "delivery", lambda status: status.delivered == 2)
            assert site.seen[-1].headers["authorization"] == "Bearer token-5d1e"
    assert sorted(received.values.values()) == [1.0, 2.0]
    assert set(received.times_sent.values()) == {1}


async def test_what_all_have_leaves_the_journal(tmp_path: Path) -> None:
    async with web(lambda _: answer(204)) as site, scene(tmp_path) as here:
        sink = await here.remote_write(site.url)
        await here.collect(window([1.0]))
        await here.until(sink, "delivery", lambda status: status.delivered == 1)
        await here.until(sink, "removal", lambda _: True)
        for _ in range(500):
            if not await here.store.scan(journal.end):
                break
            await asyncio.sleep(0.02)
        assert await here.store.scan(journal.end) == 0


async def test_too_much_goes_and_leaves_a_gap(tmp_path: Path) -> None:
    limits = dataclasses.replace(QUICK, most_bytes=3_000)
    received = Received()
    async with web(lambda _: answer(503)) as site, scene(tmp_path, settings=limits) as here:
        sink = await here.remote_write(site.url, batch_size=100)
        ids = tuple(map(str, range(100)))
        for step in range(20):  # of more than 800 bytes each
            await here.collect(window([float(step)] * 100, ids=ids, begin=BEGIN + step * 60_000))
        status = await here.until(sink, "gap", lambda status: status.dropped >= 1_700)
        [gap] = status.gaps
        assert status.backlog_bytes <= 3_000
        assert gap.reason == "More than 3,000 bytes waited."
        assert gap.begin_time.ToMilliseconds() == BEGIN
        lost = status.dropped // 100
        assert gap.end_time.ToMilliseconds() == BEGIN + (lost - 1) * 60_000 + 1
        site.behaviour = _taking(received)
        await here.until(sink, "rest", lambda status: status.delivered == 2_000 - status.dropped)
    assert min(at for _, at in received.values) == BEGIN + lost * 60_000


async def test_what_waits_too_long_goes_and_leaves_a_gap(tmp_path: Path) -> None:
    async with web(lambda _: answer(503)) as site, scene(tmp_path) as here:
        sink = await here.remote_write(site.url)
        other = await here.remote_write(site.url, name="disks", kinds=["disk"])
        await here.collect(window([1.0, 2.0]), at=times.now() - 25 * times.HOUR)
        await here.collect(window([3.0], begin=BEGIN + 120_000))
        status = await here.until(sink, "gap", lambda status: len(status.gaps) == 1)
        assert status.dropped == 2
        assert status.gaps[0].reason == "It waited for more than 24 hours."
        assert status.gaps[0].end_time.ToMilliseconds() == BEGIN + 60_001
        assert status.backlog_bytes > 0
        assert (await here.get(other)).status.dropped == 0


async def test_points_wait_for_names_but_not_for_ever(tmp_path: Path) -> None:
    received = Received()
    patient = dataclasses.replace(QUICK, names_wait=1.0)
    async with web(_taking(received)) as site, scene(tmp_path, settings=patient) as here:
        here.unnamed.add(BOX.id)
        sink = await here.remote_write(site.url)
        began = asyncio.get_running_loop().time()
        await here.collect(window([1.0]))
        await here.until(sink, "delivery", lambda status: status.delivered == 1)
        assert asyncio.get_running_loop().time() - began > 0.9


@settings(max_examples=60, deadline=None)
@given(
    data=st.lists(
        st.one_of(st.just(math.nan), st.floats(allow_nan=False, allow_infinity=False)), min_size=12, max_size=12
    ),
    begin=st.sampled_from([0, 127, 2**35 - 60_001, BEGIN, 2**42 - 1]),
    batch=st.sampled_from([2, 5, 100]),
    names=st.lists(st.text(max_size=5), min_size=3, max_size=3),
)
def test_every_number_arrives_as_it_was(data: list[float], begin: int, batch: int, names: list[str]) -> None:
    ids = ("a", "é" * 200, "c\n")
    sent = Window("volume", ids, ("iops", "readIops"), begin, 60_000, np.array(data).reshape(2, 2, 3))
    there = RemoteWrite(pb.RemoteWriteSink(url="http://x", batch_size=batch), QUICK)
    source = Source(Array(BOX.id, BOX.name, BOX.vendor, BOX.model), BOX.serial_number)
    received = Received()
    for piece in there.pieces([Load(1, source, sent, tuple(names))]):
        assert piece.points <= batch
        assert sum(received.take(body) for _, body in piece.messages) == piece.points
    expected = {
        (metric, id_, begin + step * 60_000): value
        for step, of_step in enumerate(sent.values.tolist())
        for metric, of_metric in zip(("iops", "read_iops"), of_step, strict=True)
        for id_, value in zip(ids, of_metric, strict=True)
        if not math.isnan(value)
    }
    suffix = "_operations_per_second"
    found = {}
    for (labels, at), value in received.values.items():
        metric = dict(labels)["__name__"].removeprefix("delphis_volume_").removesuffix(suffix)
        found[metric, dict(labels)["resource_id"], at] = value
    assert found == expected


def test_what_has_no_numbers_is_not_sent() -> None:
    there = RemoteWrite(pb.RemoteWriteSink(url="http://x"), QUICK)
    source = Source(Array(BOX.id, BOX.name, BOX.vendor, BOX.model), BOX.serial_number)
    assert list(there.pieces([Load(1, source, window([math.nan]), ("v",))])) == []
