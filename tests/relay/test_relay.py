"""The relay: calls of a core's users that another process answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from delphis.type.v1 import options_pb2
from services.calls.errors import CallError, invalid
from services.calls.grpc_server import caller_metadata
from services.calls.method import Call, Caller, MethodTable
from services.calls.peer import Peer, PeerError
from services.calls.pipeline import Answer, Ingress, Pipeline
from services.relay.relay import Relay
from tests.relay.far import ALERTS, SERVICES, TOKEN, UNKNOWN, Far

SCOPES = {"reader": options_pb2.SCOPE_READ, "operator": options_pb2.SCOPE_OPERATE, "admin": options_pb2.SCOPE_ADMIN}
LIST, CLEAR, WATCH = f"{ALERTS}/ListAlerts", f"{ALERTS}/ClearAlerts", f"{ALERTS}/WatchAlerts"


class Names:
    """Knows tokens that are called like their bearers."""

    def authenticate(self, token: str | None) -> Caller:
        if token not in SCOPES:
            raise CallError("UNAUTHENTICATED", "The token is not known.")
        return Caller(token, frozenset({SCOPES[token]}))


class Audit:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str, str]] = []

    def record(self, call: Call, code: grpc.StatusCode, reason: str) -> None:
        self.entries.append((call.method.path, call.caller.name, call.resource_id, code.name))


class Near:
    """A core, as far as it relays."""

    def __init__(self, address: str, token: str = TOKEN) -> None:
        self.audit = Audit()
        self.relay = Relay("alerts", Peer("--alerts", address).channel(), token)
        self.pipeline = Pipeline(MethodTable(self.relay.methods(SERVICES)), Names(), self.audit)

    async def call(self, path: str, *, token: str = "admin", timeout: float = 60.0, body: bytes = b"") -> Answer:
        return await self.pipeline.unary(path, body, Ingress(token, "req-7", timeout, "test"))

    def watch(self, path: str = WATCH, *, timeout: float | None = None) -> AsyncIterator[bytes]:
        return self.pipeline.stream(path, b"x", Ingress("admin", "req-7", timeout, "test"))


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[Far]:
    far = Far(tmp_path)
    await far.start()
    yield far
    await far.vanish()


@pytest.fixture
async def near(far: Far) -> AsyncIterator[Near]:
    near = Near(far.address)
    yield near
    await near.relay.close()


async def failure(near: Near, path: str = LIST, *, token: str = "admin", timeout: float = 60.0) -> CallError:
    with pytest.raises(CallError) as raised:
        await near.call(path, token=token, timeout=timeout)
    return raised.value


async def test_the_other_process_learns_whose_call_it_is(near: Near, far: Far) -> None:
    answer = await near.call(CLEAR, token="operator", timeout=60, body=b"bytes")
    assert (answer.body, answer.headers) == (b"bytes", {"delphis-seen": "operator"})
    [call] = far.calls
    assert call.caller == Caller("operator", frozenset({options_pb2.SCOPE_OPERATE}))
    assert call.request_id == "req-7"
    assert 0 < call.deadline - asyncio.get_running_loop().time() <= 60.0
    assert near.audit.entries == [(CLEAR, "operator", "what it ½ was\nabout", "OK")]


async def test_the_audit_log_has_what_a_failed_call_was_about(near: Near, far: Far) -> None:
    async def fails(body: bytes, call: Call) -> bytes:
        call.resource_id = "what it ½ was\nabout"
        raise CallError("STORAGE_CLEAR_ALERT_FAILED", "The array doesn't clear it.")

    far.unary = fails
    assert (await failure(near, CLEAR)).reason == "STORAGE_CLEAR_ALERT_FAILED"
    assert near.audit.entries == [(CLEAR, "admin", "what it ½ was\nabout", "INTERNAL")]


async def test_who_may_not_is_refused_before_anything_is_relayed(near: Near, far: Far) -> None:
    assert (await failure(near, CLEAR, token="reader")).reason == "NOT_AUTHORIZED"
    assert (await failure(near, LIST, token="nobody")).reason == "UNAUTHENTICATED"
    with pytest.raises(CallError, match="bytes"):
        await near.call(LIST, body=bytes(5 * 1024 * 1024))
    assert not far.calls


def calling(channel: grpc.aio.Channel, path: str) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    """The method, as bytes."""
    return channel.unary_unary(path)


async def test_only_delphis_own_processes_name_a_caller(far: Far) -> None:
    named = caller_metadata(Caller("admin", frozenset({options_pb2.SCOPE_ADMIN})))
    async with grpc.aio.insecure_channel(far.address) as channel:
        for token in ("admin", "", TOKEN[:-1]):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await calling(channel, LIST)(b"", metadata=(("authorization", f"Bearer {token}"), named))
            assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await calling(channel, LIST)(b"", metadata=(named,))
        assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
        ours = ("authorization", f"Bearer {TOKEN}")
        for less in (Caller("reader", frozenset({options_pb2.SCOPE_READ})), Caller("", frozenset())):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await calling(channel, CLEAR)(b"", metadata=(ours, caller_metadata(less)))
            assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await calling(channel, LIST)(b"", metadata=(ours, ("delphis-caller-bin", b"\xff\xff")))
        assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert not far.calls
        assert await calling(channel, CLEAR)(b"own", metadata=(ours,)) == b"own"


async def test_an_error_arrives_as_it_was_said(near: Near, far: Far) -> None:
    async def refuse(body: bytes, call: Call) -> bytes:
        raise invalid("filter", "There is no field `colour`.")

    far.unary = refuse
    error = await failure(near)
    assert (error.reason, error.metadata) == ("INVALID_INPUT", {"field": "filter"})
    assert "colour" in error.message


async def test_a_process_that_never_came_is_named_within_the_deadline(tmp_path: Path) -> None:
    near = Near(f"unix:{tmp_path}/nobody.sock")
    began = time.monotonic()
    error = await failure(near, timeout=0.5)
    assert time.monotonic() - began < 30
    assert (error.code, error.reason, error.retry_after) == (grpc.StatusCode.UNAVAILABLE, "SERVICE_UNAVAILABLE", 1.0)
    assert "alerts" in error.message
    assert not near.relay.connected
    await near.relay.close()


async def test_a_call_waits_for_a_process_that_is_about_to_come(tmp_path: Path) -> None:
    far = Far(tmp_path)
    near = Near(far.address)
    calls = [asyncio.ensure_future(near.call(path)) for path in (LIST, CLEAR)]
    await asyncio.sleep(0.1)
    assert not any(call.done() for call in calls)
    await far.start()
    await asyncio.gather(*calls)
    assert near.relay.connected
    await near.relay.close()
    await far.vanish()


async def _cut(near: Near, far: Far, path: str) -> asyncio.Future[Answer]:
    """A call under which the other process goes away, and comes back."""
    reached, forever = asyncio.Event(), asyncio.Event()

    async def hold(body: bytes, call: Call) -> bytes:
        reached.set()
        await forever.wait()
        return body

    far.unary = hold
    asked = asyncio.ensure_future(near.call(path))
    await reached.wait()
    far.unary = far.echo
    await far.vanish()
    await far.start()
    return asked


async def test_a_read_that_was_cut_is_asked_again(near: Near, far: Far) -> None:
    await (await _cut(near, far, LIST))
    assert len(far.calls) == 2


async def test_a_change_that_was_cut_is_not_asked_again(near: Near, far: Far) -> None:
    with pytest.raises(CallError) as raised:
        await (await _cut(near, far, CLEAR))
    assert raised.value.reason == "SERVICE_UNAVAILABLE"
    assert len(far.calls) == 1
    await near.call(CLEAR)


async def test_a_watch_ends_with_the_reason_and_can_be_resumed(near: Near, far: Far) -> None:
    far.stream = far.for_ever
    watch = near.watch()
    assert await anext(watch) == b"x"
    await far.vanish()
    with pytest.raises(CallError) as raised:
        await anext(watch)
    assert (raised.value.reason, raised.value.retry_after) == ("SERVICE_UNAVAILABLE", 1.0)
    await far.start()
    assert await anext(near.watch()) == b"x"


async def test_a_watch_outlives_no_caller_and_no_deadline(near: Near, far: Far) -> None:
    far.stream = far.for_ever
    with pytest.raises(CallError) as raised:
        async for _ in near.watch(timeout=0.3):
            pass
    assert raised.value.reason == "DEADLINE_EXCEEDED"


async def test_a_reader_that_pauses_holds_the_sender(near: Near, far: Far) -> None:
    far.stream = far.flood
    answers = near.watch()
    await anext(answers)
    sent = -1
    while sent != far.sent:  # until it stands still
        sent = far.sent
        await asyncio.sleep(0.3)
    assert sent < 200
    received = 1
    async for _ in answers:
        received += 1
    assert received == far.sent == 400


async def test_another_token_is_our_fault_not_the_callers(tmp_path: Path) -> None:
    far = Far(tmp_path, token="delphis_quite-another-token-of-processes")
    await far.start()
    near = Near(far.address)
    error = await failure(near)
    assert error.reason == "SERVICE_UNAVAILABLE"
    assert "--token-file" in error.message
    await near.relay.close()
    await far.vanish()


async def test_a_method_that_the_other_process_lacks_is_told_so(near: Near) -> None:
    error = await failure(near, UNKNOWN)
    assert (error.code, error.reason) == (grpc.StatusCode.UNIMPLEMENTED, "PROTOCOL_TOO_OLD")
    assert "alerts" in error.message


@pytest.mark.parametrize(
    ("target", "ca"),
    [("192.0.2.1:8195", None), ("alerts:8195", None), ("alerts", "ca.pem"), ("alerts:0", "ca.pem"), (":1", "ca.pem")],
)
def test_addresses_that_cannot_be_used_are_refused(target: str, ca: str | None) -> None:
    with pytest.raises(PeerError, match="--alerts"):
        Peer("--alerts", target, ca).check()


@pytest.mark.parametrize("target", ["127.0.0.1:8195", "[::1]:8195", "localhost:8195", "unix:/run/alerts.sock"])
def test_addresses_on_this_machine_need_no_certificate(target: str) -> None:
    Peer("--alerts", target).check()
