"""Prometheus and VictoriaMetrics, as Debian has them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.up import wait_for


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
def prometheus(folder: Path, window_: str = "0s", *flags: str) -> Iterator[Database]:
    """Prometheus, which takes remote writes that are so late."""
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
        *flags,
    ) as made:
        yield made


@contextmanager
def victoria(folder: Path, *flags: str) -> Iterator[Database]:
    """VictoriaMetrics."""
    port = _free_port()
    with _running(
        "/health",
        port,
        "victoria-metrics",
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder}/victoria",
        "-search.latencyOffset=0s",
        *flags,
    ) as made:
        yield made
