"""Another process of Delphis, as far as its gRPC address goes: what it was asked, and how it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc

from delphis.alert.v1 import alert_pb2, delivery_pb2, snmp_config_pb2, trap_pb2
from services.auth.service_authenticator import ServiceAuthenticator
from services.calls.grpc_server import PipelineHandler
from services.calls.method import Call, Method, MethodTable, options_of
from services.calls.pipeline import Pipeline

TOKEN = "delphis_the-token-of-our-own-processes"
SERVICES = [
    service
    for module in (alert_pb2, delivery_pb2, snmp_config_pb2, trap_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
]
ALERTS = "/delphis.alert.v1.AlertService"
UNKNOWN = f"{ALERTS}/GetAlertSettings"


class Far:
    """Answers every alert method but one with what it was asked, until it is told otherwise."""

    def __init__(self, folder: Path, token: str = TOKEN, *, lacks: str = UNKNOWN) -> None:
        self.address = f"unix:{folder}/far.sock"
        self.calls: list[Call] = []
        self.sent = 0
        self.never = asyncio.Event()
        self.unary: Callable[[bytes, Call], Awaitable[bytes]] = self.echo
        self.stream: Callable[[bytes, Call], AsyncIterator[bytes]] = self.echoes
        self._token = token
        self._lacks = lacks
        self._server: grpc.aio.Server | None = None

    async def echo(self, body: bytes, call: Call) -> bytes:
        call.headers["delphis-seen"] = call.caller.name
        call.resource_id = "what it ½ was\nabout"
        return body

    async def echoes(self, body: bytes, call: Call) -> AsyncIterator[bytes]:
        yield body

    async def flood(self, body: bytes, call: Call) -> AsyncIterator[bytes]:
        """More than a reader that pauses can take."""
        for _ in range(400):
            self.sent += 1
            yield bytes(1024 * 1024)

    async def for_ever(self, body: bytes, call: Call) -> AsyncIterator[bytes]:
        """A watch: one answer, then silence."""
        yield body
        await asyncio.Event().wait()

    async def _unary(self, body: bytes, call: Call) -> bytes:
        self.calls.append(call)
        return await self.unary(body, call)

    async def _stream(self, body: bytes, call: Call) -> AsyncIterator[bytes]:
        self.calls.append(call)
        async for answer in self.stream(body, call):
            yield answer

    async def start(self) -> None:
        """Begins to serve."""
        methods = MethodTable(
            Method(
                path=options.path,
                scope=options.scope,
                read_only=options.read_only,
                default_deadline=options.default_deadline,
                unary=None if options.streaming else self._unary,
                stream=self._stream if options.streaming else None,
                watch=options.watch,
            )
            for service in SERVICES
            for method in service.methods
            if (options := options_of(method)).path != self._lacks
        )
        self._server = grpc.aio.server()
        pipeline = Pipeline(methods, ServiceAuthenticator(self._token), relayed=True)
        self._server.add_generic_rpc_handlers((PipelineHandler(pipeline),))
        self._server.add_insecure_port(self.address)
        await self._server.start()

    async def vanish(self) -> None:
        """Ends at once, and with it all calls."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None
