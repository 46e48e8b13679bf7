"""Remote write to a real Prometheus and a real VictoriaMetrics: what they answer is what was measured, at its time."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.values import times
from tests.support.up import wait_for
from tests.telemetry.sinks.scene import BOX, OTHER, scene, window

pytestmark = [pytest.mark.apt, pytest.mark.timeout(300)]
MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class Database:
    """One at work."""

    address: str

    @property
    def write(self) -> str:
        """Where it takes points."""
        return f"{self.address}/api/v1/write"

    def get(self, path: str, **query: str) -> str:
        """What it answers."""
        asked = f"{self.address}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(asked, timeout=60) as answer:  # nosec
            text: str = answer.read().decode()
            return text

    def ready(self, path: str) -> bool:
        """Whether it answers."""
        try:
            return bool(self.get(path)) or True
        except (urllib.error.URLError, ConnectionError):
            return False

    def points(self, **labels: str) -> dict[tuple[str, str, int], float]:
        """Samples of the last hour by metric, resource and time, in milliseconds."""
        chosen = ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
        found: Any = json.loads(self.get("/api/v1/query", query=f"{{{chosen}}}[1h]"))
        return {
            (one["metric"]["__name__"], one["metric"]["resource_id"], round(at * 1000)): float(value)
            for one in found["data"]["result"]
            for at, value in one["values"]
        }


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def _running(ready: str, port: int, *command: str) -> Iterator[Database]:
    program = shutil.which(command[0])
    if program is None:
        missing = f"install {command[0]}, see .ci/run"
        if os.environ.get("CI"):
            pytest.fail(f"CI lacks what marker 'apt' needs: {missing}", pytrace=False)
        pytest.skip(f"apt: {missing}")
    process = subprocess.Popen(
        [program, *command[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        made = Database(f"http://127.0.0.1:{port}")
        wait_for(command[0], lambda: made.ready(ready), 60, 0.1)
        yield made
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def _prometheus(folder: Path, window_: str) -> Iterator[Database]:
    port = _free_port()
    file = folder / "prometheus.yml"
    file.write_text(f"storage: {{tsdb: {{out_of_order_time_window: {window_}}}}}\n")
    with _running(
        "/-/ready",
        port,
        "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
    ) as made:
        yield made


@contextmanager
def _victoria(folder: Path) -> Iterator[Database]:
    port = _free_port()
    with _running(
        "/health",
        port,
        "victoria-metrics",
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder}/victoria",
        "-search.latencyOffset=0s",
    ) as made:
        yield made


@pytest.mark.parametrize("kind", ["prometheus", "victoria"])
async def test_points_arrive_in_any_order_of_time(tmp_path: Path, kind: str) -> None:
    opened = _prometheus(tmp_path, "2h") if kind == "prometheus" else _victoria(tmp_path)
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
    with _prometheus(tmp_path, "0s") as database:
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
