"""A simulated array that counts who is logged in: a session is a connection, and ends with it or by a logout."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """A session that began or ended."""

    at: float
    array: str
    host: str
    step: int


class CountingArrays(ThreadingHTTPServer):
    """Any number of arrays at one address, told apart by the path `/ARRAY/…`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.changes: list[Change] = []
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self.server_address[1])

    def record(self, array: str, host: str, step: int) -> None:
        """A session began (1) or ended (-1)."""
        with self.lock:
            self.changes.append(Change(time.monotonic(), array, host, step))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A host that is killed breaks its connections."""

    def sessions(self, array: str) -> list[str]:
        """Who is logged in now."""
        with self.lock:
            present: dict[str, int] = {}
            for change in self.changes:
                if change.array == array:
                    present[change.host] = present.get(change.host, 0) + change.step
        return sorted(host for host, count in present.items() if count > 0)

    def only(self, array: str, host: str) -> bool:
        """Whether that host alone is logged in."""
        return self.sessions(array) == [host]

    def overlaps(self) -> list[tuple[str, float, list[str]]]:
        """Times in which two hosts or more were logged in to an array: array, seconds, hosts."""
        found: list[tuple[str, float, list[str]]] = []
        with self.lock:
            changes = list(self.changes)
        for array in {change.array for change in changes}:
            present: dict[str, int] = {}
            since: float | None = None
            both: list[str] = []
            for change in (change for change in changes if change.array == array):
                present[change.host] = present.get(change.host, 0) + change.step
                several = [host for host, count in present.items() if count > 0]
                if len(several) > 1:
                    since, both = since or change.at, several
                elif since is not None:
                    found.append((array, change.at - since, both))
                    since = None
            if since is not None:
                found.append((array, time.monotonic() - since, both))
        return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        assert isinstance(self.server, CountingArrays)
        self._arrays = self.server
        self._session: tuple[str, str] | None = None

    def do_POST(self) -> None:
        """Login: `/ARRAY/login`, the body is the host's name."""
        host = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._session = (self.path.split("/")[1], host)
        self._arrays.record(*self._session, 1)
        self._answer(200)

    def do_GET(self) -> None:
        """Any question: only within a session."""
        self._answer(200 if self._session else 401)

    def do_DELETE(self) -> None:
        """Logout."""
        self._log_out()
        self._answer(200)

    def finish(self) -> None:
        self._log_out()
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def _log_out(self) -> None:
        if self._session is not None:
            self._arrays.record(*self._session, -1)
            self._session = None

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
