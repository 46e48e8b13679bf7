"""How a driver's host hands exchanges to the process that records: lines of JSON over a unix socket."""

from __future__ import annotations

import base64
import dataclasses
import json
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from delphis.sdk.recording.hook import Exchange, HttpExchange, SnmpVariable, SshExec, SshShell

LOGGER = logging.getLogger("delphis.sdk.recording")
_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (HttpExchange, SshExec, SshShell, SnmpVariable)}


def encode(exchange: Exchange) -> bytes:
    """The exchange as one line; bytes are in base64."""
    fields = {field.name: getattr(exchange, field.name) for field in dataclasses.fields(exchange)}
    for name, value in fields.items():
        if isinstance(value, bytes):
            fields[name] = {"base64": base64.b64encode(value).decode()}
    return json.dumps({"kind": type(exchange).__name__, **fields}).encode() + b"\n"


def decode(line: bytes) -> Exchange:
    """The exchange of a line."""
    fields: dict[str, Any] = json.loads(line)
    kind = _KINDS[fields.pop("kind")]
    for name, value in fields.items():
        if isinstance(value, dict):
            fields[name] = base64.b64decode(value["base64"])
        elif name.endswith("headers"):
            fields[name] = [(str(key), str(text)) for key, text in value]
    exchange: Exchange = kind(**fields)
    return exchange


class WireRecorder:
    """Sends exchanges to the socket that the environment names."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._lose(error)

    def record(self, exchange: Exchange, /) -> None:
        """Sends it; says once in the log when nobody listens any more."""
        with self._lock:
            if self._socket is not None:
                try:
                    self._socket.sendall(encode(exchange))
                except OSError as error:
                    self._lose(error)

    def _lose(self, error: OSError) -> None:
        LOGGER.error("Recording ended, the recorder can't be reached: %s", error.strerror or error)
        if self._socket is not None:
            self._socket.close()
        self._socket = None


class RecorderSocket:
    """The other end: takes the exchanges of all hosts that connect, in the order in which they come."""

    def __init__(self, path: Path, take: Callable[[Exchange], None]) -> None:
        """
        Args:
            path: Of the socket, in a folder that nobody else may enter: secrets go through it.
            take: Called with each exchange, one at a time.
        """
        self._take = take
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, name="recorder", daemon=True)
        self._acceptor.start()

    def close(self, timeout: float = 10.0) -> None:
        """Waits until the hosts' ends are closed and all is taken; no longer than `timeout` seconds each."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(timeout)
        for thread in self._threads:
            thread.join(timeout)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._read, args=(connection,), name="recorder", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _read(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):  # else the host died while it wrote
                    with self._lock:
                        self._take(decode(line))
