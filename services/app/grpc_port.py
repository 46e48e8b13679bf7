"""The way in over gRPC, listening."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2

from services.app.failure import StartFailure
from services.app.listen import Address, parse_address
from services.calls.grpc_server import SERVER_OPTIONS, PipelineHandler
from services.calls.pipeline import Pipeline
from services.calls.reflection import Reflection, ReflectionHandler

CALLS_GRACE = 1.0
"""Seconds in which calls may end once a stop was asked for."""
FLUSH_GRACE = 0.3
"""Then clients have so many to take their answers, or to go."""


@dataclass(frozen=True, slots=True)
class GrpcPort:
    """Where to listen."""

    listen: str
    """HOST:PORT, or `unix:/path`."""
    certificate: str | None = None
    """PEM chain; with `key`, TLS is spoken."""
    key: str | None = None


@asynccontextmanager
async def open_grpc(ports: Sequence[GrpcPort], pipeline: Pipeline, reflection: Reflection) -> AsyncIterator[list[str]]:
    """Serves gRPC; the real addresses."""
    server = grpc.aio.server(options=SERVER_OPTIONS)
    healthy = health.aio.HealthServicer()
    # Its Check knows nothing of the store; ours is a method of the pipeline.
    watch = grpc.unary_stream_rpc_method_handler(
        healthy.Watch,
        request_deserializer=health_pb2.HealthCheckRequest.FromString,
        response_serializer=health_pb2.HealthCheckResponse.SerializeToString,
    )
    health_watch = grpc.method_handlers_generic_handler(health.SERVICE_NAME, {"Watch": watch})
    server.add_generic_rpc_handlers((PipelineHandler(pipeline), ReflectionHandler(reflection), health_watch))
    addresses = [_bind(server, port) for port in ports]
    await server.start()
    for service in ("", *pipeline.methods.services()):
        await healthy.set(service, health_pb2.HealthCheckResponse.SERVING)
    try:
        yield addresses
    finally:
        await pipeline.stop(CALLS_GRACE)
        await healthy.enter_graceful_shutdown()
        await server.stop(FLUSH_GRACE)


def _bind(server: grpc.aio.Server, port: GrpcPort) -> str:
    listen = port.listen
    try:
        if listen.startswith("unix:"):
            path = Path(listen.removeprefix("unix:"))
            path.unlink(missing_ok=True)
            before = os.umask(0o117)
            try:
                server.add_insecure_port(listen)
            finally:
                os.umask(before)
            return listen
        address = parse_address(listen, "--grpc-listen")
        if port.certificate and port.key:
            pair = (Path(port.key).read_bytes(), Path(port.certificate).read_bytes())
            number = server.add_secure_port(str(address), grpc.ssl_server_credentials([pair]))
        else:
            number = server.add_insecure_port(str(address))
    except (RuntimeError, OSError) as error:
        raise StartFailure(f"gRPC can't listen on {listen}: is another process there?") from error
    return str(Address(address.host, number))
