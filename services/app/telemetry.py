"""The telemetry process. See `child` for how it runs."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.app import child
from services.telemetry.settings import TelemetrySettings


@asynccontextmanager
async def open_telemetry(settings: TelemetrySettings) -> AsyncIterator[child.Where]:
    """A telemetry service that serves, as long as the block lasts."""
    from services.app.grpc_port import GrpcPort, open_grpc
    from services.telemetry.process import wire

    port = GrpcPort(settings.grpc_listen, settings.tls_certificate, settings.tls_key)
    async with AsyncExitStack() as stack:
        telemetry = await stack.enter_async_context(wire(settings))
        [address] = await stack.enter_async_context(open_grpc([port], telemetry.pipeline, telemetry.reflection))
        yield {"version": importlib.metadata.version("delphis"), "grpc": address}


if __name__ == "__main__":
    sys.exit(child.main("telemetry", TelemetrySettings.from_json, open_telemetry))
