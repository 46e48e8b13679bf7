"""What every call passes: authentication, authorisation, deadline, limits, audit, metrics, errors."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, unquote

import grpc

from delphis.tracing import spans
from delphis.tracing.scope import TraceContext
from delphis.tracing.spans import Kind
from delphis.type.v1 import options_pb2
from services.calls import traced
from services.calls.errors import CallError
from services.calls.method import Call, Caller, Method, MethodTable

if TYPE_CHECKING:
    from delphis.tracing.exporting import Span, Tracer

log = logging.getLogger(__name__)

RESOURCE_HEADER = "delphis-resource-id"
"""Tells who relayed a call what it was about, for the audit log; as `told_resource` writes it."""
_MOST_TOLD = 300
MAX_REQUEST_BYTES = 4 * 1024 * 1024
MAX_IN_FLIGHT = 2000
MAX_WATCHES = 1000
"""Counted apart from calls that end: readers that stay must not keep others out."""


@dataclass(frozen=True, slots=True)
class Ingress:
    """What a way in knows about a call."""

    token: str | None
    """The bearer token, if one was sent."""
    request_id: str
    timeout: float | None
    """Seconds that the caller gives; None: the method's default."""
    peer: str
    on_behalf: Caller | None = None
    """Whom the bearer says it calls for; see `Pipeline`."""
    trace: TraceContext | None = None
    """Of which trace the call is a part, if it is of any."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a unary call answers."""

    body: bytes
    headers: dict[str, str]


class Authenticator(Protocol):
    """Knows who bears a token."""

    def authenticate(self, token: str | None) -> Caller:
        """The caller, or CallError UNAUTHENTICATED. Called for every call: it must not wait."""
        ...


class Auditor(Protocol):
    """Keeps who did what."""

    def record(self, call: Call, code: grpc.StatusCode, reason: str) -> None:
        """Takes one ended or refused call that may change something. It must not wait."""
        ...


class AnonymousAdmin:
    """Authentication off: everybody may everything. For loopback only; `services.app` sees to that."""

    _caller = Caller("anonymous", frozenset({options_pb2.SCOPE_SERVICE}))

    def authenticate(self, token: str | None) -> Caller:
        return self._caller


@dataclass(slots=True)
class MethodCount:
    """How often a method ended with a code, and how long that took in all, in seconds."""

    calls: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class CallMetrics:
    """Counts of the pipeline."""

    ended: dict[tuple[str, str], MethodCount] = field(default_factory=dict)
    in_flight: int = 0
    """Calls that run, without watches."""
    watches: int = 0

    def end(self, path: str, code: str, seconds: float) -> None:
        """Counts one ended call."""
        count = self.ended.get((path, code))
        if count is None:
            count = self.ended[path, code] = MethodCount()
        count.calls += 1
        count.seconds += seconds


class Pipeline:
    """Takes calls as bytes, from gRPC and from the gateway in the same process, and answers bytes or CallError.

    With `relayed`, who has the scope `service` may name another caller, in whose place the call is then authorised: a
    core does so that relays a user's call, which it authorised and audits itself.
    """

    def __init__(
        self,
        methods: MethodTable,
        authenticator: Authenticator,
        auditor: Auditor | None = None,
        *,
        relayed: bool = False,
    ) -> None:
        self.methods = methods
        self._relayed = relayed
        self.metrics = CallMetrics()
        self._authenticator = authenticator
        self._auditor = auditor
        self._watching: set[asyncio.Timeout] = set()
        self._calls: set[asyncio.Timeout] = set()
        self._stopping = False
        self._quiet = asyncio.Event()

    async def stop(self, grace: float) -> None:
        """Answers no further call, and ends those that run, with SERVICE_UNAVAILABLE: the process is about to stop.

        Watches end at once, other calls have `grace` seconds to end by themselves. Returns when they have.
        """
        self._stopping = True
        _expire(self._watching)
        if not self.metrics.in_flight:
            return
        try:
            async with asyncio.timeout(grace):
                await self._quiet.wait()
        except TimeoutError:
            log.warning("%d calls are ended by the stop", self.metrics.in_flight)
            _expire(self._calls)

    def unary(self, path: str, body: bytes, ingress: Ingress) -> Coroutine[Any, Any, Answer]:
        """Calls a unary method."""
        if spans.tracer is None:
            return self._unary(path, body, ingress)
        return traced.unary(self._span(spans.tracer, path, ingress), self._unary(path, body, ingress))

    def stream(self, path: str, body: bytes, ingress: Ingress) -> AsyncGenerator[bytes, None]:
        """Calls a method that answers a stream."""
        if spans.tracer is None:
            return self._stream(path, body, ingress)
        return traced.stream(self._span(spans.tracer, path, ingress), self._stream(path, body, ingress))

    def _span(self, tracer: Tracer, path: str, ingress: Ingress) -> Span | None:
        """What runs for a call. No trace begins with a watch, which may last for days, or with what probes ask."""
        method, trace = self.methods.find(path), ingress.trace
        if trace is None and (method.watch or method.scope == options_pb2.SCOPE_PUBLIC):
            return None
        kind = Kind.SERVER if trace is None or trace.span is None else Kind.INTERNAL
        return tracer.begin(path[1:], trace, kind, {spans.REQUEST_ID: ingress.request_id})

    async def _unary(self, path: str, body: bytes, ingress: Ingress) -> Answer:
        method = self.methods.find(path)
        if method.unary is None:
            raise CallError("BAD_REQUEST", f"{path} answers a stream.", metadata={"method": path})
        call, began = self._begin(method, body, ingress)
        code, reason = grpc.StatusCode.OK, ""
        timeout = asyncio.timeout_at(call.deadline)
        self._calls.add(timeout)
        try:
            async with timeout:
                answer = await method.unary(body, call)
                if self._relayed and call.resource_id:
                    call.headers[RESOURCE_HEADER] = told_resource(call.resource_id)
                return Answer(answer, call.headers)
        except BaseException as error:
            failure = self._failure(error, call, expired=timeout.expired())
            code, reason = failure.code, failure.reason
            if isinstance(error, asyncio.CancelledError | GeneratorExit):
                raise
            if self._relayed:
                failure.about = call.resource_id
            raise failure from error
        finally:
            self._calls.discard(timeout)
            self._end(call, began, code, reason)

    async def _stream(self, path: str, body: bytes, ingress: Ingress) -> AsyncGenerator[bytes, None]:
        method = self.methods.find(path)
        if method.stream is None:
            raise CallError("BAD_REQUEST", f"{path} answers one message.", metadata={"method": path})
        call, began = self._begin(method, body, ingress)
        code, reason = grpc.StatusCode.OK, ""
        answers = method.stream(body, call)
        timeout = asyncio.timeout_at(call.deadline)
        waiting = self._watching if method.watch else self._calls
        try:
            while True:
                # The timeout spans only our own waiting: it must not be entered while the consumer holds us at yield.
                if method.watch and self._stopping:
                    raise _stops()
                async with asyncio.timeout_at(call.deadline) as timeout:
                    waiting.add(timeout)
                    try:
                        answer = await anext(answers)
                    except StopAsyncIteration:
                        return
                    finally:
                        waiting.discard(timeout)
                yield answer
        except BaseException as error:
            failure = self._failure(error, call, expired=timeout.expired())
            code, reason = failure.code, failure.reason
            if isinstance(error, asyncio.CancelledError | GeneratorExit):
                raise
            raise failure from error
        finally:
            try:
                close = getattr(answers, "aclose", None)
                if close is not None:
                    await close()
            finally:
                self._end(call, began, code, reason)

    def _begin(self, method: Method, body: bytes, ingress: Ingress) -> tuple[Call, float]:
        loop = asyncio.get_running_loop()
        now = loop.time()
        seconds = method.default_deadline if ingress.timeout is None else ingress.timeout
        call = Call(method, _NOBODY, ingress.request_id, now + seconds, ingress.peer)
        try:
            if self._stopping:
                raise _stops()
            if method.watch and self.metrics.watches >= MAX_WATCHES:
                raise CallError(
                    "TOO_MANY_REQUESTS", f"{MAX_WATCHES} watches run already; try again later.", retry_after=30.0
                )
            if self.metrics.in_flight >= MAX_IN_FLIGHT:
                raise CallError(
                    "TOO_MANY_REQUESTS", f"{MAX_IN_FLIGHT} calls run already; try again in a second.", retry_after=1.0
                )
            if len(body) > MAX_REQUEST_BYTES:
                raise CallError(
                    "REQUEST_TOO_LARGE",
                    f"The request has {len(body)} bytes; at most {MAX_REQUEST_BYTES} are taken.",
                    metadata={"max_bytes": str(MAX_REQUEST_BYTES)},
                )
            if method.scope != options_pb2.SCOPE_PUBLIC or ingress.token is not None:
                call.caller = self._authenticator.authenticate(ingress.token)
                if self._relayed and ingress.on_behalf is not None and call.caller.may(options_pb2.SCOPE_SERVICE):
                    call.caller = ingress.on_behalf
            if not call.caller.may(method.scope):
                scope = options_pb2.Scope.DESCRIPTOR.values_by_number[method.scope].name.removeprefix("SCOPE_").lower()
                raise CallError(
                    "NOT_AUTHORIZED",
                    f"{method.path} needs the scope {scope}, which the token {call.caller.name} lacks.",
                    metadata={"scope": scope, "caller": call.caller.name},
                )
        except Exception as error:
            failure = self._failure(error, call, expired=False)
            self._record(call, failure.code, failure.reason)
            self.metrics.end(method.path, failure.code.name, 0.0)
            raise failure from error
        if method.watch:
            self.metrics.watches += 1
        else:
            self.metrics.in_flight += 1
        return call, time.perf_counter()

    def _end(self, call: Call, began: float, code: grpc.StatusCode, reason: str) -> None:
        if call.method.watch:
            self.metrics.watches -= 1
        else:
            self.metrics.in_flight -= 1
            if self._stopping and not self.metrics.in_flight:
                self._quiet.set()
        self.metrics.end(call.method.path, code.name, time.perf_counter() - began)
        self._record(call, code, reason)

    def _record(self, call: Call, code: grpc.StatusCode, reason: str) -> None:
        refused = code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
        if self._auditor is not None and (refused or not call.method.read_only):
            self._auditor.record(call, code, reason)

    def _failure(self, error: BaseException, call: Call, *, expired: bool) -> CallError:
        if isinstance(error, CallError):
            return error
        if isinstance(error, TimeoutError) and expired:
            if self._stopping and asyncio.get_running_loop().time() < call.deadline:
                return _stops()
            return CallError("DEADLINE_EXCEEDED", f"{call.method.path} did not end within the call's deadline.")
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            return CallError("CANCELLED", "The caller gave up.")
        log.error("request %s: %s failed", call.request_id, call.method.path, exc_info=error)
        return CallError(
            "INTERNAL",
            f"A fault of Delphis; the log has it under request {call.request_id}.",
            metadata={"request_id": call.request_id},
        )


def told_resource(resource_id: str) -> str:
    """What a call was about as a header can carry it: callers may have sent anything."""
    return quote(resource_id[:_MOST_TOLD], safe=":/@", errors="replace")


def read_resource(told: str) -> str:
    """The other end of `told_resource`."""
    return unquote(told)


def _stops() -> CallError:
    return CallError(
        "SERVICE_UNAVAILABLE", "Delphis stops; call again, or resume the watch, in a moment.", retry_after=1.0
    )


def _expire(timeouts: Iterable[asyncio.Timeout]) -> None:
    now = asyncio.get_running_loop().time()
    for timeout in timeouts:
        if not timeout.expired():
            timeout.reschedule(now)


_NOBODY = Caller("", frozenset())
