"""A Delphis with one of everything that tells metrics."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.observing.pages import OWN, names
from tests.support.up import Up, up, wait_for


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """With an array that was synced and collected from, a receiver of alerts, and a sink that nobody answers for."""
    with up(tmp_path_factory.mktemp("up"), telemetry=True) as started:
        wait_for("all processes", lambda: all_up(started), 60)
        receiver = {
            "name": "house",
            "alertmanager": {"urls": ["http://127.0.0.1:9"], "bearer_token": "t0p-s3cret-hook"},
        }
        assert started.ask("POST", "/v1/alert-receivers", receiver).status in (200, 201)
        sink = {"name": "tsdb", "remote_write": {"url": "http://127.0.0.1:9/write", "bearer_token": "t0p-s3cret-sink"}}
        assert started.ask("POST", "/v1/metric-sinks", sink).status in (200, 201)
        array = started.register(101, volumes="5", pools="2", disks="3", perf_interval_s="1")
        started.wait_synced(array["id"])
        wait_for("points", lambda: "delphis_port_throughput_bytes_per_second" in names(started, "/metrics"), 60)
        assert started.ask("GET", "/v1/storages/00000000-0000-4000-8000-000000000000").status == 404
        yield started


def all_up(running: Up) -> bool:
    """Whether every process answers."""
    text = running.ask("GET", OWN).text
    return all(f'delphis_process_up{{process="{name}"}} 1\n' in text for name in ("core", "alerts", "telemetry"))
