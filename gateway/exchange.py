"""One HTTP exchange as ASGI has it: what its headers say, its body, its answer."""

from __future__ import annotations

import asyncio
import math
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from delphis.tracing.scope import TraceContext, trace_of
from gateway import representation
from gateway.operation import Headers, HttpAnswer
from services.calls.errors import CallError, invalid

if TYPE_CHECKING:
    from delphis.tracing.exporting import Span

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,64}")
_GRPC_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_MAX_TIMEOUT = 86_400.0
_DRAIN_SECONDS = 5.0
_READS = frozenset({"GET", "HEAD"})
_NO_SNIFF = (b"x-content-type-options", b"nosniff")
_NO_STORE: Headers = [(b"cache-control", b"no-store"), _NO_SNIFF]
_REVALIDATE: Headers = [(b"cache-control", b"private, no-cache"), _NO_SNIFF]
_VARY = (b"vary", b"accept, accept-encoding")
_THEIR_ID = b"x-compute-request-id"  # SODA Delfin's name of it
_NOTHING = {"type": "http.response.body", "body": b"", "more_body": True}


class Disconnected(Exception):
    """The client went away before its request was complete."""


def new_request_id() -> str:
    """`req-` and a random UUID; uuid.uuid4 takes three times as long, at each request."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"req-{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


class Exchange:
    """A request as it comes in, and the way for its answer."""

    __slots__ = (
        "_receive",
        "_send",
        "headers",
        "method",
        "path",
        "query",
        "request_id",
        "scope",
        "span",
        "started",
        "status",
        "trace",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        self.path: str = scope["raw_path"].decode("ascii", "replace")
        self.query: bytes = scope["query_string"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.started = False
        """Whether an answer has begun."""
        self.status = 0
        """What it has begun with."""
        self.span: Span | None = None
        """Where traces are wanted."""
        parent = self.headers.get(b"traceparent")
        self.trace: TraceContext | None = None if parent is None else _trace(parent, self.headers.get(b"tracestate"))
        """Of which trace the request is a part, if it is of any."""
        given = self.headers.get(b"x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            self.request_id = given.decode("ascii")
        else:
            self.request_id = new_request_id()

    @property
    def token(self) -> str | None:
        """The bearer token; empty where another scheme is used, which nobody knows."""
        value = self.headers.get(b"authorization")
        if value is None:
            return None
        scheme, _, secret = value.decode("latin-1").partition(" ")
        return secret.strip() if scheme.lower() == "bearer" else ""

    @property
    def peer(self) -> str:
        """Where the request came from, as gRPC writes it."""
        client = self.scope.get("client")
        if not client:
            return "unix:"
        host, port = client
        return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"

    @property
    def wants_int64_text(self) -> bool:
        """Whether 64-bit integers are to be strings: `Accept: application/json;int64=string`."""
        accept = self.headers.get(b"accept")
        return accept is not None and b"int64" in accept and b"int64=string" in accept.replace(b" ", b"").lower()

    def timeout(self) -> float | None:
        """Seconds that the caller gives, in `Grpc-Timeout` or `Request-Timeout`; INVALID_INPUT if it is no time."""
        text = self.headers.get(b"grpc-timeout")
        if text is not None:
            match = _GRPC_TIMEOUT.fullmatch(text.strip())
            if match is None:
                raise invalid("Grpc-Timeout", "It must be up to 8 digits and one of H, M, S, m, u, n, like 500m.")
            return min(int(match[1]) * _UNITS[match[2]], _MAX_TIMEOUT)
        name = "Request-Timeout"
        text = self.headers.get(b"request-timeout")
        if text is None:
            name = "X-Request-Timeout"
            text = self.headers.get(b"x-request-timeout")
            if text is None:
                return None
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds < math.inf:
            raise invalid(name, "It must be a positive number of seconds, like 2.5.")
        return min(seconds, _MAX_TIMEOUT)

    @property
    def has_body(self) -> bool:
        """Whether a body may come."""
        length = self.headers.get(b"content-length")
        return (length is not None and length != b"0") or b"transfer-encoding" in self.headers

    async def body(self, limit: int, seconds: float) -> bytes:
        """The whole body. REQUEST_TOO_LARGE where it is larger than the limit, however it comes."""
        length = self.headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > limit:
            raise too_large(limit)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(seconds):
                more = True
                while more:
                    event = await self._receive()
                    if event["type"] == "http.disconnect":
                        raise Disconnected
                    part: bytes = event.get("body", b"")
                    size += len(part)
                    if size > limit:
                        raise too_large(limit)
                    parts.append(part)
                    more = event.get("more_body", False)
        except TimeoutError:
            raise CallError(
                "BAD_REQUEST",
                f"The body did not come within {seconds:g} seconds.",
                metadata={"seconds": f"{seconds:g}"},
            ) from None
        return b"".join(parts)

    async def answer(self, answer: HttpAnswer, *, close: bool = False) -> None:
        """Sends the answer. `close`: the request was not read to its end; what still comes is thrown away."""
        status, headers, body = answer
        request_id = self.request_id.encode()
        if status == 200 and self.method in _READS:
            tag = representation.tag(body)
            headers = [*headers, *_REVALIDATE, (b"etag", tag), (b"x-request-id", request_id), (_THEIR_ID, request_id)]
            known = self.headers.get(b"if-none-match")
            if known is not None and representation.knows(known, tag):
                status, body = 304, b""
        else:
            headers = [*headers, *_NO_STORE, (b"x-request-id", request_id), (_THEIR_ID, request_id)]
        if len(body) >= representation.GZIP_FROM:
            headers.append(_VARY)
            accepted = self.headers.get(b"accept-encoding")
            if accepted is not None and representation.takes_gzip(accepted):
                body = await representation.gzipped(body)
                headers.append((b"content-encoding", b"gzip"))
        if status != 204 and status != 304:  # which have no length
            headers.append((b"content-length", b"%d" % len(body)))
        if close:
            headers.append((b"connection", b"close"))
        self.started, self.status = True, status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        if close:
            # A client that is still sending would miss the answer if the connection broke under it.
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
            await self._drain()
            await self._send({"type": "http.response.body", "body": b""})
        else:
            await self._send({"type": "http.response.body", "body": body})

    async def start_stream(self, headers: Headers) -> None:
        """Begins an answer whose end nobody knows yet."""
        self.started, self.status = True, 200
        request_id = self.request_id.encode()
        headers = [*headers, *_NO_STORE, (b"x-request-id", request_id), (_THEIR_ID, request_id)]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def send_part(self, data: bytes) -> None:
        """Sends a part of it; returns when there is room for the next one."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        await self._send(_NOTHING)  # the server waits before it writes: so this waits until the part is on its way

    async def end_stream(self) -> None:
        """Ends it in good order."""
        await self._send({"type": "http.response.body", "body": b""})

    async def gone(self) -> None:
        """Returns when the client has left, or the answer is complete."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def abort(self) -> None:
        """Cuts the connection, whatever is still to be sent."""
        abort = self.scope.get("delphis.abort")
        if abort is not None:
            abort()

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while (event := await self._receive())["type"] != "http.disconnect" and event.get("more_body"):
                    pass
        except TimeoutError:
            return


def _trace(parent: bytes, state: bytes | None) -> TraceContext | None:
    return trace_of(parent.decode("latin-1"), (state or b"").decode("latin-1"))


def too_large(limit: int) -> CallError:
    """REQUEST_TOO_LARGE."""
    return CallError(
        "REQUEST_TOO_LARGE",
        f"The body is larger than the {limit} bytes that are taken.",
        metadata={"max_bytes": str(limit)},
    )
