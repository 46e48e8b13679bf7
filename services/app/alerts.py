"""The alerts process. See `child` for how it runs."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.alerts.settings import AlertsSettings
from services.app import child


@asynccontextmanager
async def open_alerts(settings: AlertsSettings) -> AsyncIterator[child.Where]:
    """An alerts service that serves, as long as the block lasts."""
    from services.alerts.process import wire
    from services.app.grpc_port import GrpcPort, open_grpc

    port = GrpcPort(settings.grpc_listen, settings.tls_certificate, settings.tls_key)
    async with AsyncExitStack() as stack:
        alerts = await stack.enter_async_context(wire(settings))
        [address] = await stack.enter_async_context(open_grpc([port], alerts.pipeline, alerts.reflection))
        yield {"version": importlib.metadata.version("delphis"), "grpc": address, "traps": list(alerts.traps)}


if __name__ == "__main__":
    sys.exit(child.main("alerts", AlertsSettings.from_json, open_alerts))
