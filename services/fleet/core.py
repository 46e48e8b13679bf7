"""Calls of the core: of arrays through its router, of the inventory and the registry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TypeVar

import grpc
from google.protobuf.message import Message

from delphis.driver.v1 import storage_driver_pb2
from delphis.tracing import scope, spans
from services.calls.errors import CallError
from services.calls.method import options_of

if TYPE_CHECKING:
    from delphis.tracing.exporting import Span

Answer = TypeVar("Answer", bound=Message)

_DRIVER = storage_driver_pb2.DESCRIPTOR.services_by_name["StorageDriver"]
DEADLINES = {method.name: options_of(method).default_deadline for method in _DRIVER.methods}
"""Seconds that a call of an array may take."""


class Core:
    """The core as this process sees it. Errors of calls are CallErrors, those of the transport too."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        """`token` is the one of Delphis' own processes."""
        self._channel = channel
        self._metadata = (("authorization", f"Bearer {token}"),)

    async def ask(self, path: str, request: Message, answer: type[Answer], *, timeout: float) -> Answer:
        """Calls a unary method, such as `/delphis.inventory.v1.StorageService/GetStorage`."""
        method = self._channel.unary_unary(
            path, request_serializer=_serialised, response_deserializer=answer.FromString
        )
        span = spans.begin_call(path[1:])
        try:
            return await method(request, timeout=timeout, metadata=self._told(span))
        except grpc.aio.AioRpcError as error:
            raise _failure(error, span) from None
        finally:
            if span is not None:
                span.end()

    async def stream(
        self, path: str, request: Message, answer: type[Answer], *, timeout: float | None
    ) -> AsyncIterator[Answer]:
        """Calls a method that answers a stream."""
        method = self._channel.unary_stream(
            path, request_serializer=_serialised, response_deserializer=answer.FromString
        )
        span = spans.begin_call(path[1:])
        call = method(request, timeout=timeout, metadata=self._told(span))
        try:
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as error:
            raise _failure(error, span) from None
        finally:
            call.cancel()
            if span is not None:
                span.end()

    async def ask_array(self, name: str, request: Message, answer: type[Answer]) -> Answer:
        """Calls a unary method of StorageDriver; the request's target names the storage."""
        return await self.ask(_path(name), request, answer, timeout=DEADLINES[name])

    def list_from_array(self, name: str, request: Message, answer: type[Answer]) -> AsyncIterator[Answer]:
        """Calls a method of StorageDriver that answers a stream."""
        return self.stream(_path(name), request, answer, timeout=DEADLINES[name])

    def _told(self, span: Span | None) -> tuple[tuple[str, str], ...]:
        request_id = scope.current().request_id
        asked = (("x-request-id", request_id),) if request_id else ()
        return (*self._metadata, *asked, *spans.outgoing(span))


def target(storage_id: str) -> storage_driver_pb2.Target:
    """Whom a call of an array means."""
    return storage_driver_pb2.Target(storage_id=storage_id)


def _failure(error: grpc.aio.AioRpcError, span: Span | None) -> CallError:
    failure = CallError.from_rpc_error(error)
    if span is not None:
        span.failed(failure)
    return failure


def _path(name: str) -> str:
    return f"/{_DRIVER.full_name}/{name}"


def _serialised(message: Message) -> bytes:
    return message.SerializeToString()
