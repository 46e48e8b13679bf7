"""Bodies of requests, good and bad."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from tests.gateway.support import TIMEOUT, Running

GUIDE = {
    "rest": {
        "host": "127.0.0.1",
        "port": "22",
        "username": "username",
        "password": "password",
        "vendor": "sample_vendor",
        "model": "sample_model",
    }
}
JSON = {"Content-Type": "application/json"}


def test_body_of_the_driver_guide(rest: Running) -> None:
    assert rest.client.request("POST", "/v1/storages", GUIDE).status == 201
    block = rest.stub.last[1].rest
    assert (block.port, block.vendor, block.model, block.password) == (22, "sample_vendor", "sample_model", "password")


def test_every_type_of_a_registration(rest: Running) -> None:
    body = {
        "vendor": "v",
        "model": "m",
        "storage_name": None,
        "ssh": {"host": "h", "port": 22.0, "host_key_policy": "Trust_First"},
        "extra_attributes": {"a b": "c"},
        "labels": {},
        "sync_interval": "900s",
        "validate_only": True,
    }
    assert rest.client.request("POST", "/v1/storages", body).status == 201
    request = rest.stub.last[1]
    assert (request.HasField("storage_name"), request.HasField("rest"), request.HasField("ssh")) == (False, False, True)
    assert (request.ssh.port, request.ssh.host_key_policy) == (22, 3)
    assert (request.sync_interval.seconds, request.validate_only) == (900, True)
    assert dict(request.extra_attributes) == {"a b": "c"}


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"bogus": 1}, "bogus", "no such field"),
        ({"rest": {"host": "h", "prot": 1}}, "rest.prot", "no such field"),
        ({"rest": []}, "rest", "object"),
        ({"rest": "x"}, "rest", "object"),
        ({"vendor": 1}, "vendor", "string"),
        ({"vendor": ["v"]}, "vendor", "string"),
        ({"vendor": "\ud800"}, "vendor", "surrogate"),
        ({"rest": {"port": "twenty"}}, "rest.port", "integer"),
        ({"rest": {"port": True}}, "rest.port", "integer"),
        ({"rest": {"port": 1.5}}, "rest.port", "integer"),
        ({"rest": {"port": 2**31}}, "rest.port", "from -2147483648 to 2147483647"),
        ({"rest": {"port": "99999999999"}}, "rest.port", "from -2147483648"),
        ({"rest": {"port": [22]}}, "rest.port", "array"),
        ({"rest": {"max_requests_per_second": "fast"}}, "rest.max_requests_per_second", "number"),
        ({"rest": {"tls": {"mode": "none"}}}, "rest.tls.mode", "verify, pinned, off"),
        ({"rest": {"tls": {"mode": 2}}}, "rest.tls.mode", "string"),
        ({"rest": {"tls": {"plaintext": "yes"}}}, "rest.tls.plaintext", "true or false"),
        ({"rest": {"tls": {"plaintext": 1}}}, "rest.tls.plaintext", "true or false"),
        ({"labels": ["a"]}, "labels", "object"),
        ({"labels": {"a": 1}}, "labels.a", "string"),
        ({"labels": {"a": None}}, "labels.a", "null"),
        ({"extra_attributes": {"key": ["S3CRET"]}}, "extra_attributes.key", "string"),
        ({"sync_interval": "soon"}, "sync_interval", "900s"),
        ({"sync_interval": "9e9s"}, "sync_interval", "900s"),
        ({"validate_only": "true"}, "validate_only", "true or false"),
    ],
)
def test_wrong_field(local: Running, body: Any, field: str, says: str) -> None:
    reply = local.client.request("POST", "/v1/storages", body)
    assert (reply.status, reply.json["error_code"], reply.json["status"]) == (400, "InvalidInput", "INVALID_ARGUMENT")
    assert reply.json["error_args"] == [field]
    assert reply.json["error_msg"].startswith(f"Invalid input for field/attribute {field}. ")
    assert says in reply.json["error_msg"]
    assert b"S3CRET" not in reply.body
    assert not local.stub.calls


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", "MalformedRequestBody"),
        (b"not json", "MalformedRequestBody"),
        (b'{"vendor": "v",}', "MalformedRequestBody"),
        (b"{'vendor': 'v'}", "MalformedRequestBody"),
        (b'{"vendor": "\xff"}', "MalformedRequestBody"),
        (b'\xef\xbb\xbf{"vendor": "v"}', "MalformedRequestBody"),
        (b'{"rest": {"port": NaN}}', "MalformedRequestBody"),
        (b'{"rest": {"port": ' + b"9" * 5000 + b"}}", "MalformedRequestBody"),
        (b"[" * 30_000, "MalformedRequestBody"),
        (b'{"labels": ' + b'{"a":' * 100 + b"1" + b"}" * 101, "MalformedRequestBody"),
        (b'{"vendor": "a", "vendor": "b"}', "InvalidInput"),
        (b'{"rest": {"host": "a", "host": "a"}}', "InvalidInput"),
        (b'{"\\ud800": 1}', "InvalidInput"),
        (b'{"' + b"x" * 5000 + b'": 1}', "InvalidInput"),
        (b'{"rest": {"port": 1e400}}', "InvalidInput"),
        (b"[]", "InvalidInput"),
        (b"null", "InvalidInput"),
        (b'"text"', "InvalidInput"),
        (b"", "MalformedRequestBody"),
    ],
)
def test_wrong_json(local: Running, raw: bytes, code: str) -> None:
    for method, path in (("POST", "/v1/storages"), ("PUT", "/v1/storages/s/access-info"), ("PATCH", "/v1/storages/s")):
        reply = local.client.request(method, path, raw=raw, headers=JSON)
        assert reply.status == 400, reply
        if path == "/v1/storages":
            assert reply.json["error_code"] == code
        assert len(reply.body) < 2000
        assert not local.stub.calls


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/x-www-form-urlencoded",
        "text/plain",
        "application/json; charset=latin-1",
        "multipart/form-data",
    ],
)
def test_body_that_is_not_said_to_be_json(rest: Running, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type is not None else {}
    reply = rest.client.request("POST", "/v1/storages", raw=json.dumps(GUIDE).encode(), headers=headers)
    assert (reply.status, reply.json["error_code"]) == (400, "BadRequest")
    assert "Content-Type: application/json" in reply.json["error_msg"]
    assert not rest.stub.calls


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", "APPLICATION/JSON", "application/x+json"])
def test_body_that_is_json(local: Running, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    assert local.client.request("POST", "/v1/storages", GUIDE, headers).status == 201


@pytest.mark.parametrize(
    "line", ["POST /v1/storages/s/sync", "POST /v1/storages/sync", "DELETE /v1/storages/s", "GET /v1/storages"]
)
def test_body_where_none_is_taken(rest: Running, line: str) -> None:
    method, path = line.split()
    reply = rest.client.request(method, path, {})
    assert (reply.status, reply.json["error_code"]) == (400, "BadRequest")
    assert not rest.stub.calls
    # No body is no body, whatever the headers say.
    assert rest.client.request(method, path, raw=b"", headers=JSON).status in (200, 202)


def test_missing_body(rest: Running) -> None:
    for method, path in (("POST", "/v1/storages"), ("PUT", "/v1/storages/s/access-info"), ("PATCH", "/v1/storages/s")):
        reply = rest.client.request(method, path)
        assert (reply.status, reply.json["error_code"]) == (400, "MalformedRequestBody")
    assert not rest.stub.calls
    assert rest.client.request("POST", "/v1/jobs/j:cancel").status == 200, "an action may need none"


def test_field_of_the_path_in_the_body(rest: Running) -> None:
    reply = rest.client.request("PUT", "/v1/storages/s1/access-info", {"storage_id": "s2", "rest": {}})
    assert (reply.status, reply.json["error_args"]) == (400, ["storage_id"])
    assert not rest.stub.calls


def test_query_beside_a_body(rest: Running) -> None:
    reply = rest.client.request("POST", "/v1/storages?vendor=x", GUIDE)
    assert (reply.status, reply.json["error_args"]) == (400, ["vendor"])


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"display_name": "x"}, ["display_name"]),
        ({"pause": None, "labels": {"a": "b"}}, ["pause", "labels"]),
        ({"pause": {"reason": "r", "until": "2026-11-22T13:42:55.5"}}, ["pause"]),
        ({"pause": {"until": "2026-11-22T14:42:55.5+01:00"}}, ["pause"]),
        ({"sync_interval": 60}, ["sync_interval"]),
        ({}, []),
    ],
)
def test_mask_of_a_patch(rest: Running, body: Any, paths: list[str]) -> None:
    assert rest.client.request("PATCH", "/v1/storages/s1", body).status == 200
    request = rest.stub.last[1]
    assert (request.storage_id, list(request.update_mask.paths)) == ("s1", paths)
    if "until" in (body.get("pause") or {}):
        assert request.settings.pause.until.ToJsonString() == "2026-11-22T13:42:55.500Z"
    if "sync_interval" in body:
        assert request.settings.sync_interval.seconds == 60


def test_mask_in_the_query(rest: Running) -> None:
    assert rest.client.request("PATCH", "/v1/storages/s?update_mask=labels,pause", {"labels": {}}).status == 200
    assert list(rest.stub.last[1].update_mask.paths) == ["labels", "pause"]
    reply = rest.client.request("PATCH", "/v1/storages/s?settings.display_name=x", {"labels": {}})
    assert (reply.status, reply.json["error_args"]) == (400, ["settings.display_name"])


def raw_exchange(gateway: Running, request: bytes, more: list[bytes] | None = None) -> bytes:
    """Sends bytes as they are, and answers what comes until the connection ends."""
    with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=TIMEOUT) as connection:
        connection.sendall(request)
        for part in more or []:
            connection.sendall(part)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


@pytest.mark.parametrize("path", ["/v1/storages", "/v1/storages/s/sync"])
def test_huge_body(rest: Running, path: str) -> None:
    huge = b'{"vendor": "' + b"v" * 200_000 + b'"}'
    reply = rest.client.request("POST", path, raw=huge, headers=JSON)
    assert (reply.status, reply.json["error_code"], reply.json["error_args"]) == (413, "RequestTooLarge", ["65536"])
    assert reply.headers["connection"] == "close"
    assert not rest.stub.calls


def test_huge_body_that_is_only_announced(rest: Running) -> None:
    head = b"POST /v1/storages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", rest.server.port), timeout=TIMEOUT) as connection:
        connection.sendall(head + b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n")
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_huge_body_in_chunks(rest: Running) -> None:
    head = b"POST /v1/storages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    answer = raw_exchange(rest, head + b"Transfer-Encoding: chunked\r\n\r\n", [chunk] * 8 + [b"0\r\n\r\n"])
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"RequestTooLarge" in answer
    assert not rest.stub.calls


def test_body_in_chunks(rest: Running) -> None:
    body = json.dumps(GUIDE).encode()
    head = b"POST /v1/storages HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nConnection: close\r\n"
    chunks = [b"1\r\n" + body[at : at + 1] + b"\r\n" for at in range(len(body))]
    answer = raw_exchange(rest, head + b"Transfer-Encoding: chunked\r\n\r\n", [*chunks, b"0\r\n\r\n"])
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert rest.stub.last[1].rest.port == 22


def test_body_that_does_not_come(rest: Running) -> None:
    head = b"POST /v1/storages HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
    with socket.create_connection(("127.0.0.1", rest.server.port), timeout=TIMEOUT) as connection:
        connection.sendall(head + b'{"a"')
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"did not come within 1 seconds" in answer
