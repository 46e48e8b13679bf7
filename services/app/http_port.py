"""The way in over HTTP: the gateway, in the core's process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway import backends
from gateway.gateway import Gateway, GatewaySettings
from gateway.server import TlsFiles, serve
from services.app.failure import StartFailure
from services.app.grpc_port import CALLS_GRACE, FLUSH_GRACE
from services.app.listen import Address, parse_address
from services.app.settings import CoreSettings
from services.calls.invoker import LocalInvoker
from services.calls.pipeline import Pipeline
from services.calls.reflection import Reflection


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
