"""The whole authorisation matrix of the contract, through both ways in, relayed methods included."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from delphis.auth.v1 import auth_pb2
from delphis.driver.v1 import storage_driver_pb2
from delphis.inventory.v1 import change_pb2, inventory_pb2, job_pb2, relation_pb2, resource_pb2
from delphis.registry.v1 import lease_pb2, registry_pb2
from delphis.type.v1 import options_pb2
from services.calls.errors import CallError
from services.calls.grpc_server import PipelineHandler
from services.calls.invoker import ChannelInvoker, Invoker, LocalInvoker
from services.calls.method import Call, Caller, Method, MethodTable, options_of
from services.calls.pipeline import Ingress, Pipeline
from services.calls.reflection import Reflection, ReflectionHandler
from services.relay.relay import Relay
from tests.relay.far import SERVICES as RELAYED
from tests.relay.far import TOKEN, Far

SERVICES = [
    service
    for module in (
        auth_pb2,
        storage_driver_pb2,
        change_pb2,
        inventory_pb2,
        job_pb2,
        relation_pb2,
        resource_pb2,
        lease_pb2,
        registry_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
]
METHODS = [options_of(method) for service in (*SERVICES, *RELAYED) for method in service.methods]
SCOPES = {
    "read": options_pb2.SCOPE_READ,
    "operate": options_pb2.SCOPE_OPERATE,
    "admin": options_pb2.SCOPE_ADMIN,
    "service": options_pb2.SCOPE_SERVICE,
    "driver": options_pb2.SCOPE_DRIVER,
}
# Scopes stand in the order of what they include, but for the drivers', which stands apart.
LADDER = ("read", "operate", "admin", "service")


def allowed(scope: int) -> set[str]:
    """The tokens that may call a method of the scope."""
    if scope == options_pb2.SCOPE_PUBLIC:
        return set(SCOPES)
    if scope == options_pb2.SCOPE_DRIVER:
        return {"driver", "service"}
    return {name for name in LADDER if SCOPES[name] >= scope}


class Names:
    """Knows tokens that are called like their scope."""

    def authenticate(self, token: str | None) -> Caller:
        if token not in SCOPES:
            raise CallError("UNAUTHENTICATED", "The token is not known.")
        return Caller(token, frozenset({SCOPES[token]}))


class Audit:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str, str]] = []

    def record(self, call: Call, code: grpc.StatusCode, reason: str) -> None:
        self.entries.append((call.method.path, call.caller.name, code.name, reason))


async def answer(body: bytes, call: Call) -> bytes:
    call.headers["delphis-seen"] = call.caller.name
    return body


async def answers(body: bytes, call: Call) -> AsyncIterator[bytes]:
    yield body


def table(*relayed: Method) -> MethodTable:
    own = (
        Method(
            path=method.path,
            scope=method.scope,
            read_only=method.read_only,
            default_deadline=method.default_deadline,
            unary=None if method.streaming else answer,
            stream=answers if method.streaming else None,
        )
        for method in METHODS
    )
    return MethodTable((*own, *relayed))


@contextlib.asynccontextmanager
async def far(folder: Path) -> AsyncIterator[Relay]:
    """A relay to another process, which answers what is its own."""
    other = Far(folder, lacks="")
    other.stream = answers
    await other.start()
    relay = Relay("alerts", grpc.aio.insecure_channel(other.address), TOKEN)
    yield relay
    await relay.close()
    await other.vanish()


@contextlib.asynccontextmanager
async def ways(pipeline: Pipeline, folder: Path) -> AsyncIterator[dict[str, Invoker]]:
    """In process and over a hop, to the same pipeline."""
    reflection = Reflection(pipeline.methods.services())
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((PipelineHandler(pipeline), ReflectionHandler(reflection)))
    address = f"unix:{folder}/core.sock"
    server.add_insecure_port(address)
    await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        yield {"local": LocalInvoker(pipeline, reflection), "hop": ChannelInvoker(channel)}
    await server.stop(None)


async def outcome(invoker: Invoker, path: str, streaming: bool, token: str | None) -> str:
    ingress = Ingress(token=token, request_id="req-1", timeout=60, peer="test")
    try:
        if streaming:
            assert [body async for body in invoker.stream(path, b"x", ingress)] == [b"x"]
        else:
            assert (await invoker.unary(path, b"x", ingress)).body == b"x"
    except CallError as error:
        return error.reason
    return "OK"


async def test_every_method_is_open_to_its_scope_and_those_above_and_to_nobody_else(tmp_path: Path) -> None:
    audit = Audit()
    assert len(METHODS) > 110
    async with far(tmp_path) as relay:
        pipeline = Pipeline(table(*relay.methods(RELAYED)), Names(), audit)
        await judge(pipeline, tmp_path)
    changing = {method.path for method in METHODS if not method.read_only}
    succeeded = [entry for entry in audit.entries if entry[2] == "OK"]
    assert {entry[0] for entry in succeeded} == changing
    refused = {entry[0] for entry in audit.entries if entry[3] == "UNAUTHENTICATED"}
    assert refused == {method.path for method in METHODS}


async def judge(pipeline: Pipeline, folder: Path) -> None:
    """Calls every method with every token, through both ways in."""
    async with ways(pipeline, folder) as invokers:
        for way, invoker in invokers.items():
            for method in METHODS:
                for token in SCOPES:
                    expected = "OK" if token in allowed(method.scope) else "NOT_AUTHORIZED"
                    assert await outcome(invoker, method.path, method.streaming, token) == expected, (
                        way,
                        method,
                        token,
                    )
                for bad in (None, "", "nonsense"):
                    expected = "UNAUTHENTICATED"
                    assert await outcome(invoker, method.path, method.streaming, bad) == expected, (way, method, bad)


@pytest.mark.parametrize("way", ["local", "hop"])
async def test_headers_of_an_answer_reach_the_caller(tmp_path: Path, way: str) -> None:
    async with ways(Pipeline(table(), Names()), tmp_path) as invokers:
        path = "/delphis.inventory.v1.InventoryService/GetStorage"
        found = await invokers[way].unary(path, b"", Ingress("admin", "req-1", None, "test"))
        assert found.headers["delphis-seen"] == "admin"


@pytest.mark.parametrize("way", ["local", "hop"])
async def test_an_unknown_method_is_unimplemented(tmp_path: Path, way: str) -> None:
    async with ways(Pipeline(table(), Names()), tmp_path) as invokers:
        with pytest.raises(CallError) as raised:
            await invokers[way].unary("/no.Such/Method", b"", Ingress("admin", "req-1", 5.0, "test"))
        assert raised.value.code is grpc.StatusCode.UNIMPLEMENTED
