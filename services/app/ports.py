"""The core's two ways in, listening: gRPC and, through the gateway, REST."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2

from gateway import backends
from gateway.gateway import Gateway, GatewaySettings
from gateway.server import TlsFiles, serve
from services.app.failure import StartFailure
from services.app.listen import Address, parse_address
from services.app.settings import CoreSettings
from services.calls.grpc_server import SERVER_OPTIONS, PipelineHandler
from services.calls.invoker import LocalInvoker
from services.calls.pipeline import Pipeline
from services.calls.reflection import Reflection, ReflectionHandler

CALLS_GRACE = 1.0
"""Seconds in which calls may end once a stop was asked for."""
FLUSH_GRACE = 0.3
"""Then clients have so many to take their answers, or to go."""


@asynccontextmanager
async def open_grpc(settings: CoreSettings, pipeline: Pipeline, reflection: Reflection) -> AsyncIterator[str]:
    """Serves gRPC; the real address."""
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
    address = _bind(server, settings)
    await server.start()
    for service in ("", *pipeline.methods.services()):
        await healthy.set(service, health_pb2.HealthCheckResponse.SERVING)
    try:
        yield address
    finally:
        await pipeline.stop(CALLS_GRACE)
        await healthy.enter_graceful_shutdown()
        await server.stop(FLUSH_GRACE)


def _bind(server: grpc.aio.Server, settings: CoreSettings) -> str:
    listen = settings.grpc_listen
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
        if settings.tls_certificate and settings.tls_key:
            pair = (Path(settings.tls_key).read_bytes(), Path(settings.tls_certificate).read_bytes())
            port = server.add_secure_port(str(address), grpc.ssl_server_credentials([pair]))
        else:
            port = server.add_insecure_port(str(address))
    except (RuntimeError, OSError) as error:
        raise StartFailure(f"gRPC can't listen on {listen}: is another process there?") from error
    return str(Address(address.host, port))


@asynccontextmanager
async def open_http(settings: CoreSettings, pipeline: Pipeline, reflection: Reflection) -> AsyncIterator[str]:
    """Serves REST by calling the pipeline of this process; the real address."""
    assert settings.http_listen is not None
    address = parse_address(settings.http_listen, "--http-listen")
    tls = None
    if settings.tls_certificate and settings.tls_key:
        tls = TlsFiles(settings.tls_certificate, settings.tls_key)
    channels = backends.Channels(backends.parse(settings.backends, settings.backend_cas, core=None))
    gateway = Gateway(GatewaySettings(login=settings.auth == "token"))
    await gateway.start({backends.CORE: LocalInvoker(pipeline, reflection), **channels.invokers})
    try:
        try:
            server = await serve(gateway, address.host, address.port, tls=tls)
        except OSError as error:
            raise StartFailure(f"REST can't listen on {address}: {error.strerror or error}.") from error
        try:
            yield str(Address(address.host, server.port))
        finally:
            await pipeline.stop(CALLS_GRACE)
            await server.stop(FLUSH_GRACE)
    finally:
        await gateway.stop()
        await channels.close()
