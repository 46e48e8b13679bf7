"""A gateway in front of all our services and of a foreign one, and what it says of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from gateway.gateway import Gateway, GatewaySettings
from gateway.server import HttpServer, serve
from services.calls.invoker import CHANNEL_OPTIONS, ChannelInvoker, LocalInvoker
from tests.gateway.library import Library
from tests.gateway.support import Client, Loop, OneToken, Stub, pipeline_of


@dataclass
class Described:
    """A running gateway."""

    loop: Loop
    gateway: Gateway
    client: Client
    library: grpc.aio.Server
    library_port: int

    def document(self) -> dict[str, Any]:
        """What it says now."""
        document: dict[str, Any] = self.client.get("/v1/openapi.json").json
        return document


def described(*, login: bool) -> Iterator[Described]:
    """A gateway, with or without login."""
    loop, library = Loop(), Library()

    async def start() -> tuple[grpc.aio.Server, int, grpc.aio.Channel, Gateway, HttpServer]:
        backend, port = await library.serve()
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
        gateway = Gateway(GatewaySettings(login=login, refresh_seconds=0.1))
        ours = LocalInvoker(*pipeline_of(Stub(), OneToken() if login else None))
        await gateway.start({"core": ours, "library": ChannelInvoker(channel)})
        return backend, port, channel, gateway, await serve(gateway, "127.0.0.1", 0)

    backend, port, channel, gateway, server = loop.run(start())
    found = Described(loop, gateway, Client(server.port), backend, port)

    async def stop() -> None:
        await server.stop(1.0)
        await gateway.stop()
        await channel.close()
        await found.library.stop(None)

    yield found
    loop.run(stop())
    loop.close()


@pytest.fixture(scope="module")
def open_gateway() -> Iterator[Described]:
    """Without login."""
    yield from described(login=False)


@pytest.fixture(scope="module")
def closed_gateway() -> Iterator[Described]:
    """With tokens."""
    yield from described(login=True)


@pytest.fixture(scope="module")
def document(open_gateway: Described) -> dict[str, Any]:
    """What the gateway without login says."""
    return open_gateway.document()
