"""Methods that are answered by another of Delphis' processes, as bytes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from delphis.tracing import spans
from services.calls.errors import CallError
from services.calls.grpc_server import caller_metadata
from services.calls.method import Call, Method, MethodOptions, Stream, Unary, options_of
from services.calls.pipeline import RESOURCE_HEADER, read_resource
from services.relay.connection import Connection

if TYPE_CHECKING:
    from delphis.tracing.exporting import Span

log = logging.getLogger(__name__)

# The other process' time ends a little before the caller's, so that the caller learns what it was about.
_MARGIN_SECONDS, _MARGIN_SHARE = 0.02, 0.1
# A call on a channel that was closed before, or meanwhile, ends with one of the latter two.
_CALL_ERRORS = (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.CancelledError)
_LOST = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN})

_SOON, _LATER = 1.0, 30.0

Metadata = tuple[tuple[str, str | bytes], ...]


class Relay:
    """Hands calls on to a process, with the token of Delphis' own processes and the name of the caller.

    While it is away for a moment calls wait; a call that changes nothing is asked again once where the process went
    away under it and nothing was passed on. Else the caller is told SERVICE_UNAVAILABLE, and when to call again. A
    watch ends so as well: its caller resumes it.
    """

    def __init__(self, name: str, channel: grpc.aio.Channel, token: str) -> None:
        """`name` is the process', such as `alerts`. To be called in the event loop that calls."""
        self.name = name
        self._connection = Connection(name, channel)
        self._authorization = f"Bearer {token}"

    @property
    def connected(self) -> bool:
        """Whether the process can be reached, as far as is known."""
        return self._connection.connected

    async def wait(self, seconds: float) -> bool:
        """Waits for a connection, but not for a process that has been away for long; whether there is one."""
        return await self._connection.wait(asyncio.get_running_loop().time() + seconds)

    async def close(self) -> None:
        """Ends the connection."""
        await self._connection.close()

    def methods(self, services: Iterable[ServiceDescriptor]) -> Iterator[Method]:
        """The services' methods for a method table. What they are is known from the contract, who answers or not."""
        for service in services:
            for method in service.methods:
                options = options_of(method)
                yield Method(
                    path=options.path,
                    scope=options.scope,
                    read_only=options.read_only,
                    default_deadline=options.default_deadline,
                    unary=None if options.streaming else self._unary(options),
                    stream=self._stream(options) if options.streaming else None,
                    watch=options.watch,
                )

    def _unary(self, options: MethodOptions) -> Unary:
        ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._connection.channel.unary_unary(options.path)

        async def relayed(body: bytes, call: Call) -> bytes:
            again = options.read_only
            while True:
                await self._reach(call)
                span = spans.begin_call(options.path[1:])
                asked = ask(body, timeout=_timeout(call), metadata=self._metadata(call, span))
                try:
                    answer = await asked
                    _take(await asked.trailing_metadata(), call)
                except _CALL_ERRORS as error:
                    if span is not None:
                        span.failed(error)
                    failure = self._failure(error, options)
                    if isinstance(error, grpc.aio.AioRpcError):
                        call.resource_id = _about(error.trailing_metadata())
                    if not again or not _is_gone(failure):
                        raise failure from error
                    again = False
                    await self._connection.settle()
                else:
                    return answer
                finally:
                    if span is not None:
                        span.end()

        return relayed

    def _stream(self, options: MethodOptions) -> Stream:
        ask: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self._connection.channel.unary_stream(options.path)

        async def relayed(body: bytes, call: Call) -> AsyncIterator[bytes]:
            again = options.read_only
            while True:
                await self._reach(call)
                span = spans.begin_call(options.path[1:])
                asked = ask(body, timeout=_timeout(call), metadata=self._metadata(call, span))
                try:
                    async for answer in asked:
                        again = False
                        yield answer
                except _CALL_ERRORS as error:
                    if span is not None:
                        span.failed(error)
                    failure = self._failure(error, options)
                    if not again or not _is_gone(failure):
                        raise failure from error
                    again = False
                    await self._connection.settle()
                else:
                    return
                finally:
                    asked.cancel()
                    if span is not None:
                        span.end()

        return relayed

    def _metadata(self, call: Call, span: Span | None) -> Metadata:
        return (
            ("authorization", self._authorization),
            ("x-request-id", call.request_id),
            caller_metadata(call.caller),
            *spans.outgoing(span),
        )

    async def _reach(self, call: Call) -> None:
        if not await self._connection.wait(call.deadline - _margin(call)):
            raise self._away()

    def _failure(self, error: BaseException, options: MethodOptions) -> CallError:
        """What to tell the caller. Raises CancelledError where it was the caller who gave up."""
        if isinstance(error, grpc.aio.AioRpcError):
            failure = CallError.from_rpc_error(error)
        elif isinstance(error, asyncio.CancelledError) and _given_up():
            raise error
        else:  # a handler that ended with CancelledError would leave its caller without an answer
            failure = CallError("", "the connection was closed", code=grpc.StatusCode.CANCELLED)
        if failure.reason == "UNAUTHENTICATED":
            return self._not_trusted()
        if failure.reason:
            return failure
        if failure.code in _LOST:
            return self._away()
        if failure.code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return CallError("DEADLINE_EXCEEDED", f"{options.path} did not end within the call's deadline.")
        if failure.code is grpc.StatusCode.UNIMPLEMENTED:
            return CallError(
                "PROTOCOL_TOO_OLD",
                f"The {self.name} process does not know {options.path}; it is older than the core. Update it.",
                metadata={"method": options.path},
            )
        log.error("%s failed in the %s process: %s %s", options.path, self.name, failure.code.name, failure.message)
        return CallError(
            "INTERNAL", f"The {self.name} process failed: {failure.message}", metadata={"process": self.name}
        )

    def _away(self) -> CallError:
        return CallError(
            "SERVICE_UNAVAILABLE",
            f"The {self.name} process of Delphis is away; call again, or resume the watch, in a moment.",
            metadata={"process": self.name},
            retry_after=_SOON,
        )

    def _not_trusted(self) -> CallError:
        """Ours to mend, not the caller's: his own token was accepted."""
        log.error("the %s process refuses the core's token: give both the same --token-file", self.name)
        return CallError(
            "SERVICE_UNAVAILABLE",
            f"The {self.name} process refuses the core's token; both need the same --token-file.",
            metadata={"process": self.name},
            retry_after=_LATER,
        )


def _is_gone(failure: CallError) -> bool:
    """The process went away, or is about to: another one may be there soon."""
    return failure.reason == "SERVICE_UNAVAILABLE" and failure.retry_after != _LATER


def _given_up() -> bool:
    """Whether a CancelledError is the task's own: gRPC raises one as well where a channel is closed under a call."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _left(call: Call) -> float:
    return call.deadline - asyncio.get_running_loop().time()


def _margin(call: Call) -> float:
    return min(_MARGIN_SECONDS, max(_left(call), 0.0) * _MARGIN_SHARE)


def _timeout(call: Call) -> float:
    return max(_left(call) - _margin(call), 0.001)


def _about(trailing: grpc.aio.Metadata | None) -> str:
    """What a call that failed was about."""
    return next((read_resource(str(value)) for key, value in trailing or () if key == RESOURCE_HEADER), "")


def _take(trailing: grpc.aio.Metadata | None, call: Call) -> None:
    """What a handler told beside its answer: headers for the caller, and for our audit log what the call was about."""
    for key, value in trailing or ():
        if key == RESOURCE_HEADER:
            call.resource_id = read_resource(str(value))
        elif isinstance(value, str):
            call.headers[key] = value
