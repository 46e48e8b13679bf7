"""An array's HTTP API that does what a test tells it, on a real socket."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from delphis.sdk import RestAccess, Tls
from tests.sdk_http.certificates import Certificate

HANG_LIMIT = 30.0


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Says:
    """An answer.

    Attributes:
        raw: Written instead of all else, after which the connection is closed.
        trickle: Seconds between the bytes of the body.
    """

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    raw: bytes | None = None
    trickle: float = 0.0


Handler = Callable[[Asked], Says]


class ScriptedServer:
    """The server. `asked` holds all requests, in order."""

    def __init__(self, handler: Handler, certificate: Certificate | None = None) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._handler = handler
        self._certificate = certificate
        self._server = _Server(("127.0.0.1", 0), self._make_handler())
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certificate_file, certificate.key_file)
            self._server.tls = context
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def access(self, **changes: Any) -> RestAccess:
        """Access info for it: with its certificate pinned, or without TLS where it has none."""
        tls = Tls(plaintext=True)
        if self._certificate is not None:
            tls = Tls(pinned_certificate_sha256=self._certificate.sha256)
        values: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "username": "monitor", "tls": tls}
        return RestAccess(**{**values, **changes})

    def close(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Connection(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                owner.connections += 1
                super().setup()

            def log_message(self, format: str, *args: Any) -> None:
                return

            def answer(self) -> None:
                url = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                asked = Asked(self.command, url.path, dict(parse_qsl(url.query)), dict(self.headers), body)
                owner.asked.append(asked)
                says = owner._handler(asked)
                if says.raw is not None:
                    self.wfile.write(says.raw)
                    self.close_connection = True
                    return
                content = says.body if isinstance(says.body, bytes) else json.dumps(says.body).encode()
                self.send_response(says.status)
                for name, value in {"Content-Type": "application/json", **says.headers}.items():
                    self.send_header(name, value)
                if "Transfer-Encoding" not in says.headers:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if not says.trickle:
                    self.wfile.write(content)
                    return
                for byte in content:
                    self.wfile.write(bytes([byte]))
                    if owner.stopping.wait(says.trickle):
                        return

        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            setattr(Connection, f"do_{method}", Connection.answer)
        return Connection


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the connection's own thread: a slow handshake holds nobody up. Clients that turn away are expected.
        with contextlib.suppress(OSError):
            if self.tls is not None:
                request.settimeout(HANG_LIMIT)
                request = self.tls.wrap_socket(request, server_side=True)
            try:
                super().finish_request(request, client_address)
            finally:
                if self.tls is not None:
                    request.close()


@contextlib.contextmanager
def serving(handler: Handler, certificate: Certificate | None = None) -> Generator[ScriptedServer, None, None]:
    """A server for the time of a `with`."""
    server = ScriptedServer(handler, certificate)
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def listening(backlog: int = 16) -> Generator[socket.socket, None, None]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        yield listener


def closed_port() -> int:
    """A port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
