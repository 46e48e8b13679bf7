"""An HTTP server that does as it is told, well or badly."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """What came."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        """Of a webhook's body."""
        found: list[dict[str, Any]] = json.loads(self.body)["events"]
        return found


Reply = bytes | None
"""What is sent back as it is; None: the connection is cut."""
Behaviour = Callable[[Request], Awaitable[Reply] | Reply]


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(slots=True)
class Web:
    """A server at work."""

    behaviour: Behaviour = lambda request: answer(200)
    seen: list[Request] = field(default_factory=list[Request])
    taken: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Events of those that were answered 200."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    writers: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])
    port: int = 0
    scheme: str = "http"
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://{self.host}:{self.port}/hook"

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A new connection, known from its first moment on."""
        self.writers.add(writer)
        task = asyncio.create_task(self.serve(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def close(self) -> None:
        """Cuts all connections."""
        for _ in range(5):  # those that came just now are accepted a little later
            for task in list(self.tasks):
                task.cancel()
            for writer in self.writers:
                writer.transport.abort()
            await asyncio.sleep(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                first, *lines = head.strip().split("\r\n")
                headers = {name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                method, path = first.split()[:2]
                request = Request(method, path, headers, body)
                self.seen.append(request)
                reply = self.behaviour(request)
                if reply is not None and not isinstance(reply, bytes):
                    reply = await reply
                if reply is None:
                    break
                if reply.startswith(b"HTTP/1.1 200") and b'"events"' in body:
                    self.taken += request.events
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def web(
    behaviour: Behaviour | None = None, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Web]:
    """A server on a free port."""
    site = Web(scheme="https" if tls else "http", host=f"[{host}]" if ":" in host else host)
    if behaviour is not None:
        site.behaviour = behaviour
    server = await asyncio.start_server(site.accept, host, port, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        # A connection that is being accepted while its server is closed would be left open (CPython 3.11).
        for listening in server.sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        await site.close()
        server.close()
