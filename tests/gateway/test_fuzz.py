"""Whatever is sent: an answer of ours, never a fault of ours."""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.message_factory import GetMessageClass

from benchmarks.codec import filled
from gateway.bindings import WHOLE
from gateway.operation import Operation
from tests.gateway.support import TIMEOUT, Running

ROUNDS = 12
_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 1e300, 0.5, -0.0),
    *("", "x", "0", "-1", "9" * 30, "NaN", "\0", "é\u2028\U0001f600", "../..", "a" * 3000, "2026-02-30T00:00:00"),
    *([], {}, [[]], [None], {"": None}, {"@type": "x/google.protobuf.Any"}, [{}] * 50),
)


def mutated(chance: random.Random, value: Any, depth: int = 0) -> Any:
    """Something near to it."""
    if chance.random() < 0.15:
        return chance.choice(_ODD)
    if isinstance(value, dict):
        changed = {key: mutated(chance, item, depth + 1) for key, item in value.items() if chance.random() < 0.9}
        if chance.random() < 0.1:
            changed[chance.choice(["x", "", "self", "__class__", "rest", "fields"])] = chance.choice(_ODD)
        return changed
    if isinstance(value, list):
        return [mutated(chance, item, depth + 1) for item in value] * chance.choice((1, 1, 0, 2))
    return value


def broken(chance: random.Random, text: bytes) -> bytes:
    """The bytes with some of them changed."""
    data = bytearray(text)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        data[at : at + chance.choice((0, 1, 5))] = chance.choice(
            (b"", b'"', b"{", b"]", b"\\", b"\xff", b"\\ud800", b"\0", b",", b"1e999", b"[" * 80)
        )
    return bytes(data)


def bodies(chance: random.Random, operation: Operation) -> Iterator[bytes]:
    message = operation.binding.method.input_type
    if operation.binding.body not in ("", WHOLE):
        inner = message.fields_by_name[operation.binding.body].message_type
        message = inner or message
    whole = operation.codecs.encoders(operation.dialect).of(message)(filled(message))
    for field in operation.binding.path_fields:
        whole.pop(field, None)
    plain = json.dumps({key: item for key, item in whole.items() if item is not None})
    assert GetMessageClass(message)
    yield plain.encode()
    for number in range(ROUNDS):
        text = json.dumps(mutated(chance, whole)).encode()
        yield broken(chance, text) if number % 3 == 0 else text


@pytest.mark.parametrize("seed", [1, 2])
def test_bodies(local: Running, seed: int) -> None:
    chance = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", local.server.port, timeout=TIMEOUT)
    taken = refused = 0
    for operation in local.gateway.backends[0].operations:
        if not operation.binding.body:
            continue
        path = "/".join("x" if segment == "*" else segment for segment in operation.binding.template.segments)
        verb = f":{operation.binding.template.verb}" if operation.binding.template.verb else ""
        for body in bodies(chance, operation):
            headers = {"Content-Type": "application/json"}
            connection.request(operation.binding.http_method, f"/{path}{verb}", body, headers)
            response = connection.getresponse()
            answer = response.read()
            assert response.status < 500, (operation.path, body, answer)
            if response.status >= 400:
                refused += 1
                found = json.loads(answer)
                assert found["error_code"] in ("InvalidInput", "MalformedRequestBody"), (body, found)
                assert found["error_msg"]
            else:
                taken += 1
    connection.close()
    assert min(taken, refused) > 10, (taken, refused)


@pytest.mark.parametrize("seed", [3, 4])
def test_queries(local: Running, seed: int) -> None:
    chance = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", local.server.port, timeout=TIMEOUT)
    names = ["fields", "limit", "offset", "marker", "sort", "filter", "page_token", "name", "labels.a", "x", "", "%00"]
    values = [
        "",
        "1",
        "-1",
        "name,id",
        "a.b.c",
        "%FF",
        "%00",
        "9" * 40,
        "a%20%3D%20%22",
        "%F0%9F%98%80",
        "id" * 900,
        ",",
    ]
    statuses: set[int] = set()
    paths = ("/v1/volumes", "/v1/storages", "/v1/changes", "/v1/volumes/x", "/v1/changes:watch", "/v1/nothing", "/v1")
    for _ in range(150):
        query = "&".join(f"{chance.choice(names)}={chance.choice(values)}" for _ in range(chance.randint(0, 4)))
        accept = chance.choice(["", "*/*", "text/event-stream;q=x", "application/json;int64=string", ",;=", "\xff"])
        headers = {
            "Accept": accept,
            "Accept-Encoding": chance.choice(["", "gzip;q", "*;q=0,;", "\xff"]),
            "If-None-Match": chance.choice(["", "*", 'W/"', "\xff,,"]),
            "Last-Event-ID": chance.choice(["", "start", "\xff\xfe"]),
        }
        connection.request("GET", f"{chance.choice(paths)}?{query}", headers=headers)
        response = connection.getresponse()
        answer = response.read()
        assert response.status in (200, 304, 400, 404), (query, headers, answer)
        statuses.add(response.status)
    connection.close()
    assert {200, 400} <= statuses
