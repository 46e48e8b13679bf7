"""The core process: inventory, registry, router and gateway on one event loop. See `child` for how it runs."""

from __future__ import annotations

import asyncio
import importlib.metadata
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.app import child
from services.app.settings import CoreSettings


@asynccontextmanager
async def open_core(settings: CoreSettings) -> AsyncIterator[child.Where]:
    """A core that serves, as long as the block lasts."""
    from services.app.demo import register_demo
    from services.app.grpc_port import GrpcPort, open_grpc
    from services.app.http_port import open_http
    from services.app.wiring import wire

    ports = [GrpcPort(settings.grpc_listen, settings.tls_certificate, settings.tls_key)]
    if settings.lease_listen is not None:
        ports.append(GrpcPort(settings.lease_listen, f"{settings.lease_tls}/tls.pem", f"{settings.lease_tls}/tls.key"))
    if settings.internal_listen is not None:
        ports.append(GrpcPort(settings.internal_listen))
    async with AsyncExitStack() as stack:
        core = await stack.enter_async_context(wire(settings))
        addresses = await stack.enter_async_context(open_grpc(ports, core.pipeline, core.reflection))
        where: child.Where = {"version": importlib.metadata.version("delphis"), "grpc": addresses[0]}
        if settings.lease_listen is not None:
            where["leases"] = addresses[1]
        if settings.http_listen is not None:
            http_address = await stack.enter_async_context(open_http(settings, core.pipeline, core.reflection))
            scheme = "https" if settings.tls_certificate else "http"
            where |= {"http": http_address, "rest": f"{scheme}://{http_address}/v1"}
        if settings.demo:
            demo = asyncio.create_task(register_demo(core.pipeline, core.service_token))
            stack.callback(demo.cancel)
        yield where


if __name__ == "__main__":
    sys.exit(child.main("core", CoreSettings.from_json, open_core))
