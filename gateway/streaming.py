"""Methods that answer a stream, over HTTP: JSON records, one a line, or server-sent events, until one of us leaves."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from google.api import httpbody_pb2

from gateway import raw
from gateway.exchange import Exchange
from gateway.operation import Headers
from gateway.records import Record
from services.calls.errors import CallError

log = logging.getLogger(__name__)

_FIRST_SECONDS = 1.0
_RETRY_MILLISECONDS = 2000
_LAST_SECONDS = 0.2
"""Time for the last record of a stream that the server's stop ends."""
_ID = re.compile(r"[!-~]+")


class _Complete(Exception):
    """The call ended as it should."""


class _Ended(Exception):
    """Nobody reads any longer."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How streams behave."""

    heartbeat_seconds: float = 20.0
    """Silence after which the reader hears a heartbeat, so that neither he nor a proxy takes us for dead."""
    stalled_seconds: float = 60.0
    """Time in which a reader must take what is written; after it he is cut off."""


class Lines:
    """JSON records, one a line. An empty line is a heartbeat."""

    content_type = b"application/x-ndjson"
    opening = b""
    heartbeat = b"\n"

    def record(self, record: Record) -> bytes:
        """A record."""
        return record.body + b"\n"

    def failure(self, body: bytes) -> bytes:
        """The last record of a stream that failed; `body` is what a failed call answers."""
        return b'{"error":' + body + b"}\n"


class Events:
    """Server-sent events. A comment is a heartbeat; so is a record without items, which only moves the position."""

    content_type = b"text/event-stream"
    opening = b"retry: %d\n\n" % _RETRY_MILLISECONDS
    heartbeat = b": heartbeat\n\n"

    def record(self, record: Record) -> bytes:
        """A record."""
        place = b"id: %b\n" % record.position.encode() if _ID.fullmatch(record.position) else b""
        if record.quiet:
            return b": heartbeat\n%b\n" % place
        return b"%bdata: %b\n\n" % (place, record.body)

    def failure(self, body: bytes) -> bytes:
        """The last event of a stream that failed. It is not called `error`: browsers mean something else by that."""
        return b"event: failed\ndata: %b\n\n" % body


Framing = Lines | Events
_LINES, _EVENTS = Lines(), Events()


def framing(accept: bytes | None) -> Framing:
    """How the reader wants the stream: events where he prefers them, else lines."""
    if accept is None or b"text/event-stream" not in accept.lower():
        return _LINES
    weights = {b"text/event-stream": 0.0, b"application/x-ndjson": 0.0}
    for part in accept.lower().split(b","):
        kind, *parameters = [piece.strip() for piece in part.split(b";")]
        if kind in weights:
            weights[kind] = 1.0
            for parameter in parameters:
                if parameter.startswith(b"q="):
                    with suppress(ValueError):
                        weights[kind] = float(parameter[2:])
    return _EVENTS if weights[b"text/event-stream"] > weights[b"application/x-ndjson"] else _LINES


class Streams:
    """All streams of a gateway."""

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._ends: set[asyncio.Future[None]] = set()

    def end(self) -> None:
        """Ends all streams at once: the server stops."""
        for end in self._ends:
            if not end.done():
                end.set_result(None)

    async def serve(
        self,
        exchange: Exchange,
        answers: AsyncIterator[bytes],
        write: Callable[[bytes], Record],
        failure: Callable[[CallError], bytes],
    ) -> None:
        """Answers a request with a stream, to its end.

        Args:
            exchange: The request.
            answers: The messages of the call.
            write: Makes a record of a message.
            failure: The body of a failed call.

        Raises:
            CallError: The call failed before anything was answered.
        """
        async with self._stream(exchange, answers) as stream:
            await stream.run(write, failure, framing(exchange.headers.get(b"accept")))

    async def copy(self, exchange: Exchange, answers: AsyncIterator[bytes]) -> None:
        """Answers a request with the bytes of a stream of `google.api.HttpBody`.

        Raises:
            CallError: The call failed before anything was answered. Later the connection is cut: there is no other way
                to say that the answer is not complete.
        """
        async with self._stream(exchange, answers) as stream:
            await stream.copy()

    @asynccontextmanager
    async def _stream(self, exchange: Exchange, answers: AsyncIterator[bytes]) -> AsyncIterator[_Stream]:
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ends.add(end)
        gone = asyncio.ensure_future(exchange.gone())
        stream = _Stream(exchange, answers, self._settings, (gone, end))
        try:
            yield stream
        finally:
            self._ends.discard(end)
            gone.cancel()
            await stream.close()


class _Stream:
    """One of them."""

    def __init__(
        self,
        exchange: Exchange,
        answers: AsyncIterator[bytes],
        settings: StreamSettings,
        ends: tuple[asyncio.Future[None], asyncio.Future[None]],
    ) -> None:
        self._exchange = exchange
        self._answers = answers
        self._settings = settings
        self._gone, self._end = ends
        self._pull: asyncio.Task[bytes | None] | None = None
        self._sending: asyncio.Timeout | None = None
        self._end.add_done_callback(self._hurry)

    async def run(self, write: Callable[[bytes], Record], failure: Callable[[CallError], bytes], form: Framing) -> None:
        """Until the call or the reader ends it, or the server stops."""
        # What fails at once is an ordinary failed request, with its status.
        with suppress(_Ended):
            data, complete = None, False
            try:
                data = await self._next(_FIRST_SECONDS)
            except _Complete:
                complete = True
            await self._start(form)
            if not complete and self._exchange.method != "HEAD":
                with suppress(_Complete):
                    await self._tell(data, write, failure, form)
            await self._exchange.end_stream()

    async def _tell(
        self,
        data: bytes | None,
        write: Callable[[bytes], Record],
        failure: Callable[[CallError], bytes],
        form: Framing,
    ) -> None:
        try:
            if form.opening:
                await self._send(form.opening)
            if data is not None:
                await self._send(form.record(write(data)))
            while True:
                data = await self._next(self._settings.heartbeat_seconds)
                await self._send(form.heartbeat if data is None else form.record(write(data)))
        except CallError as error:
            await self._send(form.failure(failure(error)))

    async def _start(self, form: Framing) -> None:
        headers: Headers = [(b"content-type", form.content_type), (b"x-accel-buffering", b"no")]
        await self._exchange.start_stream(headers)

    async def _next(self, seconds: float | None) -> bytes | None:
        """The next message; None where none comes in time."""
        if self._pull is None:
            self._pull = asyncio.ensure_future(_anext(self._answers))
        await asyncio.wait((self._pull, self._gone, self._end), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if self._gone.done():
            raise _Ended
        if self._end.done():
            raise _stops()
        if not self._pull.done():
            return None
        pull, self._pull = self._pull, None
        data = pull.result()
        if data is None:
            raise _Complete
        return data

    async def _send(self, data: bytes) -> None:
        """Waits for the reader to take it: only then the next message is asked for."""
        stalled = _LAST_SECONDS if self._end.done() else self._settings.stalled_seconds
        try:
            async with asyncio.timeout(stalled) as self._sending:
                await self._exchange.send_part(data)
        except TimeoutError:
            log.info("request %s: cut off a reader who took nothing for %g s", self._exchange.request_id, stalled)
            self._exchange.abort()
            await asyncio.wait((self._gone,), timeout=_LAST_SECONDS)
            raise _Ended from None
        if self._gone.done():
            raise _Ended

    async def copy(self) -> None:
        """Passes the bytes on, until the call or the reader ends it, or the server stops."""
        with suppress(_Ended):
            body = await self._part()
            await self._exchange.start_stream(raw.headers(body) if body is not None else [])
            if self._exchange.method != "HEAD":
                try:
                    while body is not None:
                        if body.data:
                            await self._send(body.data)
                        body = await self._part()
                except CallError as error:
                    log.warning("request %s: its answer is cut off: %s", self._exchange.request_id, error.message)
                    self._exchange.abort()
                    return
            await self._exchange.end_stream()

    async def _part(self) -> httpbody_pb2.HttpBody | None:
        """The next message, whenever it comes; None at the end."""
        try:
            while (data := await self._next(None)) is None:
                pass
        except _Complete:
            return None
        return raw.read(data)

    def _hurry(self, _: object) -> None:
        """The server stops: a reader who takes nothing is not waited for."""
        sending = self._sending
        if sending is not None and sending.when() is not None and not sending.expired():
            with suppress(RuntimeError):  # nothing is being sent
                sending.reschedule(asyncio.get_running_loop().time() + _LAST_SECONDS)

    async def close(self) -> None:
        """Ends the call."""
        if self._pull is not None:
            self._pull.cancel()
            with suppress(asyncio.CancelledError, CallError):
                await self._pull
        close = getattr(self._answers, "aclose", None)
        if close is not None:
            await close()


async def _anext(answers: AsyncIterator[bytes]) -> bytes | None:
    """None at the end: a task does not raise StopAsyncIteration."""
    return await anext(answers, None)


def _stops() -> CallError:
    return CallError("SERVICE_UNAVAILABLE", "Delphis stops; resume the stream.", retry_after=1.0)
