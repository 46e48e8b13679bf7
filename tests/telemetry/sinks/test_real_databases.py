"""Remote write to a real Prometheus and a real VictoriaMetrics: what they answer is what was measured, at its time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from services.values import times
from tests.telemetry.sinks.databases import Database, prometheus, victoria
from tests.telemetry.sinks.scene import BOX, OTHER, scene, window

pytestmark = [pytest.mark.apt, pytest.mark.timeout(300)]
MINUTE = 60_000


@pytest.mark.parametrize("kind", ["prometheus", "victoria"])
async def test_points_arrive_in_any_order_of_time(tmp_path: Path, kind: str) -> None:
    opened = prometheus(tmp_path, "2h") if kind == "prometheus" else victoria(tmp_path)
    with opened as database:
        now = times.now() // 1000 // MINUTE * MINUTE
        async with scene(tmp_path) as here:
            sink = await here.remote_write(database.write)
            await here.collect(window([1.5, 2.0, 3.0, 4.0], begin=now - 5 * MINUTE, ids=("v1", 'v"2')), box=OTHER)
            await here.until(sink, "delivery", lambda status: status.delivered == 4)
            await here.collect(window([9.0], begin=now - 20 * MINUTE, ids=("v1",)), box=OTHER)  # filled in later
            status = await here.until(sink, "delivery", lambda status: status.delivered + status.refused == 5)
        assert (status.delivered, status.refused) == (5, 0)
        name = "delphis_volume_iops_operations_per_second"
        expected = {
            (name, "v1", now - 5 * MINUTE): 1.5,
            (name, 'v"2', now - 5 * MINUTE): 2.0,
            (name, "v1", now - 4 * MINUTE): 3.0,
            (name, 'v"2', now - 4 * MINUTE): 4.0,
            (name, "v1", now - 20 * MINUTE): 9.0,
        }
        await asyncio.to_thread(_until_equal, database, expected)


def _until_equal(database: Database, expected: dict[tuple[str, str, int], float]) -> None:
    end = time.monotonic() + 60
    while database.points(storage_name=OTHER.name, vendor="acme") != expected:
        assert time.monotonic() < end, database.points(storage_name=OTHER.name)
        time.sleep(0.2)


async def test_what_prometheus_refuses_takes_nothing_else_along(tmp_path: Path) -> None:
    with prometheus(tmp_path, "0s") as database:
        now = times.now() // 1000 // MINUTE * MINUTE
        async with scene(tmp_path) as here:
            sink = await here.remote_write(database.write)
            await here.collect(window([1.0], begin=now - 2 * MINUTE))
            await here.until(sink, "delivery", lambda status: status.delivered == 1)
            late, good = window([7.0], begin=now - 30 * MINUTE), window([8.0], begin=now - MINUTE, ids=("v9",))
            await here.collect(late, good, box=BOX)  # one request: Prometheus takes all of it or nothing
            status = await here.until(sink, "end", lambda status: status.delivered + status.refused == 3)
        assert (status.delivered, status.refused) == (2, 1)
        assert "out of order" in status.refusal
        assert sorted(database.points(storage_name="box").values()) == [1.0, 8.0]
