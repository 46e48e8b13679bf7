"""Any service can be put behind the gateway: one that it never heard of, with grpc-gateway's conventions."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from gateway.gateway import Gateway
from gateway.server import HttpServer, serve
from services.calls.invoker import CHANNEL_OPTIONS, ChannelInvoker
from tests.gateway.foreign import Foreign
from tests.gateway.library import Library
from tests.gateway.support import Client, Loop

BOOK = "/library/shelves/1/books/2"


def test_answer(foreign: Foreign) -> None:
    book = foreign.library.make("Book", name="n", page_count=7, lent=False, genre=1, key_words=["a"])
    setattr(book, "class", "hard")
    foreign.library.answer = lambda request: book
    reply = foreign.client.get(f"{BOOK}?edition=3")
    assert foreign.library.requests[-1] == foreign.library.make("GetBookRequest", name="shelves/1/books/2", edition=3)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json == {
        "name": "n",
        "pageCount": "7",
        "lent": False,
        "genre": "GENRE_CRIME",
        "author": None,
        "boughtAt": None,
        "keyWords": ["a"],
        "copies": None,
        "class": "hard",
    }


def test_answer_with_all_set(foreign: Foreign) -> None:
    author = {"full_name": "x", "teacher": {}}
    book = foreign.library.make("Book", cover_image=b"\xff", rating=0, genre=9, author=author)
    book.bought_at.FromJsonString("2026-11-22T13:42:55.5Z")
    book.copies.value = 2**60
    foreign.library.answer = lambda request: book
    found = foreign.client.get(BOOK).json
    assert (found["coverImage"], found["rating"], found["genre"]) == ("/w==", 0, 9)
    assert (found["boughtAt"], found["copies"]) == ("2026-11-22T13:42:55.500Z", str(2**60))
    assert found["author"] == {"fullName": "x", "teacher": {"fullName": "", "teacher": None}}


def test_query(foreign: Foreign) -> None:
    foreign.library.answer = lambda request: foreign.library.make("ListBooksResponse", next_page_token="t")
    query = "like.author.fullName=x%20y&like.page_count=5&genres=GENRE_CRIME&genres=2&pageSize=3&like.lent=true"
    reply = foreign.client.get(f"/library/books?{query}&like.boughtAt=2026-01-01T00:00:00Z&like.copies=4&price=1e3")
    assert (reply.status, reply.json) == (200, {"books": [], "nextPageToken": "t"})
    request = foreign.library.requests[-1]
    assert (request.like.author.full_name, request.like.page_count, request.like.lent) == ("x y", 5, True)
    assert (list(request.genres), request.page_size, request.price) == ([1, 2], 3, 1000.0)
    assert (request.like.bought_at.ToJsonString(), request.like.copies.value) == ("2026-01-01T00:00:00Z", 4)


@pytest.mark.parametrize(
    "query", ["limit=1", "name=x", "like=x", "like.author=x", "like.nothing=1", "pageSize=1&pageSize=2", "pageSize=x"]
)
def test_wrong_query(foreign: Foreign, query: str) -> None:
    reply = foreign.client.get(f"/library/books?{query}")
    assert (reply.status, reply.json["code"]) == (400, 3)
    assert reply.json.keys() == {"code", "message", "details"}
    assert query.partition("=")[0] in reply.json["message"]


def test_bodies(foreign: Foreign) -> None:
    foreign.library.answer = lambda request: request.book
    body = {"name": "n", "pageCount": "7", "genre": "GENRE_POETRY", "author": {"full_name": "x"}, "copies": "3"}
    reply = foreign.client.request("POST", "/library/books?requestId=r", body)
    assert (reply.status, reply.json["genre"], reply.json["copies"]) == (200, "GENRE_POETRY", "3")
    assert foreign.library.requests[-1].request_id == "r"
    reply = foreign.client.request("PATCH", "/library/shelves/1/books/2", {"pageCount": 9, "key_words": []})
    request = foreign.library.requests[-1]
    assert (reply.status, request.book.name, request.book.page_count) == (200, "shelves/1/books/2", 9)
    assert list(request.update_mask.paths) == ["page_count", "key_words"]
    reply = foreign.client.request("POST", "/library/books", {"pages": 7})
    assert (reply.status, reply.json["code"]) == (400, 3)
    assert "pages" in reply.json["message"]


def test_part_of_an_answer(foreign: Foreign) -> None:
    foreign.library.answer = lambda request: foreign.library.make("ListBooksResponse", books=[{"name": "a"}])
    found = foreign.client.get("/library/only-books").json
    assert [book["name"] for book in found] == ["a"]


def test_failure(foreign: Foreign) -> None:
    details = [any_pb2.Any(type_url="type.googleapis.com/acme.Unknown", value=b"\x01"), any_pb2.Any(), any_pb2.Any()]
    details[1].Pack(error_details_pb2.ErrorInfo(reason="BURNT", domain="acme.example"))
    details[2].Pack(foreign.library.make("Author", full_name="x"))
    foreign.library.fails = status_pb2.Status(code=6, message="There is one.", details=details)
    reply = foreign.client.get(BOOK)
    assert reply.status == 409
    assert (reply.json["code"], reply.json["message"]) == (6, "There is one.")
    by_type = {detail["@type"]: detail for detail in reply.json["details"]}
    assert by_type["type.googleapis.com/acme.Unknown"]["value"] == "AQ=="
    info = by_type["type.googleapis.com/google.rpc.ErrorInfo"]
    assert (info["reason"], info["domain"]) == ("BURNT", "acme.example")
    assert by_type["type.googleapis.com/acme.library.v1.Author"]["fullName"] == "x"


def test_stream(foreign: Foreign) -> None:
    make = foreign.library.make
    foreign.library.answers = [make("Book"), make("Book", name="b", page_count=7)]
    reply = foreign.client.get("/library/books:follow?price=1")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/x-ndjson")
    records = [json.loads(line) for line in reply.body.splitlines()]
    assert [record.keys() for record in records] == [{"result"}, {"result"}]
    assert (records[1]["result"]["name"], records[1]["result"]["pageCount"]) == ("b", "7")
    assert foreign.library.requests[-1].price == 1
    chosen = foreign.client.get("/library/books:follow?fields=pageCount").body.splitlines()
    assert json.loads(chosen[1]) == {"result": {"pageCount": "7"}}
    events = foreign.client.get("/library/books:follow", Accept="text/event-stream").body
    assert events.count(b'\n\ndata: {"result":{') == 2
    foreign.library.answers = []
    empty = foreign.client.get("/library/books:follow")
    assert (empty.status, empty.body) == (200, b"")


def test_stream_of_a_post_and_of_a_part(foreign: Foreign) -> None:
    foreign.library.answers = [foreign.library.make("Book", name="b")]
    reply = foreign.client.request("POST", "/library/books:lend", {"requestId": "r"})
    assert (reply.status, json.loads(reply.body)["result"]["name"]) == (200, "b")
    assert foreign.library.requests[-1].request_id == "r"
    assert foreign.client.request("POST", "/library/books:lend", {"nonsense": "r"}).status == 400
    foreign.library.answers = [foreign.library.make("ListBooksResponse", books=[{"name": "a"}])]
    titles = foreign.client.get("/library/titles:follow?fields=name").body
    assert json.loads(titles) == {"result": [{"name": "a"}]}


def test_stream_that_fails(foreign: Foreign) -> None:
    details = [any_pb2.Any(type_url="type.googleapis.com/acme.Unknown", value=b"\x01")]
    foreign.library.fails = status_pb2.Status(code=6, message="There is one.", details=details)
    early = foreign.client.get("/library/books:follow")
    assert (early.status, early.json["code"]) == (409, 6)
    foreign.library.answers = [foreign.library.make("Book")]
    late = foreign.client.get("/library/books:follow")
    assert late.status == 200
    error = json.loads(late.body.splitlines()[-1])["error"]
    assert (error["code"], error["message"], error["details"][0]["value"]) == (6, "There is one.", "AQ==")


def test_chosen_fields(foreign: Foreign) -> None:
    foreign.library.answer = lambda request: foreign.library.make("Book", name="n", author={"full_name": "x"})
    assert foreign.client.get(f"{BOOK}?fields=name,author.fullName").json == {"name": "n", "author": {"fullName": "x"}}
    assert foreign.client.get(f"{BOOK}?fields=pages").json["code"] == 3


def test_both_services_are_served(foreign: Foreign, caplog: pytest.LogCaptureFixture) -> None:
    assert foreign.client.get("/v1/storages").json == {"storages": []}
    index = foreign.client.get("/v1").json
    assert "acme.library.v1.Library" in index["services"]
    assert foreign.client.get("/library/nothing").json["error_code"] == "NoSuchAction"


def test_binding_that_is_none_is_left_out(caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest) -> None:
    with caplog.at_level(logging.ERROR, "gateway.bindings"):
        foreign: Foreign = request.getfixturevalue("foreign")
    assert "Library.Broken can't be served over HTTP" in caplog.text
    assert foreign.client.get(BOOK).status == 200


def test_it_goes_and_comes_back_with_more(foreign: Foreign) -> None:
    foreign.loop.run(foreign.backend.stop(None))
    gone = foreign.client.get(BOOK)
    assert (gone.status, gone.json["code"], gone.headers["retry-after"]) == (503, 14, "1")
    assert foreign.client.get("/v1/storages").status == 200, "others are not touched"
    newer = Library(more_paths=True)
    foreign.backend, port = foreign.loop.run(newer.serve(f"127.0.0.1:{foreign.port}"))
    assert port == foreign.port
    foreign.until(lambda: foreign.client.request("POST", "/library/shelves/1:burn", {}).status == 200)
    assert foreign.client.get(BOOK).status == 200
    assert newer.requests


def test_it_comes_late() -> None:
    loop, library = Loop(), Library()
    probe, port = loop.run(library.serve())
    loop.run(probe.stop(None))

    async def start() -> tuple[grpc.aio.Channel, Gateway, HttpServer]:
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
        gateway = Gateway()
        await gateway.start({"library": ChannelInvoker(channel)})
        return channel, gateway, await serve(gateway, "127.0.0.1", 0)

    channel, gateway, server = loop.run(start())
    client = Client(server.port)
    early = client.get(BOOK)
    assert (early.status, early.json["error_code"], early.headers["retry-after"]) == (503, "ServiceUnavailable", "1")
    assert not gateway.ready
    backend, again = loop.run(library.serve(f"127.0.0.1:{port}"))
    assert again == port
    deadline = time.monotonic() + 60
    while client.get(BOOK).status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)

    async def stop() -> None:
        await server.stop(1.0)
        await gateway.stop()
        await channel.close()
        await backend.stop(None)

    loop.run(stop())
    loop.close()


def test_answers_are_valid_json(foreign: Foreign) -> None:
    def answer(request: Any) -> Any:
        return foreign.library.make("Book", name='"\\\n\0é\u2028')

    foreign.library.answer = answer
    assert json.loads(foreign.client.get(BOOK).body)["name"] == '"\\\n\0é\u2028'
