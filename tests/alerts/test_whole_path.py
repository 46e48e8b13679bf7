"""The whole way of traps through a real `delphis up` whose processes are killed at random: accepted = stored = told."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks import trap_stream
from tests.alerts.fleet import AlertsUp
from tests.alerts.senders import bindings, v2c
from tests.support.up import Up, up, wait_for

HOSTS = ("127.11.9.1", "127.11.9.2", "127.11.9.3")
SECONDS = 5.0


class Desk:
    """A webhook that keeps what it is told; now and then it fails."""

    def __init__(self) -> None:
        desk = self
        self.told: set[tuple[str, str]] = set()
        self.of_traps: set[int] = set()
        self._dice = random.Random(7)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                taken = desk._dice.random() > 0.2
                if taken:
                    desk.take(json.loads(body)["events"])
                self.send_response(200 if taken else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def take(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            if event["alert"]["origin"] == "trap":
                self.of_traps.add(event["position"])
                self.told.add((event["alert"]["storage_id"], event["alert"]["sequence_number"]))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)


class Informer(threading.Thread):
    """Sends informs from one address until it is told to finish: each again until it is answered, as agents do."""

    def __init__(self, host: str, receiver: str) -> None:
        super().__init__(daemon=True)
        self.receiver = receiver
        self.answered: set[str] = set()
        self.sent = 0
        self._host = host
        self._finished = threading.Event()
        self.start()

    def run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((self._host, 0))
            sender.settimeout(0.1)
            while not self._finished.is_set() or len(self.answered) < self.sent:
                time.sleep(0.008)  # so that one page has all
                number = f"i{self.sent}"
                self.sent += 1
                data = v2c(bindings(number), inform=True)
                while number not in self.answered:
                    host, _, port = self.receiver.rpartition(":")
                    with contextlib.suppress(OSError):
                        sender.sendto(data, (host, int(port)))
                        self._take(sender.recv(65_535), data, number)

    def _take(self, answer: bytes, data: bytes, number: str) -> None:
        # An answer repeats what was said; that of an earlier inform may come late.
        if answer[-60:] == data[-60:]:
            self.answered.add(number)

    def finish(self) -> None:
        self._finished.set()


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


@pytest.mark.slow
def test_what_was_accepted_is_stored_and_told(tmp_path: Path, desk: Desk) -> None:
    dice = random.Random(11)
    with up(tmp_path) as running, contextlib.closing(AlertsUp(running)) as delphis:
        arrays = [delphis.array(host) for host in HOSTS]
        reply = running.ask("POST", "/v1/alert-receivers", {"name": "desk", "webhook": {"url": desk.url}})
        assert reply.status == 201, reply
        informers = [Informer(host, delphis.receiver) for host in HOSTS]
        ends = time.monotonic() + SECONDS
        for victim in ("alerts", "host", "alerts", "core", "alerts"):
            time.sleep(dice.uniform(0.3, 1.0))
            pids = running.host_pids("fake-storage") if victim == "host" else [running.child_pid(victim)]
            said = {name: len(_said(running, name)) for name in ("REST", "traps")}
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            if victim == "core":
                running.rest = _next(running, "REST", said["REST"]).removesuffix("/v1")
            elif victim == "alerts":
                receiver = _next(running, "traps", said["traps"]).rstrip(",")
                for informer in informers:
                    informer.receiver = receiver
        time.sleep(max(0.0, ends - time.monotonic()))
        for informer in informers:
            informer.finish()
        for informer in informers:
            informer.join(60)
        accepted = {
            (array, number) for array, informer in zip(arrays, informers, strict=True) for number in informer.answered
        }
        assert len(accepted) > 200

        def stored() -> set[tuple[str, str]]:
            return {(array, number) for array in arrays for number in delphis.numbers(array)}

        with contextlib.suppress(AssertionError):
            wait_for("all that was accepted, stored", lambda: stored() >= accepted, 60, 0.2)
        assert stored() == accepted
        with contextlib.suppress(AssertionError):
            wait_for("all that was stored, told", lambda: desk.told >= accepted, 60, 0.1)
        assert desk.told == accepted
        # What a crash made come again was repeated, and never became a second alert.
        total = running.get("/v1/alerts?origin=trap&include_total=true&limit=1")["total_size"]
        assert total == len(accepted)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "v3"), [(1_000, False), (500, True)], ids=["v2c", "v3"])
def test_a_stream_is_stored_and_told(tmp_path: Path, desk: Desk, rate: int, *, v3: bool) -> None:
    """The rates that are promised, for a short time: benchmarks/alerts.py has them for a minute."""
    with up(tmp_path) as running, contextlib.closing(AlertsUp(running)) as delphis:
        arrays = [delphis.array(host) for host in HOSTS]
        for array, host in zip(arrays, HOSTS, strict=True):
            running.wait_synced(array)
            if v3:
                engine = trap_stream.ENGINE_ID.hex()
                delphis.put_config(array, host=host, port=1, version="SNMPv3", engine_id=engine, **trap_stream.KEYS)
        reply = running.ask("POST", "/v1/alert-receivers", {"name": "desk", "webhook": {"url": desk.url}})
        assert reply.status == 201, reply
        make = partial(trap_stream.v3, time=1) if v3 else trap_stream.v2c
        count = trap_stream.write(tmp_path / "stream", HOSTS, rate * 2, "s", make)
        sender = [sys.executable, "-m", "benchmarks.trap_stream", delphis.receiver, str(tmp_path / "stream"), str(rate)]
        subprocess.run(sender, check=True)
        wait_for("all events", lambda: len(desk.of_traps) >= count, 60, 0.1)
        assert len(desk.of_traps) == count
        assert delphis.counts()["accepted"] == count
        assert running.get("/v1/alerts?origin=trap&limit=1&include_total=true")["total_size"] == count // 2
        assert all(delphis.numbers(array) == set() for array in arrays)


def _said(running: Up, name: str) -> list[str]:
    """The addresses that a process has told, once each time that it was ready."""
    return [line.split()[1] for line in list(running.lines) if line.strip().startswith(name)]


def _next(running: Up, name: str, before: int) -> str:
    found = wait_for(f"the next {name}", lambda: _said(running, name)[before:])
    return found[-1]
