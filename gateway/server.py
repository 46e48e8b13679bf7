"""Listening: the HTTP server around the gateway, in a running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.faults import Faults
from gateway.gateway import Gateway
from services.calls.errors import CallError

MAX_HEADER_BYTES = 64 * 1024
_KEEP_ALIVE_SECONDS = 75


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: a certificate with its chain, and its key."""

    certificate: str
    key: str


class HttpServer:
    """A listening server."""

    def __init__(self, app: Gateway, server: _Server, listening: socket.socket, task: asyncio.Task[None]) -> None:
        self._app = app
        self._server = server
        self._task = task
        name: Any = listening.getsockname()
        self.host: str = name[0]
        self.port: int = name[1]
        """The real one, where any was asked for."""

    async def stop(self, grace: float = 5.0) -> None:
        """Stops listening, ends streams, lets requests under way end, for `grace` seconds at most, and returns."""
        self._app.streams.end()
        # uvicorn declares whole seconds, and hands them to asyncio, which takes any.
        self._server.config.timeout_graceful_shutdown = grace  # type: ignore[assignment]
        self._server.should_exit = True
        await self._task

    async def wait(self) -> None:
        """Returns when the server has ended; raises what ended it."""
        await asyncio.shield(self._task)


async def serve(app: Gateway, host: str, port: int, *, tls: TlsFiles | None = None) -> HttpServer:
    """Listens and serves the application in the running loop.

    Args:
        app: A started gateway.
        host: A numeric address or a name; an IPv6 address without brackets.
        port: 0 for any free one; `HttpServer.port` says which.
        tls: Serve HTTPS.

    Raises:
        OSError: The address can't be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=1024)
    listening.setblocking(False)
    config = uvicorn.Config(
        app,
        interface="asgi3",
        http=GatewayProtocol,
        ws="none",
        loop="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
        backlog=1024,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]), name="http server")
    http = HttpServer(app, server, listening, task)
    ready = asyncio.create_task(server.accepting.wait())
    await asyncio.wait((task, ready), return_when=asyncio.FIRST_COMPLETED)
    if not ready.done():
        ready.cancel()
        await task  # raises why it ended
    return http


class _Server(uvicorn.Server):
    """uvicorn's server, for a loop and signals that belong to somebody else."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class GatewayProtocol(HttpToolsProtocol):
    """uvicorn's protocol, whose own refusals are ours: bounded headers, and JSON for what is no HTTP."""

    _header_bytes = 0

    def on_message_begin(self) -> None:
        self._header_bytes = 0
        super().on_message_begin()
        self.scope["delphis.abort"] = self.transport.abort  # type: ignore[typeddict-unknown-key]

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            raise ValueError("headers too large")  # the parser ends, and `send_400_response` is called

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing to warn of: the request is answered as if it had not asked for another protocol."""

    def send_400_response(self, msg: str) -> None:
        large = self._header_bytes > MAX_HEADER_BYTES
        text = (
            f"The request's head is larger than {MAX_HEADER_BYTES} bytes." if large else "The request is no HTTP/1.1."
        )
        body = Faults().answer(CallError("BAD_REQUEST", text)).body
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[400] + head + body)
        self.transport.close()
