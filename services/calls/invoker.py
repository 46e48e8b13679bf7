"""How the gateway calls: the pipeline of its own process, or a gRPC address, behind one interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Protocol

import grpc
from grpc_reflection.v1alpha import reflection_pb2

from services.calls.errors import CallError
from services.calls.pipeline import Answer, Ingress, Pipeline
from services.calls.reflection import REFLECTION_PATHS, Reflection

CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 250),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
)


class Invoker(Protocol):
    """Somebody who answers calls."""

    def unary(self, path: str, body: bytes, ingress: Ingress) -> Coroutine[Any, Any, Answer]:
        """Calls a unary method; CallError where it fails."""
        ...

    def stream(self, path: str, body: bytes, ingress: Ingress) -> AsyncIterator[bytes]:
        """Calls a method that answers a stream; CallError where it fails."""
        ...

    async def reflect(
        self, requests: Sequence[reflection_pb2.ServerReflectionRequest]
    ) -> list[reflection_pb2.ServerReflectionResponse]:
        """Asks what there is; CallError where nobody answers."""
        ...

    async def lost(self) -> None:
        """Returns when the connection by which was last answered has ended."""
        ...


class LocalInvoker:
    """Calls the pipeline of this process."""

    def __init__(self, pipeline: Pipeline, reflection: Reflection) -> None:
        self.unary = pipeline.unary
        self.stream = pipeline.stream
        self._reflection = reflection

    async def reflect(
        self, requests: Sequence[reflection_pb2.ServerReflectionRequest]
    ) -> list[reflection_pb2.ServerReflectionResponse]:
        """As Invoker says."""
        return [self._reflection.answer(request) for request in requests]

    async def lost(self) -> None:
        """As Invoker says: this process does not lose itself."""
        await asyncio.Event().wait()


class ChannelInvoker:
    """Calls a gRPC address. The caller's own token goes along: the gateway has no rights of its own."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._unary: dict[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}
        self._stream: dict[str, grpc.aio.UnaryStreamMultiCallable[bytes, bytes]] = {}
        self._reflection_paths = list(REFLECTION_PATHS)

    async def unary(self, path: str, body: bytes, ingress: Ingress) -> Answer:
        """As Invoker says."""
        method = self._unary.get(path)
        if method is None:
            method = self._unary[path] = self._channel.unary_unary(path)
        call = method(body, timeout=ingress.timeout, metadata=_metadata(ingress))
        try:
            answer = await call
            trailing = await call.trailing_metadata()
        except grpc.aio.AioRpcError as error:
            raise _away(error) from error
        headers = {key: value for key, value in trailing or () if isinstance(value, str)}
        return Answer(answer, headers)

    async def stream(self, path: str, body: bytes, ingress: Ingress) -> AsyncIterator[bytes]:
        """As Invoker says."""
        method = self._stream.get(path)
        if method is None:
            method = self._stream[path] = self._channel.unary_stream(path)
        call = method(body, timeout=ingress.timeout, metadata=_metadata(ingress))
        try:
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise _away(error) from error
        finally:
            call.cancel()

    async def reflect(
        self, requests: Sequence[reflection_pb2.ServerReflectionRequest]
    ) -> list[reflection_pb2.ServerReflectionResponse]:
        """As Invoker says. Peers speak v1, v1alpha or both; the messages are the same."""
        refusal: grpc.aio.AioRpcError | None = None
        for path in self._reflection_paths:
            try:
                answers = await self._ask(path, requests)
            except grpc.aio.AioRpcError as error:
                # INTERNAL: so ends grpc.aio a stream that the peer refuses while questions are still being written.
                if error.code() not in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL):
                    raise _away(error) from error
                refusal = error
            else:
                self._reflection_paths.sort(key=lambda other: other != path)  # the next time this one first
                return answers
        assert refusal is not None
        raise _away(refusal) from refusal

    async def lost(self) -> None:
        """As Invoker says."""
        while (state := self._channel.get_state()) is grpc.ChannelConnectivity.READY:
            await self._channel.wait_for_state_change(state)

    async def _ask(
        self, path: str, requests: Sequence[reflection_pb2.ServerReflectionRequest]
    ) -> list[reflection_pb2.ServerReflectionResponse]:
        ask = self._channel.stream_stream(
            path,
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        return [answer async for answer in ask(iter(requests), timeout=10.0)]


def _metadata(ingress: Ingress) -> tuple[tuple[str, str], ...]:
    metadata = [("x-request-id", ingress.request_id)]
    if ingress.trace is not None:
        metadata += ingress.trace.metadata()
    if ingress.token is not None:
        metadata.append(("authorization", f"Bearer {ingress.token}"))
    return tuple(metadata)


def _away(error: grpc.aio.AioRpcError) -> CallError:
    failure = CallError.from_rpc_error(error)
    if failure.reason:
        return failure
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return CallError("SERVICE_UNAVAILABLE", f"The service can't be reached: {error.details()}", retry_after=1.0)
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return CallError("DEADLINE_EXCEEDED", "The service did not answer within the call's deadline.")
    return failure
