"""HTTP load from a process of its own: keep-alive connections that ask one path again and again.

By wrk where it is installed, since it takes less of the two cores; else by a client in Python, run as `python -m
benchmarks.load HOST PORT PATH CLIENTS SECONDS`, which prints JSON. Answers are read whole and their status is checked;
bodies are not parsed.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, cast

import uvloop

from benchmarks.measure import percentile


@dataclass(frozen=True, slots=True)
class Load:
    """What a load measured."""

    per_second: float
    p50_ms: float
    p99_ms: float


class Client(asyncio.Protocol):
    """One connection. Sends a request, reads its answer by Content-Length, sends the next."""

    def __init__(self, request: bytes, end: float, done: asyncio.Future[None]) -> None:
        self.times: list[float] = []
        self._request = request
        self._end = end
        self._done = done
        self._buffer = b""
        self._expected = -1
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._ask()

    def _ask(self) -> None:
        self._buffer, self._expected = b"", -1
        self._began = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._expected < 0:
            head = self._buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            if not self._buffer.startswith(b"HTTP/1.1 200"):
                self._finish(RuntimeError(self._buffer[:300].decode(errors="replace")))
                return
            at = self._buffer.lower().index(b"content-length:")
            length = int(self._buffer[at + 15 : self._buffer.index(b"\r", at)])
            self._expected = head + 4 + length
        if len(self._buffer) >= self._expected:
            now = time.perf_counter()
            self.times.append(now - self._began)
            if now < self._end:
                self._ask()
            else:
                self._finish(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(exc or RuntimeError("the server closed the connection"))

    def _finish(self, error: Exception | None) -> None:
        if not self._done.done():
            if error is None:
                self._done.set_result(None)
            else:
                self._done.set_exception(error)
            self._transport.close()


async def run(host: str, port: int, path: str, clients: int, seconds: float) -> dict[str, float]:
    """The figures of one load."""
    loop = asyncio.get_running_loop()
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    began = time.perf_counter()
    running = []
    for _ in range(clients):
        done: asyncio.Future[None] = loop.create_future()
        end = began + seconds
        client = Client(request, end, done)
        await loop.create_connection(functools.partial(_same, client), host, port)
        running.append((client, done))
    for _, done in running:
        await done
    elapsed = time.perf_counter() - began
    times = [spent for client, _ in running for spent in client.times]
    return {
        "per_second": len(times) / elapsed,
        "p50_ms": percentile(times, 0.5) * 1e3,
        "p99_ms": percentile(times, 0.99) * 1e3,
    }


def _same(client: Client) -> Client:
    return client


def command(address: str, path: str, clients: int, seconds: float) -> list[str]:
    """The command line of a load."""
    host, _, port = address.rpartition(":")
    return [sys.executable, "-m", "benchmarks.load", host, port, path, str(clients), str(seconds)]


def wrk() -> str | None:
    """Where wrk is."""
    return shutil.which("wrk")


def load(address: str, path: str, clients: int, seconds: float) -> Load:
    """Runs a load in a process of its own and waits for it."""
    tool = wrk()
    if tool is not None:
        return _by_wrk(tool, address, path, clients, seconds)
    out = subprocess.run(command(address, path, clients, seconds), check=True, capture_output=True, text=True).stdout
    figures: dict[str, Any] = json.loads(out)
    return Load(**figures)


def _by_wrk(tool: str, address: str, path: str, clients: int, seconds: float) -> Load:
    arguments = [tool, "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--latency", f"http://{address}{path}"]
    out = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(out)
    rate = re.search(r"Requests/sec: +([0-9.]+)", out)
    times = dict(re.findall(r"^ +(50|99)% +([0-9.]+[a-z]+)$", out, re.MULTILINE))
    assert rate is not None
    return Load(float(rate[1]), _milliseconds(times["50"]), _milliseconds(times["99"]))


def _milliseconds(text: str) -> float:
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[unit]


if __name__ == "__main__":
    _host, _port, _path, _clients, _seconds = sys.argv[1:]
    print(json.dumps(uvloop.run(run(_host, int(_port), _path, int(_clients), float(_seconds)))))
