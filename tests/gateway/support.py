"""A gateway on a real port, in front of a service that answers what a test tells it to."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
import uvloop
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from delphis.auth.v1 import auth_pb2
from delphis.inventory.v1 import change_pb2, inventory_pb2, job_pb2, relation_pb2, resource_pb2, version_pb2
from delphis.registry.v1 import registry_pb2
from gateway.gateway import Gateway, GatewaySettings
from gateway.server import HttpServer, serve
from services.calls.errors import CallError
from services.calls.grpc_server import PipelineHandler
from services.calls.invoker import CHANNEL_OPTIONS, ChannelInvoker, Invoker, LocalInvoker
from services.calls.method import Call, Caller, Method, MethodTable, options_of
from services.calls.pipeline import AnonymousAdmin, Authenticator, Pipeline
from services.calls.reflection import Reflection, ReflectionHandler

SERVICES: tuple[ServiceDescriptor, ...] = tuple(
    service
    for file in (inventory_pb2, resource_pb2, job_pb2, change_pb2, relation_pb2, version_pb2, auth_pb2, registry_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
)
TIMEOUT = 60.0

T = TypeVar("T")
Reaction = Message | CallError | Exception | Callable[[Any, Call], Any]


@dataclass
class Stub:
    """Serves the contract's methods: each answers what `answers` has for it, or an empty message."""

    answers: dict[str, Reaction] = field(default_factory=dict)
    calls: list[tuple[str, Any, Call]] = field(default_factory=list)
    open_streams: int = 0

    def reset(self) -> None:
        """Forgets all."""
        self.answers.clear()
        self.calls.clear()

    @property
    def last(self) -> tuple[str, Any]:
        """Name and request of the last call."""
        name, request, _ = self.calls[-1]
        return name, request

    def methods(self) -> Iterator[Method]:
        """The methods, for a pipeline."""
        for service in SERVICES:
            for method in service.methods:
                options = options_of(method)
                handlers: dict[str, Any] = (
                    {"stream": self._stream(method)} if options.streaming else {"unary": self._unary(method)}
                )
                yield Method(
                    options.path,
                    options.scope,
                    options.read_only,
                    options.default_deadline,
                    watch=options.watch,
                    **handlers,
                )

    def _unary(self, method: Any) -> Callable[[bytes, Call], Coroutine[Any, Any, bytes]]:
        async def handle(body: bytes, call: Call) -> bytes:
            request = GetMessageClass(method.input_type).FromString(body)
            self.calls.append((method.name, request, call))
            reaction = self.answers.get(method.name)
            if callable(reaction):
                reaction = reaction(request, call)
                if asyncio.iscoroutine(reaction):
                    reaction = await reaction
            if isinstance(reaction, Exception):
                raise reaction
            if isinstance(reaction, bytes):
                return reaction
            answer = reaction if isinstance(reaction, Message) else GetMessageClass(method.output_type)()
            return answer.SerializeToString()

        return handle

    def _stream(self, method: Any) -> Callable[[bytes, Call], AsyncIterator[bytes]]:
        """`answers` has what makes an iterator of messages, of request and call; without it there is an empty one."""

        async def handle(body: bytes, call: Call) -> AsyncIterator[bytes]:
            request = GetMessageClass(method.input_type).FromString(body)
            self.calls.append((method.name, request, call))
            make = self.answers.get(method.name)
            if make is None:
                yield b""
                return
            assert callable(make)
            self.open_streams += 1
            messages = make(request, call)
            try:
                async for message in messages:
                    yield message.SerializeToString()
            finally:
                self.open_streams -= 1
                await messages.aclose()

        return handle


class OneToken:
    """Knows one token, which may everything."""

    def authenticate(self, token: str | None) -> Caller:
        if token != "good":
            raise CallError("UNAUTHENTICATED", "Send a token that is known.")
        return Caller("tester", frozenset({5}))


@dataclass
class Reply:
    """An HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which must be JSON and say so."""
        assert self.headers["content-type"].startswith("application/json"), self
        return json.loads(self.body)


@dataclass
class Client:
    """Speaks HTTP with the gateway, a connection for each request."""

    port: int

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        raw: bytes | None = None,
    ) -> Reply:
        """Sends a request; `body` is sent as JSON, `raw` as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        sent = dict(headers or {})
        if body is not None:
            raw = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, raw, sent)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        """GET; headers have `_` for `-`."""
        return self.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


class StreamReader:
    """An open GET whose answer is read line by line."""

    def __init__(self, port: int, path: str, headers: dict[str, str] | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        self._connection.request("GET", path, headers=headers or {})
        self.response = self._connection.getresponse()

    def line(self) -> str:
        """The next line without its end; a stream that ended has none."""
        read = self.response.readline()
        assert read.endswith(b"\n"), read
        return read[:-1].decode()

    def record(self) -> Any:
        """The next line's JSON."""
        return self.parsed(self.line())

    @staticmethod
    def parsed(line: str) -> Any:
        """A line's JSON."""
        return json.loads(line)

    def event(self) -> dict[str, str]:
        """The next server-sent event; the name of a comment is empty."""
        found: dict[str, str] = {}
        while line := self.line():
            name, _, value = line.partition(": ")
            found[name] = value
        return found

    def rest(self) -> bytes:
        """What comes until the end."""
        return self.response.read()

    def close(self) -> None:
        """Leaves."""
        self.response.close()
        self._connection.close()


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs to the end and answers the result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT)

    def close(self) -> None:
        """Ends the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)
        self._loop.close()


@dataclass
class Running:
    """A gateway that serves."""

    loop: Loop
    gateway: Gateway
    server: HttpServer
    client: Client
    stub: Stub


def pipeline_of(stub: Stub, authenticator: Authenticator | None = None) -> tuple[Pipeline, Reflection]:
    """The stub behind a pipeline."""
    table = MethodTable(stub.methods())
    return Pipeline(table, authenticator or AnonymousAdmin()), Reflection(table.services())


async def grpc_server(
    handlers: tuple[grpc.GenericRpcHandler, ...], address: str = "127.0.0.1:0"
) -> tuple[grpc.aio.Server, int]:
    """A started server and its port."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers(handlers)
    port = server.add_insecure_port(address)
    await server.start()
    return server, port


@contextmanager
def running(
    *, hop: bool = False, settings: GatewaySettings | None = None, authenticator: Authenticator | None = None
) -> Iterator[Running]:
    """A gateway before a stub, in one process (`hop`: over gRPC)."""
    stub = Stub()
    loop = Loop()

    async def start() -> tuple[Gateway, HttpServer, list[Any]]:
        pipeline, reflection = pipeline_of(stub, authenticator)
        closing: list[Any] = []
        invoker: Invoker = LocalInvoker(pipeline, reflection)
        if hop:
            backend, port = await grpc_server((PipelineHandler(pipeline), ReflectionHandler(reflection)))
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
            invoker = ChannelInvoker(channel)
            closing = [channel.close, lambda: backend.stop(None)]
        gateway = Gateway(settings or GatewaySettings())
        await gateway.start({"core": invoker})
        return gateway, await serve(gateway, "127.0.0.1", 0), closing

    gateway, server, closing = loop.run(start())

    async def stop() -> None:
        await server.stop(1.0)
        await gateway.stop()
        for close in closing:
            await close()

    try:
        yield Running(loop, gateway, server, Client(server.port), stub)
    finally:
        loop.run(stop())
        loop.close()
