"""A receiver of Prometheus remote write in a process of its own, which keeps what comes and judges it afterwards.

Run as `python -m benchmarks.remote_write FILE`, it prints its port and appends each body to the file, with its length
before it: while something is measured it costs as little as it can.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cramjam
import numpy as np
import uvloop
from numpy.typing import NDArray

_LENGTH = struct.Struct("<I")
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_LABELS, _SAMPLES = 0x0A, 0x12
_SAMPLE_HEAD = 1 + 8 + 1


class _Connection(asyncio.Protocol):
    """Takes POSTs with a Content-Length, one behind another."""

    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file
        self._received = bytearray()
        self._body = 0
        self._missing = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._missing < 0:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._received[:end]).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._body, self._missing = end + 4, int(length)
        if len(self._received) >= self._body + self._missing:
            self._file.write(_LENGTH.pack(self._missing))
            self._file.write(memoryview(self._received)[self._body : self._body + self._missing])
            self._received, self._missing = bytearray(), -1
            self._transport.write(_ANSWER)


@dataclass(frozen=True, slots=True)
class Receiver:
    """The process."""

    url: str
    pid: int
    file: Path

    def size(self) -> int:
        """Bytes that came so far."""
        return self.file.stat().st_size

    def received(self, metrics: Iterable[str], offset: int = 0) -> NDArray[np.int64]:
        """The samples of some metrics that came after so many bytes: a column with their series, a number that follows
        from its labels, and one with their times in milliseconds."""
        names = tuple(_named(metric.encode()) for metric in metrics)
        found: list[NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
        for body in _bodies(self.file, offset):
            samples = list(_samples(bytes(cramjam.snappy.decompress_raw(body)), names))
            found.append(np.array(samples, dtype=np.int64).reshape(-1, 2))
        return np.concatenate(found)


@contextlib.contextmanager
def receiving(file: Path) -> Iterator[Receiver]:
    """A receiver for a block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.remote_write", str(file)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield Receiver(f"http://127.0.0.1:{port}/api/v1/write", process.pid, file)
    finally:
        process.terminate()
        process.communicate()


def _bodies(file: Path, offset: int) -> Iterator[bytes]:
    with file.open("rb") as bodies:
        bodies.seek(offset)
        while length := bodies.read(_LENGTH.size):
            yield bodies.read(_LENGTH.unpack(length)[0])


def _named(metric: bytes) -> bytes:
    """The first label of a metric's series."""
    label = b"".join((b"\x0a\x08__name__\x12", bytes([len(metric)]), metric))
    return bytes([_LABELS, len(label)]) + label


def _samples(request: bytes, names: tuple[bytes, ...]) -> Iterator[int]:
    """The series and the time of each sample, in turn."""
    at = 0
    while at < len(request):
        assert request[at] == _LABELS  # field 1 of a request: a series
        length, at = _varint(request, at + 1)
        begin, end = at, at + length
        if not request.startswith(names, begin):
            at = end
            continue
        while at < end and request[at] == _LABELS:
            length, at = _varint(request, at + 1)
            at += length
        series = hash(request[begin:at])
        while at < end:
            assert request[at] == _SAMPLES
            _, at = _varint(request, at + 1)
            time, at = _varint(request, at + _SAMPLE_HEAD)
            yield series
            yield time


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number, and what is behind it."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7


async def _serve(file: io.RawIOBase) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(file), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    with Path(sys.argv[1]).open("ab", buffering=0) as kept, contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(kept))
