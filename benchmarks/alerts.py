"""Alerts in a whole `up`: from the socket through driver, book and event log to a webhook.

Each trap raises an alert of its own, or clears one: the dearest that traps can be. `DELPHIS_BENCH_SECONDS` is how long
a stream lasts (60).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import uvloop

from benchmarks import traps
from benchmarks.measure import Row, cpu_seconds, percentile
from benchmarks.trap_stream import ENGINE_ID, KEYS, first, v2c, v3, write
from tests.alerts.fleet import AlertsUp
from tests.support.up import up, wait_for

SECONDS = float(os.environ.get("DELPHIS_BENCH_SECONDS", "60"))
HOSTS = tuple(f"127.12.0.{number}" for number in range(1, 11))
BURST = 20_000


class Sink:
    """The webhook's process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.alert_sink"], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/hook"

    def seen(self) -> dict[str, int]:
        """What it was told."""
        with urllib.request.urlopen(self.url, timeout=30) as answer:
            found: dict[str, int] = json.loads(answer.read())
        return found

    def close(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Clocks:
    """CPU of the processes of an `up`."""

    def __init__(self, delphis: AlertsUp) -> None:
        hosts = delphis.up.host_pids("fake-storage")
        self._pids = {"alerts": delphis.pid(), "core": delphis.up.core_pid(), "driver host": hosts[0]}
        self._began = self._read()

    def _read(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self._pids.items()}

    def spent(self) -> dict[str, float]:
        """Seconds since the beginning."""
        return {name: now - self._began[name] for name, now in self._read().items()}


def streamed(delphis: AlertsUp, sink: Sink, name: str, stream: Path, rate: int, count: int) -> Iterator[Row]:
    """Sends a stream, and waits until each of its traps was told."""
    told, counts, clocks = sink.seen()["different"], delphis.counts(), Clocks(delphis)
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "benchmarks.trap_stream", delphis.receiver, str(stream), str(rate)], check=True
    )
    sent = time.monotonic() - began
    reached = 0

    def probe() -> bool:
        nonlocal reached
        reached = sink.seen()["different"] - told
        return reached >= count

    with contextlib.suppress(AssertionError):
        wait_for("the last event", probe, timeout=120, interval=0.1)
    late = time.monotonic() - began - sent
    gone = {kind: now - counts.get(kind, 0) for kind, now in delphis.counts().items()}
    yield Row(
        f"{name}: {count:,} in {sent:.0f} s: accepted and not told", gone["accepted"] - reached, "traps", goal="≤ 0"
    )
    yield Row("  not accepted", count - gone["accepted"], "traps", goal="≤ 0")
    yield Row("  the last one was told after the last was sent by", late, "s")
    spent = clocks.spent()
    limit: traps.Received = uvloop.run(traps.bare(first(stream), rate, 4))
    for process, seconds in spent.items():
        yield Row(f"  CPU of the {process}", seconds / count * 1e6, "µs/trap")
    yield Row("  CPU of all", sum(spent.values()) / count * 1e6, "µs/trap", limit.each, "its bare receipt")


def watched(delphis: AlertsUp, storage_id: str) -> Iterator[Row]:
    """From the trap to the watch's line, at 100 traps a second."""
    number = 500
    sent: dict[str, float] = {}
    came: dict[str, float] = {}
    request = urllib.request.urlopen(f"{delphis.up.rest}/v1/storages/{storage_id}/alerts:watch", timeout=60)

    def listen() -> None:
        with contextlib.suppress(OSError, ValueError):
            while len(came) < number and (line := request.readline()):
                at = time.monotonic()
                for event in json.loads(line.removeprefix(b"data:")).get("events", []):
                    came.setdefault(event["alert"]["sequence_number"], at)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    sender, began = delphis.sender(HOSTS[0]), time.monotonic()
    for place in range(number):
        time.sleep(max(0.0, began + place / 100 - time.monotonic()))
        sent[f"w{place}"] = time.monotonic()
        sender.send(v2c(f"w{place}", "raise"))
    listener.join(30)
    times = [(came[one] - at) * 1000 for one, at in sent.items() if one in came]
    yield Row("trap to watch at 100/s: lost", number - len(times), "traps", goal="≤ 0")
    yield Row("  p50", percentile(times, 0.5), "ms", goal="< 50")
    yield Row("  p99", percentile(times, 0.99), "ms")


def whole(folder: Path) -> Iterator[Row]:
    """The rows of a whole `up`."""
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(up(folder / "up"))
        delphis = stack.enter_context(contextlib.closing(AlertsUp(running)))
        sink = stack.enter_context(contextlib.closing(Sink()))
        arrays = [delphis.array(host) for host in HOSTS]
        for array in arrays:
            running.wait_synced(array)
        delphis.sender(HOSTS[0]).send(v2c("first", "raise"))
        delphis.wait_numbers(arrays[0], "first")
        yield from watched(delphis, arrays[0])
        receiver = {"name": "sink", "webhook": {"url": sink.url}}
        assert running.ask("POST", "/v1/alert-receivers", receiver).status == 201
        stream = folder / "stream"
        count = write(stream, HOSTS, int(1_000 * SECONDS), "a", v2c)
        yield from streamed(delphis, sink, "v2c at 1,000/s", stream, 1_000, count)
        count = write(stream, HOSTS, BURST, "b", v2c)
        yield from streamed(delphis, sink, "a burst of v2c", stream, BURST // 2, count)
        for array, host in zip(arrays, HOSTS, strict=True):
            delphis.put_config(array, host=host, port=1, version="SNMPv3", engine_id=ENGINE_ID.hex(), **KEYS)
        began = time.time()
        make: Callable[[str, str], bytes] = lambda number, what: v3(number, what, time=int(time.time() - began) + 1)  # noqa: E731
        count = write(stream, HOSTS, int(500 * SECONDS), "c", make)
        yield from streamed(delphis, sink, "v3 authPriv at 500/s", stream, 500, count)


def run(folder: Path) -> Iterator[Row]:
    """The rows."""
    yield from whole(folder)
