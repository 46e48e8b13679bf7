"""Telemetry: points from a host into the history and a remote write, series out of them, `/metrics`."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import grpc
import numpy as np

from benchmarks.measure import Row, percentile
from benchmarks.remote_write import Receiver, receiving
from delphis.driver.v1 import storage_driver_pb2
from delphis.sdk import metrics
from delphis.telemetry.v1 import telemetry_pb2 as pb
from delphis.type.v1 import metric_pb2, storage_pb2
from services.calls.invoker import CHANNEL_OPTIONS
from services.exposition.formats import PROMETHEUS
from services.fleet.core import Core, target
from services.fleet.storage import storage_of
from services.store.connection import Connection
from services.store.engine import Store
from services.telemetry import journal
from services.telemetry.collection.reading import read_capabilities, read_points
from services.telemetry.exposition.latest import Latest
from services.telemetry.exposition.text import Array, write
from services.telemetry.history.reader import grids
from services.telemetry.history.recorder import MAX_VOLUME_SERIES, Recorded, Recorder
from services.telemetry.query.answering import answer
from services.telemetry.query.question import question
from services.telemetry.schema import SCHEMA
from services.telemetry.sinks.settings import SinkSettings
from services.telemetry.window import Window
from services.values import times
from tests.support.up import Up, up, wait_for
from tests.telemetry.sinks.scene import Box, Scene, scene

VOLUMES = 10_000
METRICS: tuple[str, ...] = (
    *("iops", "readIops", "writeIops", "throughput", "readThroughput", "writeThroughput"),
    *("responseTime", "readResponseTime", "writeResponseTime"),
)
MINUTE = 60_000
WINDOW = 15 * MINUTE
RUNS = 3
ARRAY = UUID(int=4711)
EXPOSED = tuple(metrics.catalogue()[name].exposed("volume") for name in METRICS)


def run(folder: Path) -> Iterator[Row]:
    """The figures."""
    yield from asyncio.run(_collected(folder))
    yield from asyncio.run(_queried(folder))
    yield from _exposed()
    yield from _served(folder / "served")


async def _collected(folder: Path) -> list[Row]:
    """Windows of one large array, as a collection reads and keeps them and as they go on from there."""
    with up(folder) as delphis, receiving(folder / "received") as receiver:
        made = await asyncio.to_thread(
            lambda: delphis.register(7, volumes=str(VOLUMES), perf_kinds="volume", perf_metrics=", ".join(METRICS))
        )
        await asyncio.to_thread(delphis.wait_synced, made["id"], 300)
        async with (
            grpc.aio.insecure_channel(delphis.grpc, options=CHANNEL_OPTIONS) as channel,
            scene(folder, settings=SinkSettings()) as here,
        ):
            here.boxes.all[made["id"]] = Box(made["id"], made["name"], made["vendor"], made["model"])
            return await _windows(Core(channel, ""), here, receiver, made["id"])


async def _windows(core: Core, here: Scene, receiver: Receiver, storage_id: str) -> list[Row]:
    told = await read_capabilities(core, storage_id)
    wanted = [one for one in told.resource_metrics if one.kind == "volume"]
    end = int(time.time() * 1000) // WINDOW * WINDOW
    begins = [end - (run + 1) * WINDOW for run in range(RUNS)]
    array = storage_of(storage_pb2.Storage(id=storage_id), None, ())
    bare: list[float] = []
    for begin in begins:
        clock = time.perf_counter()
        await _streamed(core, storage_id, wanted, begin, begin + WINDOW)
        bare.append(time.perf_counter() - clock)
    sink = await here.remote_write(receiver.url)
    keeper, key, points = Recorder(max_volume_series=VOLUMES * len(METRICS)), UUID(storage_id).bytes, 0
    clock, spent = time.perf_counter(), time.process_time()
    for begin in begins:
        reading = await read_points(core, array, wanted, begin, begin + WINDOW)
        points += await _kept(here, keeper, key, reading.windows)
    kept = time.perf_counter() - clock
    await _delivered(here, sink, points)
    took, spent = time.perf_counter() - clock, time.process_time() - spent
    assert len(receiver.received(EXPOSED)) == points
    bare_rate = points / sum(bare)
    name = f"{RUNS} × {VOLUMES:,} volumes × {len(METRICS)} metrics × 15 min, from a host into"
    return [
        Row(f"{name} history and journal", points / kept, "points/s", bare_rate, "the stream alone"),
        Row(
            f"{name} history and a remote write",
            points / took,
            "points/s",
            bare_rate,
            "the stream alone",
            "≥ 300,000",
            "78,000",
        ),
        Row("  CPU of the collecting process", spent / points * 1e9, "ns/point"),
        *await _small(here, sink, receiver, points),
    ]


async def _small(here: Scene, sink: pb.Sink, receiver: Receiver, before: int) -> list[Row]:
    """Windows as a fleet has them: a minute of a hundred volumes."""
    ids, dice = tuple(f"volume-{number}" for number in range(100)), np.random.default_rng(2)
    boxes = [Box(str(UUID(int=number)), f"array {number}") for number in range(200)]
    here.boxes.all.update((box.id, box) for box in boxes)
    keeper, points = Recorder(max_volume_series=len(boxes) * len(ids) * len(METRICS)), 0
    clock, spent = time.perf_counter(), time.process_time()
    for minute in range(RUNS):
        for box in boxes:
            window = Window("volume", ids, METRICS, minute * MINUTE, MINUTE, dice.random((1, len(METRICS), len(ids))))
            points += await _kept(here, keeper, UUID(box.id).bytes, [window])
    await _delivered(here, sink, before + points)
    took, spent = time.perf_counter() - clock, time.process_time() - spent
    assert len(receiver.received(EXPOSED)) == before + points
    return [
        Row("the same in windows of 100 volumes × 1 min, without the host", points / took, "points/s"),
        Row("  CPU of the collecting process", spent / points * 1e9, "ns/point"),
    ]


async def _kept(here: Scene, keeper: Recorder, key: bytes, windows: list[Window]) -> int:
    """Keeps windows as the collector does; how many points they have."""

    def work(connection: Connection) -> Recorded:
        recorded = keeper.record(connection, key, windows)
        journal.append(connection, key, windows, times.now())
        return recorded

    keeper.committed(await here.store.write(work, bulk=True))
    return sum(window.points for window in windows)


async def _delivered(here: Scene, sink: pb.Sink, points: int) -> None:
    async with asyncio.timeout(300):
        while (await here.get(sink)).status.delivered < points:  # noqa: ASYNC110 - it is asked over the API
            await asyncio.sleep(0.02)


async def _streamed(
    core: Core, storage_id: str, wanted: list[metric_pb2.ResourceMetrics], begin: int, end: int
) -> None:
    request = storage_driver_pb2.CollectPerfMetricsRequest(target=target(storage_id), resource_metrics=wanted)
    request.begin_time.FromMilliseconds(begin)
    request.end_time.FromMilliseconds(end)
    async for _ in core.list_from_array("CollectPerfMetrics", request, storage_driver_pb2.CollectPerfMetricsResponse):
        pass


async def _queried(folder: Path) -> list[Row]:
    """Series of a day, a sample a minute, of as many volumes as the history keeps: one of them, and the highest."""
    store = Store.open(f"sqlite:///{folder}/history.db", SCHEMA)
    keeper, key = Recorder(), ARRAY.bytes
    ids = tuple(f"volume-{number}" for number in range(MAX_VOLUME_SERIES // len(METRICS)))
    dice, took, size = np.random.default_rng(1), 0.0, 0
    try:
        for number in range(96):
            window = Window("volume", ids, METRICS, number * WINDOW, MINUTE, dice.random((15, len(METRICS), len(ids))))
            clock = time.process_time()
            done = await store.write(lambda connection, window=window: keeper.record(connection, key, [window]))  # type: ignore[misc]
            keeper.committed(done)
            took += time.process_time() - clock
            size += done.points
        spans = []
        for number in range(20):
            clock = time.perf_counter()
            found = await store.scan(
                lambda connection, number=number: list(  # type: ignore[misc]
                    grids(connection, key, "volume", ("iops",), 0, 96 * WINDOW, native_ids=[ids[number * 37]])
                )
            )
            spans.append(time.perf_counter() - clock)
            assert len(found[0].times) == 1440
        hour = pb.QueryMetricsRequest(kind="volume", metrics=["iops"], top=10)
        day = pb.QueryMetricsRequest(kind="volume", metrics=["iops"], top=10)
        day.begin_time.FromMilliseconds(0)
        highest: list[float] = []
        for request in (hour, day):
            request.end_time.FromMilliseconds(96 * WINDOW)
            asked = question(request, now=96 * WINDOW)
            clock = time.perf_counter()
            series = await store.scan(lambda connection, asked=asked: answer(connection, asked, [str(ARRAY)]))  # type: ignore[misc]
            highest.append(time.perf_counter() - clock)
            assert len(series) == 10
        bytes_ = (folder / "history.db").stat().st_size
        return [
            Row("history: one series over 24 h, p50", percentile(spans, 0.5) * 1000, "ms", goal="< 20"),
            Row(f"  the 10 highest of {len(ids):,} volumes, over 1 h", highest[0] * 1000, "ms"),
            Row("  over 24 h", highest[1] * 1000, "ms"),
            Row("history: bytes a point", bytes_ / size, "bytes", goal="≤ 8"),
            Row("  CPU of writing", took / size * 1e9, "ns/point"),
        ]
    finally:
        await store.close()


def _exposed() -> Iterator[Row]:
    """100,000 series as text."""
    latest, arrays = Latest(), {}
    ids = tuple(f"volume-{number}" for number in range(100))
    for number in range(112):
        name = f"array-{number}"
        latest.take(name, [Window("volume", ids, METRICS, 0, 1, np.random.default_rng(number).random((1, 9, 100)))])
        arrays[name] = Array(name, name, "vendor", "model")
    clock = time.perf_counter()
    size = sum(map(len, write(latest.of(None, None), arrays, lambda _, __, found: found, PROMETHEUS)))
    yield Row("/metrics: 100,800 series written", time.perf_counter() - clock, "s", goal="< 2")
    yield Row("  bytes of it", size / 1e6, "MB")


def _served(folder: Path) -> Iterator[Row]:
    """The same over HTTP, and one series: of arrays that were collected from."""
    settings = {"volumes": "100", "perf_kinds": "volume", "perf_metrics": ", ".join(METRICS)}
    with up(folder, telemetry=True) as delphis:
        wait_for("telemetry", lambda: delphis.ask("GET", "/v1/collections").status == 200, 60)
        with ThreadPoolExecutor(4) as clients:
            ids = list(clients.map(lambda port: delphis.register(port, **settings)["id"], range(1, 113)))

        def collected() -> bool:
            statuses = delphis.get("/v1/collections?limit=1000")["collections"]
            known = [kind for status in statuses for kind in status["kinds"] if kind["watermark"]]
            return len(known) == len(ids)

        wait_for("first collections", collected, 300, 1)
        best = min((_scraped(delphis) for _ in range(RUNS)), key=lambda one: one[1])
        yield Row(f"/metrics over HTTP: {best[2]:,} series, first byte", best[0], "s")
        yield Row("  all of them", best[1], "s", goal="< 2")
        spans = []
        for id_ in ids:
            asked = {"kind": "volume", "metrics": ["iops"], "storage_ids": [id_], "native_ids": ["vol-0000007"]}
            clock = time.perf_counter()
            reply = delphis.ask("POST", "/v1/metrics:query", asked)
            spans.append(time.perf_counter() - clock)
            if reply.status == 503:  # an array beyond those that the history has room for
                spans.pop()
                continue
            assert reply.status == 200, reply
            assert len(reply.json["series"]) == 1
        assert len(spans) >= MAX_VOLUME_SERIES // len(METRICS) // 100
        yield Row("a query of one series over REST, p50", percentile(spans, 0.5) * 1000, "ms", goal="< 20")


def _scraped(delphis: Up) -> tuple[float, float, int]:
    """Seconds until the first byte and until the last one, and how many series there were."""
    connection = http.client.HTTPConnection(delphis.rest.removeprefix("http://"), timeout=60)
    clock = time.perf_counter()
    connection.request("GET", "/metrics")
    answered = connection.getresponse()
    text = answered.read(1)
    first = time.perf_counter() - clock
    text += answered.read()
    whole = time.perf_counter() - clock
    connection.close()
    assert answered.status == 200
    return first, whole, sum(line[:1] not in (b"#", b"") for line in text.split(b"\n"))
