"""Answers that are no JSON: google.api.HttpBody, at once and as a stream."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from google.api import httpbody_pb2
from google.protobuf.message_factory import GetMessageClass
from google.rpc import status_pb2

from tests.gateway.foreign import Foreign


def _body(foreign: Foreign, text: str, kind: str = "text/x-verse; v=1") -> Any:
    made = GetMessageClass(foreign.library.pool.FindMessageTypeByName("google.api.HttpBody"))
    return made(content_type=kind, data=text.encode())


@contextmanager
def _get(foreign: Foreign, path: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
    with closing(http.client.HTTPConnection("127.0.0.1", foreign.client.port, timeout=60)) as connection:
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as answer:
            yield answer


def test_bytes_and_their_type_are_answered_as_they_are(foreign: Foreign) -> None:
    foreign.library.answer = lambda request: _body(foreign, f"{request.name}|{request.format}|{request.seal}")
    with _get(foreign, "/library/text/iliad", Accept="text/x-verse;q=0.5", **{"X-Seal": "wax"}) as answer:
        assert (answer.status, answer.headers["content-type"]) == (200, "text/x-verse; v=1")
        assert answer.read() == b"iliad|text/x-verse;q=0.5|wax"


def test_the_parts_of_a_stream_make_one_answer(foreign: Foreign) -> None:
    foreign.library.answers = [_body(foreign, "sing, "), _body(foreign, "", ""), _body(foreign, "goddess" * 1000, "")]
    with _get(foreign, "/library/voice/iliad") as answer:
        assert (answer.status, answer.headers["content-type"]) == (200, "text/x-verse; v=1")
        assert answer.read() == b"sing, " + b"goddess" * 1000


def test_a_stream_that_fails_at_once_is_a_failed_request(foreign: Foreign) -> None:
    foreign.library.fails = status_pb2.Status(code=9, message="It burnt.")
    with _get(foreign, "/library/voice/iliad") as answer:
        assert answer.status == 400
        assert b"It burnt." in answer.read()


def test_a_stream_that_fails_later_is_cut_off(foreign: Foreign) -> None:
    foreign.library.answers = [_body(foreign, "sing, ")]
    foreign.library.fails = status_pb2.Status(code=9, message="It burnt.")
    with _get(foreign, "/library/voice/iliad") as answer:
        assert answer.status == 200
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()


def test_what_a_header_says_can_not_be_said_by_the_query(foreign: Foreign) -> None:
    with _get(foreign, "/library/text/iliad?format=x") as answer:
        assert answer.status == 400
        assert b"a header or the body gives it already" in answer.read()


@pytest.mark.parametrize("kind", ["", "text/plain\r\nx-evil: 1"], ids=["none", "line break"])
def test_a_type_that_is_none_is_not_passed_on(foreign: Foreign, kind: str) -> None:
    foreign.library.answer = lambda request: _body(foreign, "x", kind)
    with _get(foreign, "/library/text/iliad") as answer:
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-evil"] is None


def test_the_description_has_such_answers(foreign: Foreign) -> None:
    paths = foreign.client.get("/v1/openapi.json").json["paths"]
    operation = paths["/library/text/{name}"]["get"]
    assert operation["responses"]["200"]["content"] == {"*/*": {"schema": {}}}
    named = {parameter.get("name"): parameter.get("in") for parameter in operation["parameters"]}
    assert named["x-seal"] == "header"
    assert "format" not in named
    assert httpbody_pb2.HttpBody.DESCRIPTOR.name not in str(operation["responses"]["200"])
