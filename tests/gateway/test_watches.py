"""Streams over HTTP: JSON lines and server-sent events, slow readers, readers that leave, a server that stops."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from delphis.inventory.v1 import change_pb2 as pb
from gateway.gateway import GatewaySettings
from gateway.streaming import StreamSettings, framing
from services.calls.errors import CallError
from tests.gateway.support import TIMEOUT, OneToken, Running, StreamReader, running

WATCH = "/v1/changes:watch"
SSE = {"Accept": "text/event-stream"}
QUICK = GatewaySettings(streams=StreamSettings(heartbeat_seconds=0.1, stalled_seconds=0.5))

Make = Callable[[Any, Any], AsyncIterator[pb.WatchChangesResponse]]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def change(position: int, **fields: Any) -> pb.Change:
    return pb.Change(type=pb.CHANGE_TYPE_ADDED, kind="volume", position=position, **fields)


def answers(*messages: pb.WatchChangesResponse | CallError, then_wait: bool = False) -> Make:
    async def make(request: Any, call: Any) -> AsyncIterator[pb.WatchChangesResponse]:
        for message in messages:
            if isinstance(message, CallError):
                raise message
            yield message
        if then_wait:
            await asyncio.Event().wait()

    return make


@pytest.fixture
def quick(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(settings=QUICK, hop=request.param == "over a hop") as gateway:
        yield gateway


both = pytest.mark.parametrize("quick", ["in process", "over a hop"], indirect=True)


def test_lines(rest: Running) -> None:
    rest.stub.answers["WatchChanges"] = answers(
        pb.WatchChangesResponse(resume_token="a"),
        pb.WatchChangesResponse(changes=[change(1, name="é\n"), change(2, count=2**60)], resume_token="b"),
    )
    with closing(StreamReader(rest.server.port, WATCH)) as reader:
        assert reader.response.status == 200
        assert reader.response.headers["content-type"] == "application/x-ndjson"
        assert reader.response.headers["cache-control"] == "no-store"
        assert reader.response.headers["x-compute-request-id"] == reader.response.headers["x-request-id"]
        assert reader.record() == {"changes": [], "resume_token": "a"}
        record = reader.record()
        assert [one["position"] for one in record["changes"]] == [1, 2]
        assert (record["changes"][0]["name"], record["changes"][0]["type"]) == ("é\n", "added")
        assert record["resume_token"] == "b"
        assert reader.rest() == b"", "a stream that ends well just ends"


def test_events(rest: Running) -> None:
    rest.stub.answers["WatchChanges"] = answers(
        pb.WatchChangesResponse(resume_token="a"),
        pb.WatchChangesResponse(changes=[change(1)], resume_token="b"),
        CallError("CHANGE_POSITION_EXPIRED", "They are gone."),
    )
    with closing(StreamReader(rest.server.port, WATCH, SSE)) as reader:
        assert reader.response.headers["content-type"] == "text/event-stream"
        assert reader.event() == {"retry": "2000"}
        assert reader.event() == {"": "heartbeat", "id": "a"}, "only a position"
        event = reader.event()
        assert sorted(event) == ["data", "id"]
        assert event["id"] == "b"
        assert json.loads(event["data"])["changes"][0]["position"] == 1
        last = reader.event()
        assert last["event"] == "failed"
        body = json.loads(last["data"])
        assert (body["error_code"], body["error_msg"]) == ("ChangePositionExpired", "They are gone.")
        assert reader.rest() == b""


def test_a_failure_is_the_last_line(rest: Running) -> None:
    rest.stub.answers["WatchChanges"] = answers(
        pb.WatchChangesResponse(resume_token="a"), CallError("CHANGE_POSITION_EXPIRED", "They are gone.")
    )
    with closing(StreamReader(rest.server.port, WATCH)) as reader:
        reader.line()
        assert reader.record()["error"]["error_code"] == "ChangePositionExpired"
        assert reader.rest() == b""


def test_a_fault_shows_nothing_of_itself(rest: Running) -> None:
    async def breaks(request: Any, call: Any) -> AsyncIterator[pb.WatchChangesResponse]:
        yield pb.WatchChangesResponse()
        raise RuntimeError("inner")

    rest.stub.answers["WatchChanges"] = breaks
    with closing(StreamReader(rest.server.port, WATCH)) as reader:
        reader.line()
        text = reader.rest().decode()
    assert json.loads(text)["error"]["error_code"] == "InternalError"
    assert "inner" not in text


def test_what_fails_at_once_has_a_status(rest: Running) -> None:
    rest.stub.answers["WatchChanges"] = answers(CallError("STORAGE_NOT_FOUND", "No such storage."))
    reply = rest.client.get("/v1/storages/x/changes:watch")
    assert (reply.status, reply.json["error_code"]) == (404, "StorageNotFound")
    assert rest.client.get(f"{WATCH}?nonsense=1").status == 400
    assert rest.client.get(WATCH, Request_Timeout="never").status == 400


def test_what_is_watched(rest: Running) -> None:
    rest.client.get("/v1/storages/s1/changes:watch?kinds=volume&kinds=disk&resume_token=old")
    assert rest.stub.last == (
        "WatchChanges",
        pb.WatchChangesRequest(storage_id="s1", kinds=["volume", "disk"], resume_token="old"),
    )
    rest.client.get(f"{WATCH}?resume_token=old", Last_Event_ID="newer")
    assert rest.stub.last[1] == pb.WatchChangesRequest(resume_token="newer"), "what a browser adds is newer"


def test_deadline(rest: Running) -> None:
    rest.stub.answers["WatchChanges"] = answers(pb.WatchChangesResponse(resume_token="a"), then_wait=True)
    with closing(StreamReader(rest.server.port, WATCH, {"Request-Timeout": "0.3"})) as reader:
        reader.line()
        assert reader.record()["error"]["error_code"] == "DeadlineExceeded"
    until(lambda: rest.stub.open_streams == 0)


def test_chosen_fields_and_exact_integers(rest: Running) -> None:
    rest.stub.answers["WatchChanges"] = answers(
        pb.WatchChangesResponse(changes=[change(2**60, name="n", fields=["a"])], resume_token="b")
    )
    headers = {"Accept": "application/x-ndjson;int64=string"}
    with closing(StreamReader(rest.server.port, f"{WATCH}?fields=position,name", headers)) as reader:
        assert reader.record() == {"changes": [{"position": str(2**60), "name": "n"}], "resume_token": "b"}
    assert rest.client.get(f"{WATCH}?fields=nothing").status == 400


def test_head(rest: Running) -> None:
    rest.stub.answers["WatchChanges"] = answers(pb.WatchChangesResponse(resume_token="a"), then_wait=True)
    reply = rest.client.request("HEAD", WATCH)
    assert (reply.status, reply.body) == (200, b"")
    until(lambda: rest.stub.open_streams == 0)


@both
def test_heartbeats(quick: Running) -> None:
    quick.stub.answers["WatchChanges"] = answers(pb.WatchChangesResponse(resume_token="a"), then_wait=True)
    with closing(StreamReader(quick.server.port, WATCH)) as reader:
        reader.record()
        assert [reader.line(), reader.line()] == ["", ""]
    with closing(StreamReader(quick.server.port, WATCH, SSE)) as reader:
        reader.event()
        reader.event()
        assert [reader.event(), reader.event()] == [{"": "heartbeat"}, {"": "heartbeat"}]


@both
def test_a_service_that_is_slow_to_begin(quick: Running) -> None:
    quick.stub.answers["WatchChanges"] = answers(then_wait=True)
    began = time.monotonic()
    with closing(StreamReader(quick.server.port, WATCH)) as reader:
        assert reader.response.status == 200
        assert reader.line() == ""
    assert time.monotonic() - began < 30


@both
def test_a_reader_who_leaves_ends_the_call(quick: Running) -> None:
    quick.stub.answers["WatchChanges"] = answers(pb.WatchChangesResponse(resume_token="a"), then_wait=True)
    reader = StreamReader(quick.server.port, WATCH)
    reader.line()
    assert quick.stub.open_streams == 1
    reader.close()
    until(lambda: quick.stub.open_streams == 0)


@both
def test_a_reader_who_reads_nothing_is_not_stored_for_and_is_cut_off(quick: Running) -> None:
    made = 0

    async def endless(request: Any, call: Any) -> AsyncIterator[pb.WatchChangesResponse]:
        nonlocal made
        while True:
            made += 1
            yield pb.WatchChangesResponse(changes=[change(made, name="x" * 100_000)], resume_token="a")

    quick.stub.answers["WatchChanges"] = endless
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(TIMEOUT)
        connection.connect(("127.0.0.1", quick.server.port))
        connection.sendall(f"GET {WATCH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert connection.recv(1)
        until(lambda: quick.stub.open_streams == 0)
        assert made < 200, "20 MB: sockets and gRPC hold some, the gateway nothing beyond a record"
        assert not _all_of(connection).endswith(b"0\r\n\r\n"), "he can tell that it is not complete"


def _all_of(connection: socket.socket) -> bytes:
    found = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(1 << 20):
            found += part
    return found


@both
def test_a_slow_reader_gets_everything(quick: Running) -> None:
    async def some(request: Any, call: Any) -> AsyncIterator[pb.WatchChangesResponse]:
        for position in range(1, 101):
            yield pb.WatchChangesResponse(changes=[change(position, name="x" * 50_000)], resume_token="a")

    quick.stub.answers["WatchChanges"] = some
    with closing(StreamReader(quick.server.port, WATCH)) as reader:
        positions = []
        for _ in range(100):
            positions.append(reader.record()["changes"][0]["position"])
            time.sleep(0.005)
        assert positions == list(range(1, 101))
        assert reader.rest() == b""


@pytest.mark.parametrize("hop", [False, True])
def test_a_stop_ends_watches_at_once(hop: bool) -> None:
    async def endless(request: Any, call: Any) -> AsyncIterator[pb.WatchChangesResponse]:
        while True:
            yield pb.WatchChangesResponse(changes=[change(1, name="x" * 100_000)], resume_token="a")

    with running(hop=hop) as gateway:
        gateway.stub.answers["WatchChanges"] = endless
        with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=TIMEOUT) as stalled:
            stalled.sendall(f"GET {WATCH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert stalled.recv(1)
            gateway.stub.answers["WatchChanges"] = answers(pb.WatchChangesResponse(), then_wait=True)
            with closing(StreamReader(gateway.server.port, WATCH)) as reader:
                reader.line()
                began = time.monotonic()
                gateway.loop.run(gateway.server.stop(100.0))
                assert time.monotonic() - began < 50
                assert reader.record()["error"]["error_code"] == "ServiceUnavailable"
                assert reader.rest() == b""
        until(lambda: gateway.stub.open_streams == 0)


def test_a_watch_needs_a_token() -> None:
    with running(authenticator=OneToken()) as gateway:
        assert gateway.client.get(WATCH).status == 401
        assert gateway.client.get(WATCH, Authorization="Bearer good").status == 200


@pytest.mark.parametrize(
    ("accept", "events"),
    [
        (None, False),
        (b"*/*", False),
        (b"application/json", False),
        (b"text/event-stream", True),
        (b"Text/Event-Stream, */*;q=0.1", True),
        (b"application/x-ndjson, text/event-stream", False),
        (b"application/x-ndjson;q=0.5, text/event-stream", True),
        (b"text/event-stream;q=0", False),
        (b"text/event-stream;q=nonsense", True),
    ],
)
def test_how_a_stream_is_wanted(accept: bytes | None, events: bool) -> None:
    assert (framing(accept).content_type == b"text/event-stream") is events
