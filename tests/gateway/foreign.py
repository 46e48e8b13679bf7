"""A gateway in front of our stub and of a service that it never heard of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import grpc
import pytest

from gateway.gateway import Gateway, GatewaySettings
from gateway.server import HttpServer, serve
from services.calls.invoker import CHANNEL_OPTIONS, ChannelInvoker, LocalInvoker
from tests.gateway.library import Library
from tests.gateway.support import Client, Loop, Stub, pipeline_of


@dataclass
class Foreign:
    """A gateway in front of our stub and a library."""

    loop: Loop
    library: Library
    client: Client
    gateway: Gateway
    port: int
    backend: grpc.aio.Server

    def until(self, holds: Callable[[], bool]) -> None:
        """Waits for the gateway to have noticed something."""
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    loop, library = Loop(), Library()

    async def start() -> tuple[grpc.aio.Server, int, grpc.aio.Channel, Gateway, HttpServer]:
        backend, port = await library.serve()
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
        gateway = Gateway(GatewaySettings(refresh_seconds=0.1))
        ours = LocalInvoker(*pipeline_of(Stub()))
        await gateway.start({"core": ours, "library": ChannelInvoker(channel)})
        return backend, port, channel, gateway, await serve(gateway, "127.0.0.1", 0)

    backend, port, channel, gateway, server = loop.run(start())
    found = Foreign(loop, library, Client(server.port), gateway, port, backend)

    async def stop() -> None:
        await server.stop(1.0)
        await gateway.stop()
        await channel.close()
        await found.backend.stop(None)

    try:
        found.until(lambda: gateway.ready)
        yield found
    finally:
        loop.run(stop())
        loop.close()
