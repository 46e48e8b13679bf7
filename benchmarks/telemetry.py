"""Telemetry: points from a host into history and journal, series out of them, `/metrics`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import grpc
import numpy as np

from benchmarks.measure import Row, percentile
from delphis.driver.v1 import storage_driver_pb2
from delphis.type.v1 import metric_pb2
from services.calls.invoker import CHANNEL_OPTIONS
from services.fleet.core import Core, target
from services.store.engine import Store
from services.telemetry import journal
from services.telemetry.collection.reading import read_capabilities, read_points
from services.telemetry.exposition.formats import PROMETHEUS
from services.telemetry.exposition.latest import Latest
from services.telemetry.exposition.text import Array, write
from services.telemetry.history.reader import grids
from services.telemetry.history.recorder import Recorder
from services.telemetry.schema import SCHEMA
from services.telemetry.window import Window
from tests.support.up import up

VOLUMES = 10_000
METRICS: tuple[str, ...] = (
    *("iops", "readIops", "writeIops", "throughput", "readThroughput", "writeThroughput"),
    *("responseTime", "readResponseTime", "writeResponseTime"),
)
MINUTE = 60_000
WINDOW = 15 * MINUTE
RUNS = 3


def run(folder: Path) -> Iterator[Row]:
    """The figures."""
    yield from asyncio.run(_collected(folder))
    yield from asyncio.run(_queried(folder))
    yield from _exposed()


async def _collected(folder: Path) -> list[Row]:
    """A window of one large array, as a collection reads and keeps it."""
    with up(folder) as delphis:
        made = await asyncio.to_thread(
            lambda: delphis.register(7, volumes=str(VOLUMES), perf_kinds="volume", perf_metrics=", ".join(METRICS))
        )
        await asyncio.to_thread(delphis.wait_synced, made["id"], 300)
        async with grpc.aio.insecure_channel(delphis.grpc, options=CHANNEL_OPTIONS) as channel:
            core = Core(channel, "")
            store = Store.open(f"sqlite:///{folder}/telemetry-bench.db", SCHEMA)
            try:
                return await _windows(core, store, made["id"])
            finally:
                await store.close()


async def _windows(core: Core, store: Store, storage_id: str) -> list[Row]:
    told = await read_capabilities(core, storage_id)
    wanted = [one for one in told.resource_metrics if one.kind == "volume"]
    end = int(time.time() * 1000) // WINDOW * WINDOW
    keeper, key = Recorder(max_volume_series=VOLUMES * len(METRICS)), UUID(storage_id).bytes
    bare, whole, cpu, points = [], [], [], 0
    for run in range(RUNS):
        begin = end - (run + 1) * WINDOW
        clock = time.perf_counter()
        await _streamed(core, storage_id, wanted, begin, begin + WINDOW)
        bare.append(time.perf_counter() - clock)
        clock, spent = time.perf_counter(), time.process_time()
        reading = await read_points(core, storage_id, wanted, begin, begin + WINDOW)

        def work(connection: object, windows: list[Window] = reading.windows) -> None:
            keeper.committed(keeper.record(connection, key, windows))  # type: ignore[arg-type]
            journal.append(connection, key, windows, begin)  # type: ignore[arg-type]  # noqa: B023

        await store.write(work, bulk=True)
        whole.append(time.perf_counter() - clock)
        cpu.append(time.process_time() - spent)
        points = sum(window.points for window in reading.windows)
    name = f"{VOLUMES:,} volumes × {len(METRICS)} metrics × 15 min from a host into history and journal"
    return [
        Row(name, points / min(whole), "points/s", points / min(bare), "the stream alone", "≥ 300,000", "78,000"),
        Row("  CPU of the collecting process", min(cpu) / points * 1e9, "ns/point"),
    ]


async def _streamed(
    core: Core, storage_id: str, wanted: list[metric_pb2.ResourceMetrics], begin: int, end: int
) -> None:
    request = storage_driver_pb2.CollectPerfMetricsRequest(target=target(storage_id), resource_metrics=wanted)
    request.begin_time.FromMilliseconds(begin)
    request.end_time.FromMilliseconds(end)
    async for _ in core.list_from_array("CollectPerfMetrics", request, storage_driver_pb2.CollectPerfMetricsResponse):
        pass


async def _queried(folder: Path) -> list[Row]:
    """One series of a day among those of 5,000 volumes, a sample a minute."""
    store = Store.open(f"sqlite:///{folder}/history.db", SCHEMA)
    keeper, key = Recorder(), b"k" * 16
    ids = tuple(f"volume-{number}" for number in range(5000))
    dice, took, size = np.random.default_rng(1), 0.0, 0
    try:
        for number in range(96):
            window = Window("volume", ids, METRICS, number * WINDOW, MINUTE, dice.random((15, len(METRICS), 5000)))
            clock = time.process_time()
            done = await store.write(lambda connection, window=window: keeper.record(connection, key, [window]))  # type: ignore[misc]
            keeper.committed(done)
            took += time.process_time() - clock
            size += done.points
        times = []
        for number in range(20):
            clock = time.perf_counter()
            found = await store.scan(
                lambda connection, number=number: list(  # type: ignore[misc]
                    grids(connection, key, "volume", ("iops",), 0, 96 * WINDOW, native_ids=[ids[number * 37]])
                )
            )
            times.append(time.perf_counter() - clock)
            assert len(found[0].times) == 1440
        bytes_ = (folder / "history.db").stat().st_size
        return [
            Row("history: one series over 24 h, p50", percentile(times, 50) * 1000, "ms", goal="< 20"),
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
