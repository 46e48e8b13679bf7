"""A running Delphis whose telemetry process is killed again and again: no sink loses anything."""

from __future__ import annotations

import http.server
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from delphis.sdk.metrics import catalogue
from delphis.telemetry.v1 import telemetry_pb2
from tests.support.kafka.broker import broker
from tests.support.up import Up, up, wait_for
from tests.telemetry.sinks.prometheus import Received

KILLS = 4


class _Server(http.server.ThreadingHTTPServer):
    """Takes what comes, but for what it refuses for the moment."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received = Received()
        self.lock = threading.Lock()
        self.chance = random.Random(3)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, _Server)
        with self.server.lock:
            taken = self.server.chance.random() < 0.7
            if taken:
                self.server.received.take(body)
        self.send_response(204 if taken else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[_Server]:
    made = _Server()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kills_lose_no_sample(tmp_path: Path, server: _Server) -> None:
    with up(tmp_path, telemetry=True) as running:
        url = f"http://127.0.0.1:{server.server_port}/api/v1/write"
        where = {"remote_write": {"url": url, "bearer_token": "secret-77ab"}}

        def sent(storage_id: str) -> Points:
            return {
                (dict(labels)["__name__"], dict(labels)["resource_id"], at): value
                for (labels, at), value in server.received.series(storage_id=storage_id).items()
            }

        status = _kill_again_and_again(running, where, sent)
        assert int(status["delivered"]) <= server.received.times_sent.total()
        assert "secret-77ab" not in running.log() + running.ask("GET", "/v1/metric-sinks").text


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_kills_lose_no_sample_of_kafka(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    with broker(tmp_path / "kafka") as kafka, up(tmp_path, telemetry=True) as running:
        settings = {"bootstrap_servers": [kafka.address()], "topic": "points", "format": "protobuf"}

        def sent(storage_id: str) -> Points:
            found: Points = {}
            for key, body in kafka.read("points", 100_000, seconds=3):
                message = telemetry_pb2.Points.FromString(body)
                assert key == message.storage_id == storage_id
                for batch in message.batches:
                    shape = (batch.steps, len(batch.metrics), len(batch.native_ids))
                    values = np.array(batch.values).reshape(shape)
                    begin, step = batch.start.ToMilliseconds(), batch.step.ToMilliseconds()
                    for at, metric, column in np.ndindex(shape):
                        name = catalogue()[batch.metrics[metric]].exposed(batch.kind)
                        found[name, batch.native_ids[column], begin + at * step] = float(values[at, metric, column])
            return found

        def both() -> None:
            kafka.kill()
            kafka.start()

        _kill_again_and_again(running, {"kafka": settings}, sent, between=both)


Points = dict[tuple[str, str, int], float]
"""By exposed name, the array's id of the resource, and time."""


def _kill_again_and_again(
    running: Up,
    where: dict[str, Any],
    sent: Callable[[str], Points],
    *,
    between: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Kills telemetry while points flow to a sink; the sink's status once it has all."""
    wait_for("telemetry", lambda: _sinks(running) is not None, 60)
    reply = running.ask("POST", "/v1/metric-sinks", {"name": "p", **where})
    assert reply.status == 201, reply
    sink = reply.json["id"]
    array = running.register(101, volumes="5", pools="1", disks="2", perf_interval_s="1")
    running.wait_synced(array["id"])
    reply = running.ask("PATCH", f"/v1/storages/{array['id']}/collection", {"interval": "10s"})
    assert reply.status == 200, reply
    chance = random.Random(5)
    for number in range(KILLS):
        time.sleep(chance.uniform(0.5, 3))
        os.kill(running.child_pid("telemetry"), signal.SIGKILL)
        wait_for("telemetry", lambda: _sinks(running) is not None, 60)
        if number == 1:
            between()
    reply = running.ask("PATCH", f"/v1/storages/{array['id']}/collection", {"off": True})
    assert reply.status == 200, reply
    wait_for("an empty backlog", lambda: int(_sink(running, sink)["status"]["backlog_bytes"]) == 0, 90)
    expected = wait_for("all points", lambda: _all_there(running, array["id"], sent(array["id"])), 60, 0.5)
    assert expected > 100
    status: dict[str, Any] = _sink(running, sink)["status"]
    assert (int(status["refused"]), int(status["dropped"]), status["gaps"]) == (0, 0, [])
    return status


@pytest.mark.slow
def test_what_is_set_at_the_start_is_kept(tmp_path: Path) -> None:
    database = ("--prometheus", "http://127.0.0.1:1")
    with up(tmp_path, "--sink-backlog-hours", "0.0005", *database, telemetry=True) as running:
        wait_for("telemetry", lambda: _sinks(running) is not None, 60)
        settings = {"url": "http://127.0.0.1:1/"}
        reply = running.ask("POST", "/v1/metric-sinks", {"name": "dead", "remote_write": settings})
        assert reply.status == 201, reply
        running.wait_synced(running.register(101, volumes="2", perf_interval_s="1")["id"])
        sink = reply.json["id"]
        wait_for("gap", lambda: _sink(running, sink)["status"]["gaps"], 60, 0.2)
        status = _sink(running, sink)["status"]
        assert int(status["dropped"]) > 0
        assert status["gaps"][0]["reason"] == "It waited for more than 1.8 s."
        assert "No connection" in status["problem"]
        reply = running.ask("POST", "/v1/metrics:query", {"kind": "disk", "metrics": ["iops"]})
        assert (reply.status, reply.json["error_code"]) == (503, "MetricSourceUnavailable")
        assert "No connection" in reply.json["error_msg"]


def _sinks(running: Up) -> list[dict[str, Any]] | None:
    try:
        reply = running.ask("GET", "/v1/metric-sinks")
    except OSError:
        return None
    return reply.json["sinks"] if reply.status == 200 else None


def _sink(running: Up, id_: str) -> dict[str, Any]:
    found: dict[str, Any] = running.get(f"/v1/metric-sinks/{id_}")
    return found


def _all_there(running: Up, storage_id: str, sent: Points) -> int:
    """How many points of volumes the history has, if the sink has the same; else 0."""
    metrics = ["iops", "readIops", "throughput"]
    asked = {"kind": "volume", "metrics": metrics, "storage_ids": [storage_id]}
    reply = running.ask("POST", "/v1/metrics:query", asked)
    assert reply.status == 200, reply
    history = {
        (catalogue()[one["metric"]].exposed("volume"), one["native_id"], int(at)): value
        for one in reply.json["series"]
        for at, value in zip(one["times"], one["values"], strict=True)
    }
    if not history.keys() <= sent.keys():
        return 0
    for key, value in history.items():
        assert sent[key] == pytest.approx(value, rel=1e-6)
    return len(history)
