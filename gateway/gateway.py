"""The gateway as an ASGI application."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from delphis.tracing import scope as work
from delphis.tracing import spans
from delphis.tracing.scope import Scope
from delphis.tracing.spans import Kind
from gateway import guard, health, raw
from gateway.backend import Backend
from gateway.dialect import DELFIN, Dialect
from gateway.exchange import Disconnected, Exchange, Receive, Send
from gateway.exchange import Scope as Connection
from gateway.faults import Faults
from gateway.openapi.description import Description
from gateway.openapi.served import Served
from gateway.operation import JSON, HttpAnswer, HttpRequest, Operation, Reading
from gateway.routes import Match, RouteTable
from gateway.streaming import Streams, StreamSettings
from services.calls.errors import CallError
from services.calls.invoker import Invoker
from services.calls.pipeline import Ingress

if TYPE_CHECKING:
    from delphis.tracing.exporting import Span, Tracer

log = logging.getLogger(__name__)

_OWN = frozenset({"/", "/v1", "/v1/", health.ALIVE, health.READY})
_HANDLER_HEADERS = "delphis-"
_UUID = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How a gateway behaves."""

    login: bool = True
    """Callers prove themselves by tokens. False: only programs of this machine are let in, see `guard`."""
    max_body_bytes: int = 4 * 1024 * 1024
    body_seconds: float = 30.0
    """Time in which a request's body must come."""
    refresh_seconds: float = 30.0
    """Time between two looks at what the backends serve."""
    streams: StreamSettings = field(default_factory=StreamSettings)


@dataclass(frozen=True, slots=True)
class Target:
    """What a path leads to."""

    operation: Operation
    backend: Backend


class Gateway:
    """Serves over HTTP what its backends serve over gRPC and bind to paths.

    Example:
        gateway = Gateway(GatewaySettings(login=False))
        await gateway.start({"core": LocalInvoker(pipeline, reflection)})
        server = await serve(gateway, "127.0.0.1", 8190)
    """

    def __init__(self, settings: GatewaySettings | None = None) -> None:
        self.settings = settings or GatewaySettings()
        self.backends: list[Backend] = []
        self.streams = Streams(self.settings.streams)
        self._routes: RouteTable[Target] = RouteTable()
        self._faults = Faults()
        self._description = Description(login=self.settings.login)
        self._index = b"{}"

    async def start(self, invokers: Mapping[str, Invoker]) -> None:
        """Imports what the invokers serve. One that is away is tried again in the background.

        Args:
            invokers: By name, for the log. Where two serve the same path, the first one has it.
        """
        self.backends = [
            Backend(name, invoker, refresh=self.settings.refresh_seconds, changed=self._changed)
            for name, invoker in invokers.items()
        ]
        await asyncio.gather(*(backend.start() for backend in self.backends))
        self._changed()

    async def stop(self) -> None:
        """Ends streams and the background work; does not close the invokers' channels."""
        self.streams.end()
        await asyncio.gather(*(backend.stop() for backend in self.backends))

    @property
    def ready(self) -> bool:
        """Whether every backend has been imported."""
        return all(backend.descriptors is not None for backend in self.backends)

    def _changed(self) -> None:
        """Makes the routes anew; requests under way keep the old ones."""
        routes: RouteTable[Target] = RouteTable(
            (operation.binding.http_method, operation.binding.template, Target(operation, backend))
            for backend in self.backends
            for operation in backend.operations
        )
        for method, template, target in routes.refused:
            log.warning(
                "%s %s is bound twice; %s does not get it", method, template.text, target.operation.binding.path
            )
        self._routes = routes
        self._index = self._described()
        self._description.changed(
            [
                Served(backend.descriptors, [operation.binding for operation in backend.operations])
                for backend in self.backends
                if backend.descriptors is not None
            ]
        )

    def _described(self) -> bytes:
        """What `GET /v1` answers: the paths there are."""
        paths: dict[str, set[str]] = {}
        for backend in self.backends:
            for operation in backend.operations:
                binding = operation.binding
                paths.setdefault(binding.template.text, set()).add(binding.http_method)
        listed = [{"path": path, "methods": sorted(methods)} for path, methods in sorted(paths.items())]
        services = sorted(
            {service.full_name for one in self.backends if one.descriptors for service in one.descriptors.services}
        )
        return orjson.dumps({"name": "delphis", "version": "v1", "services": services, "paths": listed})

    def __call__(self, scope: Connection, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """Answers one request; every answer but that of an action without content is JSON.

        To be awaited in a task of the request's own: for the rest of it the log says which request that was.
        """
        if scope["type"] != "http":
            raise RuntimeError(f"only HTTP is served, not {scope['type']}")
        exchange = Exchange(scope, receive, send)
        return self._serve(exchange) if spans.tracer is None else self._serve_in_span(exchange)

    async def _serve_in_span(self, exchange: Exchange) -> None:
        try:
            await self._serve(exchange)
        finally:
            if exchange.span is not None:
                _end(exchange.span, exchange.status)

    async def _serve(self, exchange: Exchange) -> None:
        work.enter(Scope(exchange.request_id, "", "", exchange.trace))
        unread = exchange.has_body
        match: Match[Target] | None = None
        try:
            if not self.settings.login:
                guard.check(exchange.scope["headers"])
            match = self._match(exchange)
            if spans.tracer is not None and match is not None:
                _begin(spans.tracer, exchange, match)
            if match is None:
                answer = await self._without_route(exchange)
            else:
                body = await exchange.body(self.settings.max_body_bytes, self.settings.body_seconds) if unread else b""
                unread = False
                if match.target.operation.streams:
                    return await self._stream(exchange, match, body)
                answer = await self._call(exchange, match, body)
        except CallError as error:
            answer = self._fault(error, match)
        except Disconnected:
            return None
        except asyncio.CancelledError:  # the server ends, and does not wait any longer
            if exchange.started:
                raise
            answer = self._fault(CallError("SERVICE_UNAVAILABLE", "Delphis stops.", retry_after=1.0), match)
        except Exception as error:
            log.error("request %s: %s %s failed", exchange.request_id, exchange.method, exchange.path, exc_info=error)
            if exchange.started:
                return exchange.abort()
            answer = self._fault(_internal(exchange.request_id), match)
        await exchange.answer(answer, close=unread)
        return None

    def _match(self, exchange: Exchange) -> Match[Target] | None:
        method = "GET" if exchange.method == "HEAD" else exchange.method
        found = self._routes.match(method, exchange.path)
        if exchange.path.endswith(".json"):
            # SODA Delfin's paths have a form with this suffix. After a variable it may belong to the value, but not
            # after a UUID.
            path = exchange.path.removesuffix(".json")
            after_id = _UUID.fullmatch(path.rpartition("/")[2]) is not None
            if found is None or after_id:
                without = self._routes.match(method, path)
                if without is not None and (after_id or not without.template.segments[-1].startswith("*")):
                    return without
        return found

    def _read(self, exchange: Exchange, match: Match[Target], body: bytes) -> tuple[Reading, Ingress]:
        """What is to be called, and how."""
        operation = match.target.operation
        reading = operation.reader.read(HttpRequest(match.variables, exchange.query, body, exchange.headers))
        timeout = exchange.timeout()
        return reading, Ingress(
            exchange.token,
            exchange.request_id,
            operation.deadline if timeout is None else timeout,
            exchange.peer,
            trace=exchange.trace,
        )

    async def _stream(self, exchange: Exchange, match: Match[Target], body: bytes) -> None:
        operation, backend = match.target.operation, match.target.backend
        reading, ingress = self._read(exchange, match, body)

        def failure(error: CallError) -> bytes:
            backend.saw(error)
            return backend.faults.answer(error, operation.dialect).body

        try:
            answers = backend.invoker.stream(operation.path, reading.message, ingress)
            if operation.raw:
                return await self.streams.copy(exchange, answers)
            writer = operation.exact_record_writer if exchange.wants_int64_text else operation.record_writer
            write = partial(writer.write, projection=reading.projection)
            await self.streams.serve(exchange, answers, write, failure)
        except CallError as error:
            backend.saw(error)
            raise

    async def _call(self, exchange: Exchange, match: Match[Target], body: bytes) -> HttpAnswer:
        operation, backend = match.target.operation, match.target.backend
        reading, ingress = self._read(exchange, match, body)
        try:
            answer = await backend.invoker.unary(operation.path, reading.message, ingress)
        except CallError as error:
            backend.saw(error)
            raise
        if operation.raw:
            return raw.answer(operation.binding, answer.body)
        writer = operation.exact_writer if exchange.wants_int64_text else operation.writer
        written = writer.write(answer.body, empty_list=reading.empty, projection=reading.projection)
        if answer.headers:
            own = [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in answer.headers.items()
                if name.lower().startswith(_HANDLER_HEADERS) and value.isascii() and value.isprintable()
            ]
            return HttpAnswer(written.status, [*written.headers, *own], written.body)
        return written

    async def _without_route(self, exchange: Exchange) -> HttpAnswer:
        """What is answered where no binding fits."""
        methods = self._routes.methods(exchange.path)
        if exchange.path in _OWN or self._description.has(exchange.path):
            methods = sorted({*methods, "GET"})
            if exchange.method in ("GET", "HEAD"):
                return await self._own(exchange)
        if methods:
            allow: list[str] = sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])})
            header = (b"allow", ", ".join(allow).encode())
            if exchange.method == "OPTIONS":
                return HttpAnswer(204, [header], b"")
            fault = self._fault(
                CallError(
                    "METHOD_NOT_SUPPORTED",
                    f"{exchange.path} can't be called with {exchange.method}, only with {', '.join(methods)}.",
                    metadata={"method": exchange.method, "allowed": ", ".join(methods)},
                ),
                None,
            )
            return HttpAnswer(fault.status, [*fault.headers, header], fault.body)
        for backend in self.backends:
            backend.refresh_soon()
        if not self.ready:
            raise CallError(
                "SERVICE_UNAVAILABLE",
                "A service behind the gateway has not been reached yet, so its paths are not known. Try again.",
                retry_after=1.0,
            )
        raise CallError(
            "NO_SUCH_ACTION",
            f"There is no {exchange.path}. GET /v1 lists the paths.",
            metadata={"path": exchange.path},
        )

    async def _own(self, exchange: Exchange) -> HttpAnswer:
        """What the gateway itself has to say."""
        if exchange.path == health.ALIVE:
            return health.alive()
        if exchange.path == health.READY:
            return await health.ready(self.backends, exchange.request_id)
        if self._description.has(exchange.path):
            return await self._description.answer(exchange.path)
        return HttpAnswer(200, [JSON], self._index)

    def _fault(self, error: CallError, match: Match[Target] | None) -> HttpAnswer:
        faults: Faults = self._faults
        dialect: Dialect = DELFIN
        if match is not None:
            faults, dialect = match.target.backend.faults, match.target.operation.dialect
        return faults.answer(error, dialect)


def _begin(tracer: Tracer, exchange: Exchange, match: Match[Target]) -> None:
    """From here on what is done is a part of the request's span."""
    method, route = exchange.method, match.template.text
    about = {"http.request.method": method, "http.route": route, spans.REQUEST_ID: exchange.request_id}
    exchange.span = tracer.begin(f"{method} {route}", exchange.trace, Kind.SERVER, about)
    exchange.trace = exchange.span.trace
    work.enter(Scope(exchange.request_id, "", "", exchange.trace))


def _end(span: Span, status: int) -> None:
    span.set("http.response.status_code", status)
    if status >= 500:
        span.spoil(str(status))
    span.end()


def _internal(request_id: str) -> CallError:
    return CallError(
        "INTERNAL",
        f"A fault of Delphis; the log has it under request {request_id}.",
        metadata={"request_id": request_id},
    )
