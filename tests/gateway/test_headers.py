"""Headers that shape an answer: conditional GET, compression, request ids, deadlines; and whether we live."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import re
from typing import Any

import grpc
import pytest

from delphis.inventory.v1 import resource_pb2, version_pb2
from delphis.type.v1 import block_pb2, storage_pb2
from gateway import representation
from services.calls.errors import CallError
from services.calls.pipeline import Answer
from tests.gateway.support import Reply, Running

STORAGE = "/v1/storages/s"
LARGE = resource_pb2.ListVolumesResponse(
    volumes=[block_pb2.Volume(id=str(number), name=f"volume {number}") for number in range(300)]
)


def test_a_tag_stands_for_the_content(rest: Running) -> None:
    rest.stub.answers["GetStorage"] = storage_pb2.Storage(id="s", name="a")
    first = rest.client.get(STORAGE)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for known in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
        again = rest.client.get(STORAGE, If_None_Match=known)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
        assert "content-length" not in again.headers
    head = rest.client.request("HEAD", STORAGE, headers={"If-None-Match": tag})
    assert head.status == 304
    rest.stub.answers["GetStorage"] = storage_pb2.Storage(id="s", name="b")
    changed = rest.client.get(STORAGE, If_None_Match=tag)
    assert (changed.status, changed.json["name"]) == (200, "b")
    assert rest.client.get(STORAGE, If_None_Match='"other"').status == 200


def test_a_connection_goes_on_after_304(rest: Running) -> None:
    tag = rest.client.get(STORAGE).headers["etag"]
    connection = http.client.HTTPConnection("127.0.0.1", rest.server.port, timeout=60)
    for headers, status in (({"If-None-Match": tag}, 304), ({}, 200), ({"If-None-Match": tag}, 304)):
        connection.request("GET", STORAGE, headers=headers)
        response = connection.getresponse()
        response.read()
        assert response.status == status
    connection.close()


def test_errors_and_changes_are_not_kept(rest: Running) -> None:
    rest.stub.answers["GetStorage"] = CallError("STORAGE_NOT_FOUND", "None.")
    failed = rest.client.get(STORAGE, If_None_Match="*")
    assert (failed.status, failed.headers["cache-control"], failed.headers["etag"]) == (404, "no-store", None)
    created = rest.client.request("POST", "/v1/storages/sync", headers={"If-None-Match": "*"})
    assert (created.status, created.headers["etag"]) == (202, None)


def get_gzip(rest: Running, accepted: str) -> Reply:
    return rest.client.get("/v1/volumes?limit=300", Accept_Encoding=accepted)


def test_large_answers_are_compressed(rest: Running) -> None:
    rest.stub.answers["ListVolumes"] = LARGE
    plain = get_gzip(rest, "identity")
    assert plain.headers["content-encoding"] is None
    packed = get_gzip(rest, "deflate, gzip;q=0.8")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 4
    assert packed.headers["vary"] == "accept, accept-encoding"
    assert packed.headers["etag"] == plain.headers["etag"]
    assert len(plain.body) > representation._INLINE_TO, "in a thread"
    rest.stub.answers["ListVolumes"] = resource_pb2.ListVolumesResponse(volumes=LARGE.volumes[:5])
    assert json.loads(gzip.decompress(get_gzip(rest, "gzip").body))["volumes"][4]["id"] == "4"


def test_small_answers_and_streams_are_not(rest: Running) -> None:
    assert rest.client.get("/v1/storages", Accept_Encoding="gzip").headers["content-encoding"] is None
    stream = rest.client.get("/v1/changes:watch", Accept_Encoding="gzip")
    assert (stream.status, stream.headers["content-encoding"]) == (200, None)


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        (b"gzip", True),
        (b"GZIP", True),
        (b"x-gzip", True),
        (b"br, gzip ; q=0.5", True),
        (b"*", True),
        (b"gzip;q=0", False),
        (b"gzip;q=0, *", False),
        (b"identity, gzip;q=0.5", False),
        (b"identity;q=0.5, gzip", True),
        (b"gzip;q=nonsense", False),
        (b"br", False),
        (b"", False),
        (b"\xff;;=,", False),
    ],
)
def test_what_an_accept_encoding_says(accepted: bytes, takes: bool) -> None:
    assert representation.takes_gzip(accepted) is takes


def test_request_ids(rest: Running) -> None:
    given = rest.client.get(STORAGE, X_Request_Id="build-7/a")
    assert given.headers["x-request-id"] == given.headers["x-compute-request-id"] == "build-7/a"
    assert rest.stub.calls[-1][2].request_id == "build-7/a", "so it is in log and audit"
    for mad in ("a" * 65, "a b", "a;b", ""):
        made = rest.client.get(STORAGE, X_Request_Id=mad).headers["x-request-id"]
        assert re.fullmatch(r"req-[0-9a-f-]{36}", made)
    assert rest.client.get("/v1/nothing", X_Request_Id="mine").headers["x-request-id"] == "mine"


@pytest.mark.parametrize("header", ["Request_Timeout", "X_Request_Timeout"])
def test_a_deadline(rest: Running, header: str) -> None:
    async def slow(request: Any, call: Any) -> None:
        await asyncio.sleep(30)

    rest.stub.answers["GetStorage"] = slow
    late = rest.client.get(STORAGE, **{header: "0.2"})
    assert (late.status, late.json["error_code"]) == (504, "DeadlineExceeded")
    for bad in ("0", "-1", "soon", "nan", "inf", ""):
        refused = rest.client.get(STORAGE, **{header: bad})
        assert (refused.status, refused.json["error_args"]) == (400, [header.replace("_", "-")])
    rest.stub.reset()
    assert rest.client.get(STORAGE, **{header: "1e9"}).status == 200
    loop_time = rest.loop.run(_now())
    assert rest.stub.calls[-1][2].deadline - loop_time < 100_000, "as a time of the future, not a number of its own"


async def _now() -> float:
    return asyncio.get_running_loop().time()


def test_alive_and_ready(rest: Running) -> None:
    assert rest.client.get("/healthz").json == {"status": "alive"}
    assert rest.client.request("HEAD", "/healthz").status == 200
    assert rest.client.request("POST", "/healthz").headers["allow"] == "GET, HEAD, OPTIONS"
    assert rest.client.get("/readyz").json == {"status": "ready", "backends": ["core"]}


def test_version(rest: Running) -> None:
    rest.stub.answers["GetVersion"] = version_pb2.Version(version="1.2", contracts=["delphis.x.v1"])
    found = rest.client.get("/v1/version").json
    assert (found["version"], found["contracts"]) == ("1.2", ["delphis.x.v1"])


def test_not_ready(rest: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = rest.gateway.backends[0]
    unary = backend.invoker.unary

    async def sick(path: str, body: bytes, ingress: Any) -> Any:
        if path.endswith("/Check"):
            raise CallError("SERVICE_UNAVAILABLE", "The store does not answer.")
        return await unary(path, body, ingress)

    monkeypatch.setattr(backend.invoker, "unary", sick)
    found = rest.client.get("/readyz")
    assert (found.status, found.json["error_code"]) == (503, "ServiceUnavailable")
    assert "core: The store does not answer." in found.json["error_msg"]
    assert found.json["error_args"] == ["The store does not answer."]
    assert rest.client.get("/healthz").status == 200

    for body, says in ((b"\xff", "core: Its health check can't be read."), (b"\x08\x63", "core: It says 99.")):

        async def odd(path: str, _: bytes, ingress: Any, body: bytes = body) -> Any:
            return Answer(body, {})

        monkeypatch.setattr(backend.invoker, "unary", odd)
        found = rest.client.get("/readyz")
        assert (found.status, says in found.json["error_msg"]) == (503, True)

    async def shy(path: str, body: bytes, ingress: Any) -> Any:
        raise CallError("", "Who are you?", code=grpc.StatusCode.UNAUTHENTICATED)

    monkeypatch.setattr(backend.invoker, "unary", shy)
    assert rest.client.get("/readyz").status == 200, "that it describes itself must do"
