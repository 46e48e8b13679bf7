"""The way in over gRPC: a generic handler that hands every method of the table to the pipeline."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from delphis.auth.v1 import auth_pb2
from delphis.tracing import scope
from delphis.tracing.scope import TRACEPARENT, TRACESTATE, Scope, trace_of
from services.calls.errors import STATUS_DETAILS, CallError
from services.calls.method import Caller
from services.calls.pipeline import RESOURCE_HEADER, Ingress, Pipeline, told_resource

SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    ("grpc.so_reuseport", 0),
)


# Without a deadline of the caller's gRPC counts down from a number of this order, in seconds.
NO_DEADLINE = 1e7


CALLER_KEY = "delphis-caller-bin"
"""Metadata in which who relays a call says whose it is: a delphis.auth.v1.Caller."""


def caller_metadata(caller: Caller) -> tuple[str, bytes]:
    """What tells the peer whose call is relayed."""
    message = auth_pb2.Caller(name=caller.name, scopes=sorted(caller.scopes))  # type: ignore[arg-type]
    return CALLER_KEY, message.SerializeToString()


def named_caller(value: bytes) -> Caller:
    """The other end of `caller_metadata`. What can't be read is nobody, who may nothing."""
    try:
        message = auth_pb2.Caller.FromString(value)
    except DecodeError:
        return Caller("", frozenset())
    return Caller(message.name, frozenset(message.scopes))


def new_request_id() -> str:
    """`req-` and a UUID, as SODA Delfin's."""
    return f"req-{uuid.uuid4()}"


class PipelineHandler(grpc.GenericRpcHandler):
    """Serves the pipeline's methods by their paths, as bytes."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        for method in pipeline.methods:
            handler: grpc.RpcMethodHandler[Any, Any]
            if method.unary is not None:
                handler = grpc.unary_unary_rpc_method_handler(_unary(pipeline, method.path))
            else:
                handler = grpc.unary_stream_rpc_method_handler(_stream(pipeline, method.path))
            self._handlers[method.path] = handler

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler for a path; None makes gRPC answer UNIMPLEMENTED."""
        return self._handlers.get(handler_call_details.method)


def _ingress(context: grpc.aio.ServicerContext[Any, Any]) -> Ingress:
    token = request_id = on_behalf = parent = None
    state = ""
    for key, value in context.invocation_metadata() or ():
        if key == CALLER_KEY and isinstance(value, bytes):
            on_behalf = named_caller(value)
        elif key == "authorization" and isinstance(value, str):
            scheme, _, secret = value.partition(" ")
            # Another scheme is no bearer token; the empty one is refused as unknown.
            token = secret.strip() if scheme.lower() == "bearer" else ""
        elif key == "x-request-id" and isinstance(value, str):
            request_id = value[:64] or None
        elif key == TRACEPARENT and isinstance(value, str):
            parent = value
        elif key == TRACESTATE and isinstance(value, str):
            state = value
    if request_id is None:
        request_id = new_request_id()
    trace = trace_of(parent, state) if parent is not None else None
    scope.enter(Scope(request_id, trace=trace))  # for the rest of the task, which is this call's alone
    remaining: float | None = context.time_remaining()  # None where the caller set none, whatever the type stub says
    return Ingress(
        token=token,
        request_id=request_id,
        timeout=remaining if remaining is not None and remaining < NO_DEADLINE else None,
        peer=context.peer(),
        on_behalf=on_behalf,
        trace=trace,
    )


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: CallError) -> None:
    """Ends the call with the error; does not return."""
    about = ((RESOURCE_HEADER, told_resource(error.about)),) if error.about else ()
    await context.abort(error.code, error.message, ((STATUS_DETAILS, error.status().SerializeToString()), *about))


def _unary(pipeline: Pipeline, path: str) -> Callable[[bytes, grpc.aio.ServicerContext[Any, Any]], Any]:
    async def serve(body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        try:
            answer = await pipeline.unary(path, body, _ingress(context))
        except CallError as error:
            await abort(context, error)
            raise
        if answer.headers:
            context.set_trailing_metadata(tuple(answer.headers.items()))
        return answer.body

    return serve


def _stream(pipeline: Pipeline, path: str) -> Callable[[bytes, grpc.aio.ServicerContext[Any, Any]], Any]:
    async def serve(body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[bytes]:
        try:
            async for answer in pipeline.stream(path, body, _ingress(context)):
                yield answer
        except CallError as error:
            await abort(context, error)

    return serve
