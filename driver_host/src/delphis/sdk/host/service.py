"""StorageDriver as gRPC sees it: bytes in, bytes out, errors as statuses."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.sdk import errors
from delphis.sdk.host.calls import Call, Calls
from delphis.sdk.host.contract import SERVICE, Method, methods
from delphis.sdk.host.loading import LoadedDriver
from delphis.sdk.host.metrics import Metrics
from delphis.sdk.host.settings import HostSettings
from delphis.sdk.status import STATUS_DETAILS, failure_of
from delphis.sdk.version import VERSION
from delphis.tracing import scope, spans
from delphis.tracing.scope import TRACEPARENT, TRACESTATE, Scope, TraceContext, trace_of
from delphis.tracing.spans import Kind

if TYPE_CHECKING:
    from delphis.tracing.exporting import Span

_T = TypeVar("_T")

_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


class StorageDriverService(grpc.GenericRpcHandler):
    """The handlers of all RPCs."""

    def __init__(self, settings: HostSettings, loaded: LoadedDriver, calls: Calls, metrics: Metrics) -> None:
        self.in_flight = 0
        self.draining = False
        self.idle = asyncio.Event()
        self.idle.set()
        self._settings = settings
        self._loaded = loaded
        self._calls = calls
        self._metrics = metrics
        self._handlers = {method.path: self._handler(method) for method in methods().values()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of an RPC; for one that this version doesn't know, one that says so."""
        path = handler_call_details.method
        if not path.startswith(f"/{SERVICE.full_name}/"):
            return None
        return self._handlers.get(path) or self._unknown(path)

    def _handler(self, method: Method) -> Any:
        if method.name == "GetDriverInfo":

            async def info(request: bytes, context: Any) -> bytes:
                return self.info().SerializeToString()

            return grpc.unary_unary_rpc_method_handler(info)
        if not method.streams:

            async def unary(request: bytes, context: Any) -> bytes:
                async def answer() -> bytes:
                    call = self._begin(method, request, context)
                    return (await self._calls.unary(call)).SerializeToString(deterministic=True)

                return await self._served(method.name, context, answer) or b""

            return grpc.unary_unary_rpc_method_handler(unary)

        async def stream(request: bytes, context: Any) -> None:
            async def send(payload: bytes) -> None:
                self._metrics.bytes += len(payload)
                await context.write(payload)

            async def answer() -> None:
                call = self._begin(method, request, context)
                await self._calls.stream(call, send)

            await self._served(method.name, context, answer)

        return grpc.unary_stream_rpc_method_handler(stream)

    def _begin(self, method: Method, request: bytes, context: Any) -> Call:
        call = self._calls.begin(method, request, context.time_remaining())
        known = scope.current()
        scope.enter(known._replace(storage_id=call.context.storage_id))
        if known.trace is not None and known.trace.span is not None:
            known.trace.span.set_attribute(spans.STORAGE_ID, call.context.storage_id)
        return call

    def _unknown(self, path: str) -> Any:
        error = errors.ProtocolTooOld(f"This host doesn't know {path}; it is older than its caller.", method=path)

        async def unknown(request: bytes, context: Any) -> bytes:
            async def answer() -> bytes:
                raise error

            return await self._served("unknown", context, answer) or b""

        return grpc.unary_unary_rpc_method_handler(unknown)

    async def _served(self, name: str, context: Any, answer: Callable[[], Awaitable[_T]]) -> _T | None:
        """Runs a call, counts it, and turns its error into a status."""
        request_id, trace = _told(context.invocation_metadata())
        scope.enter(Scope(request_id, trace=trace))  # for the rest of the task, which is this call's alone
        if spans.tracer is None:
            return await self._counted(name, context, answer)
        about = {spans.REQUEST_ID: request_id, "rpc.method": name}
        with spans.tracer.run(spans.tracer.begin(f"{SERVICE.full_name}/{name}", trace, Kind.SERVER, about)) as span:
            return await self._counted(name, context, answer, span)

    async def _counted(
        self, name: str, context: Any, answer: Callable[[], Awaitable[_T]], span: Span | None = None
    ) -> _T | None:
        if self.draining and name != "CloseStorage":  # who takes an array over wants it logged out first
            # Without a reason of ours: to the router the host is gone, and it asks another.
            await context.abort(grpc.StatusCode.UNAVAILABLE, "The driver host stops.")
        begin = time.monotonic()
        self.in_flight += 1
        self.idle.clear()
        outcome = "CANCELLED"
        try:
            result = await answer()
            outcome = "OK"
            return result
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - every error becomes a status here
            failure = failure_of(error)
            outcome = failure.reason
            if span is not None:
                span.spoil(outcome)
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self.idle.set()
            self._metrics.call(name, outcome, time.monotonic() - begin)
        await context.abort(_CODES[failure.code], failure.message, ((STATUS_DETAILS, failure.details),))
        return None  # abort raises

    def info(self) -> pb.GetDriverInfoResponse:
        """Who the driver is, and how the host is."""
        driver = self._loaded.driver
        return pb.GetDriverInfoResponse(
            name=self._settings.driver,
            version=self._settings.version,
            server_id=self._calls.server_id,
            serves=[pb.Pair(vendor=pair.vendor, model=pair.model) for pair in self._settings.serves],
            rpcs=self._loaded.announced,
            access_fields=driver.access_fields if driver else (),
            load_error=self._loaded.error,
            runtime=_runtime(),
            stuck_calls=self._calls.lanes.stuck,
            wants_replacement=self._calls.wants_replacement,
            lists_all_alerts=driver.lists_all_alerts if driver else False,
        )


@cache
def _runtime() -> str:
    return f"delphis-driver-sdk {VERSION} (Python {platform.python_version()})"


def _told(metadata: Any) -> tuple[str, TraceContext | None]:
    """What the caller says of his request: its id, and the trace that it is a part of."""
    request_id = parent = state = ""
    for key, value in metadata or ():
        if key == "x-request-id" and isinstance(value, str):
            request_id = value[:64]
        elif key == TRACEPARENT and isinstance(value, str):
            parent = value
        elif key == TRACESTATE and isinstance(value, str):
            state = value
    return request_id, trace_of(parent, state) if parent else None
