"""Deadlines, faults and limits of the pipeline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from delphis.type.v1 import options_pb2
from gateway.faults import Reasons
from services.calls import pipeline as pipeline_module
from services.calls.errors import CallError, reasons
from services.calls.method import Call, Caller, Method, MethodTable, Stream, Unary
from services.calls.pipeline import AnonymousAdmin, Ingress, Pipeline


def served(unary: Unary | None = None, stream: Stream | None = None, deadline: float = 5.0) -> Pipeline:
    method = Method("/t.T/M", options_pb2.SCOPE_READ, True, deadline, unary, stream)
    return Pipeline(MethodTable([method]), AnonymousAdmin())


def ingress(timeout: float | None = None) -> Ingress:
    return Ingress(token=None, request_id="req-7", timeout=timeout, peer="test")


async def test_a_call_without_a_deadline_gets_the_methods() -> None:
    async def forever(body: bytes, call: Call) -> bytes:
        await asyncio.Event().wait()
        return body

    with pytest.raises(CallError) as raised:
        await served(forever, deadline=0.05).unary("/t.T/M", b"", ingress())
    assert raised.value.reason == "DEADLINE_EXCEEDED"
    with pytest.raises(CallError) as raised:
        await served(forever).unary("/t.T/M", b"", ingress(timeout=0.05))
    assert raised.value.reason == "DEADLINE_EXCEEDED"


async def test_a_stream_that_stops_talking_ends_at_the_deadline() -> None:
    async def stalls(body: bytes, call: Call) -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.Event().wait()

    answers = served(stream=stalls).stream("/t.T/M", b"", ingress(timeout=0.05))
    assert await anext(answers) == b"one"
    with pytest.raises(CallError) as raised:
        await anext(answers)
    assert raised.value.reason == "DEADLINE_EXCEEDED"


async def test_a_timeout_of_the_handlers_own_is_not_the_calls_deadline() -> None:
    async def impatient(body: bytes, call: Call) -> bytes:
        raise TimeoutError

    with pytest.raises(CallError) as raised:
        await served(impatient).unary("/t.T/M", b"", ingress())
    assert raised.value.reason == "INTERNAL"


async def test_a_fault_names_the_request_and_not_its_text(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(body: bytes, call: Call) -> bytes:
        raise RuntimeError("the secret is hunter2")

    with caplog.at_level(logging.ERROR), pytest.raises(CallError) as raised:
        await served(broken).unary("/t.T/M", b"", ingress())
    assert raised.value.code is grpc.StatusCode.INTERNAL
    assert "req-7" in raised.value.message
    assert "hunter2" not in raised.value.message
    assert "RuntimeError" in caplog.text


async def test_a_fault_of_the_authenticator_is_a_fault_like_others() -> None:
    class Broken:
        def authenticate(self, token: str | None) -> Caller:
            raise RuntimeError("the secret is hunter2")

    async def echo(body: bytes, call: Call) -> bytes:
        return body

    method = Method("/t.T/M", options_pb2.SCOPE_READ, True, 5.0, echo, None)
    pipeline = Pipeline(MethodTable([method]), Broken())
    with pytest.raises(CallError) as raised:
        await pipeline.unary("/t.T/M", b"", ingress())
    assert raised.value.reason == "INTERNAL"
    assert "hunter2" not in raised.value.message
    assert pipeline.metrics.ended["/t.T/M", "INTERNAL"].calls == 1
    assert pipeline.metrics.in_flight == 0


async def test_a_stream_that_fails_while_it_is_closed_is_counted_as_ended() -> None:
    async def clings(body: bytes, call: Call) -> AsyncIterator[bytes]:
        try:
            yield b"one"
        finally:
            raise RuntimeError("can't be closed")

    pipeline = served(stream=clings)
    answers = pipeline.stream("/t.T/M", b"", ingress())
    assert await anext(answers) == b"one"
    with pytest.raises(RuntimeError, match="can't be closed"):
        await answers.aclose()
    assert pipeline.metrics.in_flight == 0


async def test_too_many_calls_at_once_are_told_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "MAX_IN_FLIGHT", 1)
    entered, leave = asyncio.Event(), asyncio.Event()

    async def slow(body: bytes, call: Call) -> bytes:
        entered.set()
        await leave.wait()
        return body

    pipeline = served(slow)
    first = asyncio.create_task(pipeline.unary("/t.T/M", b"", ingress()))
    await entered.wait()
    with pytest.raises(CallError) as raised:
        await pipeline.unary("/t.T/M", b"", ingress())
    assert raised.value.reason == "TOO_MANY_REQUESTS"
    assert raised.value.retry_after == 1.0
    leave.set()
    assert (await first).body == b""
    assert pipeline.metrics.in_flight == 0


async def test_a_cancelled_call_stays_cancelled_and_is_counted() -> None:
    async def forever(body: bytes, call: Call) -> bytes:
        await asyncio.Event().wait()
        return body

    pipeline = served(forever)
    task = asyncio.create_task(pipeline.unary("/t.T/M", b"", ingress()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pipeline.metrics.ended["/t.T/M", "CANCELLED"].calls == 1


def test_errors_survive_the_wire_with_their_details() -> None:
    for reason in reasons():
        error = CallError(reason, "What, to what, what to do.", metadata={"a": "b"}, retry_after=1.5)
        back = CallError.from_status(error.status())
        assert (back.reason, back.message, back.metadata, back.retry_after, back.code) == (
            reason,
            error.message,
            {"a": "b"},
            1.5,
            error.code,
        )
        assert 400 <= reasons()[reason].http_status < 600


def test_a_peers_reason_stays_the_peers() -> None:
    status = status_pb2.Status(code=5, message="No such book.")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="INTERNAL", domain="acme.example"))
    error = CallError.from_status(status)
    assert (error.reason, error.domain, error.status()) == ("INTERNAL", "acme.example", status)
    assert Reasons().http_status(error) == 404, "our reason of that name is another one"


def watched() -> Pipeline:
    async def forever(body: bytes, call: Call) -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    method = Method("/t.T/M", options_pb2.SCOPE_READ, True, 60.0, stream=forever, watch=True)
    return Pipeline(MethodTable([method]), AnonymousAdmin())


async def test_watches_end_when_the_process_stops() -> None:
    pipeline = watched()
    waiting, idle = (pipeline.stream("/t.T/M", b"", ingress()) for _ in range(2))
    assert [await anext(waiting), await anext(idle)] == [b"first", b"first"]
    next_answer = asyncio.ensure_future(anext(waiting))
    await asyncio.sleep(0)
    assert (pipeline.metrics.watches, pipeline.metrics.in_flight) == (2, 0)
    await pipeline.stop(5.0)
    for work in (next_answer, anext(idle), anext(pipeline.stream("/t.T/M", b"", ingress()))):
        with pytest.raises(CallError) as ended:
            await asyncio.wait_for(work, 60)
        assert ended.value.reason == "SERVICE_UNAVAILABLE"
    assert pipeline.metrics.watches == 0


async def test_watches_leave_room_for_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "MAX_WATCHES", 1)
    monkeypatch.setattr(pipeline_module, "MAX_IN_FLIGHT", 1)
    pipeline = watched()
    first = pipeline.stream("/t.T/M", b"", ingress())
    await anext(first)
    assert pipeline.metrics.in_flight == 0
    with pytest.raises(CallError) as refused:
        await anext(pipeline.stream("/t.T/M", b"", ingress()))
    assert refused.value.reason == "TOO_MANY_REQUESTS"
    await first.aclose()
    assert await anext(pipeline.stream("/t.T/M", b"", ingress())) == b"first"
