"""What a host counts, in Prometheus' text format."""

from __future__ import annotations

import asyncio
import contextlib
from bisect import bisect_left
from collections.abc import Callable, Iterator

BUCKETS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 600.0)

Gauges = Callable[[], dict[str, float]]


class Metrics:
    """Counts calls. Used in the host's event loop only."""

    def __init__(self, driver: str, gauges: Gauges) -> None:
        self._driver = driver
        self._gauges = gauges
        self._calls: dict[tuple[str, str], int] = {}
        self._seconds: dict[str, float] = {}
        self._buckets: dict[str, list[int]] = {}
        self.bytes = 0

    def call(self, method: str, outcome: str, seconds: float) -> None:
        """A call has ended: `OK`, or the reason of its error."""
        self._calls[method, outcome] = self._calls.get((method, outcome), 0) + 1
        self._seconds[method] = self._seconds.get(method, 0.0) + seconds
        buckets = self._buckets.setdefault(method, [0] * (len(BUCKETS) + 1))
        buckets[bisect_left(BUCKETS, seconds)] += 1

    def text(self) -> str:
        """All of it."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        driver = f'driver="{_escaped(self._driver)}"'
        name = "delphis_driver_calls_total"
        yield from (f"# HELP {name} Calls that have ended, by outcome.", f"# TYPE {name} counter")
        for (method, outcome), count in self._calls.items():
            yield f'{name}{{{driver},method="{method}",outcome="{outcome}"}} {count}'
        name = "delphis_driver_call_seconds"
        yield from (f"# HELP {name} Time that calls took, waiting included.", f"# TYPE {name} histogram")
        for method, buckets in self._buckets.items():
            labels, below = f'{driver},method="{method}"', 0
            for bound, count in zip((*map(str, BUCKETS), "+Inf"), buckets, strict=True):
                below += count
                yield f'{name}_bucket{{{labels},le="{bound}"}} {below}'
            yield f"{name}_sum{{{labels}}} {self._seconds[method]:.6f}"
            yield f"{name}_count{{{labels}}} {below}"
        for key, value in self._gauges().items():
            name = f"delphis_driver_{key}"
            yield from (f"# TYPE {name} gauge", f"{name}{{{driver}}} {value:g}")
        name = "delphis_driver_stream_bytes_total"
        yield from (f"# TYPE {name} counter", f"{name}{{{driver}}} {self.bytes}")


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


async def serve(address: str, text: Callable[[], str]) -> asyncio.Server:
    """Answers every HTTP request at `unix:///path` or `tcp://host:port` with the text."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            await asyncio.wait_for(_request(reader), 5)
            body = text().encode()
            head = (
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await asyncio.wait_for(writer.drain(), 5)
        writer.close()

    if address.startswith("unix:"):
        return await asyncio.start_unix_server(answer, address.removeprefix("unix:").removeprefix("//"))
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return await asyncio.start_server(answer, host.strip("[]"), int(port))


async def _request(reader: asyncio.StreamReader) -> None:
    while (await reader.readline()).strip():
        pass
