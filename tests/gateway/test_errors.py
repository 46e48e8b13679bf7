"""What failed calls look like."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2

from services.calls.errors import CallError, reasons
from tests.gateway.support import OneToken, Running, running


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_each_reason(local: Running, reason: str) -> None:
    info = reasons()[reason]
    local.stub.answers["GetStorage"] = CallError(reason, "What happened.", metadata={"b": "2", "a": "1"})
    reply = local.client.get("/v1/storages/s")
    assert reply.status == info.http_status
    assert reply.json == {
        "error_code": info.text,
        "error_msg": "What happened.",
        "error_args": ["1", "2"],
        "status": info.code.name,
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason,
                "domain": "delphis.dev",
                "metadata": {"a": "1", "b": "2"},
            }
        ],
    }


def test_over_a_hop(rest: Running) -> None:
    rest.stub.answers["GetStorage"] = CallError("ARRAY_BUSY", "Busy.", metadata={"storage_id": "s"}, retry_after=1.5)
    reply = rest.client.get("/v1/storages/s")
    assert (reply.status, reply.json["error_code"], reply.json["error_args"]) == (503, "ArrayBusy", ["s"])
    assert (reply.headers["retry-after"], reply.json["retryAfter"]) == ("2", 2)
    assert {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.500s"} in reply.json["details"]


@pytest.mark.parametrize(
    ("code", "status", "text"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 400, "InvalidInput"),
        (grpc.StatusCode.NOT_FOUND, 404, "NotFound"),
        (grpc.StatusCode.ALREADY_EXISTS, 409, "AlreadyExists"),
        (grpc.StatusCode.UNKNOWN, 500, "Unknown"),
        (grpc.StatusCode.DATA_LOSS, 500, "DataLoss"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 429, "ResourceExhausted"),
        (grpc.StatusCode.UNIMPLEMENTED, 501, "Unimplemented"),
    ],
)
def test_without_reason(rest: Running, code: grpc.StatusCode, status: int, text: str) -> None:
    rest.stub.answers["GetStorage"] = CallError("", "Hm.", code=code)
    reply = rest.client.get("/v1/storages/s")
    assert (reply.status, reply.json["error_code"], reply.json["error_msg"]) == (status, text, "Hm.")
    assert reply.json["status"] == code.name


def test_reason_of_a_newer_service(rest: Running) -> None:
    rest.stub.answers["GetStorage"] = CallError("FLUX_TOO_LOW", "Low.", code=grpc.StatusCode.ABORTED)
    reply = rest.client.get("/v1/storages/s")
    assert (reply.status, reply.json["error_code"]) == (409, "FluxTooLow")


def test_details_that_nobody_knows(rest: Running) -> None:
    unknown = any_pb2.Any(type_url="type.googleapis.com/acme.Mystery", value=b"\x08\x01")
    broken = any_pb2.Any(type_url="type.googleapis.com/google.rpc.BadRequest", value=b"\xff")
    good = any_pb2.Any()
    good.Pack(error_details_pb2.BadRequest(field_violations=[{"field": "f", "description": "d"}]))
    rest.stub.answers["GetStorage"] = CallError("INTERNAL", "Hm.", details=(unknown, broken, good))
    reply = rest.client.get("/v1/storages/s")
    assert reply.status == 500
    assert reply.json["details"][1:] == [
        {"@type": "type.googleapis.com/acme.Mystery", "value": "CAE="},
        {"@type": "type.googleapis.com/google.rpc.BadRequest", "value": "/w=="},
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": "f", "description": "d", "reason": "", "localizedMessage": None}],
        },
    ]


@pytest.mark.parametrize("hop", [False, True])
def test_tokens(hop: bool) -> None:
    with running(hop=hop, authenticator=OneToken()) as gateway:
        for headers in (
            {},
            {"Authorization": "Bearer bad"},
            {"Authorization": "Basic good"},
            {"Authorization": "good"},
        ):
            reply = gateway.client.request("GET", "/v1/storages", headers=headers)
            assert (reply.status, reply.json["error_code"]) == (401, "Unauthenticated"), headers
            assert reply.headers["www-authenticate"] == "Bearer"
        for value in ("Bearer good", "bearer good", "BEARER  good "):
            assert gateway.client.get("/v1/storages", Authorization=value).status == 200, value


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 10.0),
        ({"Grpc-Timeout": "3S"}, 3.0),
        ({"Grpc-Timeout": "1500m"}, 1.5),
        ({"Grpc-Timeout": "2M"}, 120.0),
        ({"X-Request-Timeout": "2.5"}, 2.5),
        ({"X-Request-Timeout": "1e9"}, 86400.0),
    ],
)
def test_deadline(rest: Running, headers: dict[str, str], seconds: float) -> None:
    left: list[float] = []

    def answer(request: object, call: object) -> None:
        left.append(call.deadline - asyncio.get_running_loop().time())  # type: ignore[attr-defined]

    rest.stub.answers["GetStorage"] = answer
    assert rest.client.request("GET", "/v1/storages/s", headers=headers).status == 200
    assert seconds - 2 < left[0] <= seconds * 1.01 + 0.1  # gRPC rounds


@pytest.mark.parametrize(
    "headers",
    [
        {"Grpc-Timeout": "3"},
        {"Grpc-Timeout": "S"},
        {"Grpc-Timeout": "123456789S"},
        {"X-Request-Timeout": "soon"},
        {"X-Request-Timeout": "nan"},
        {"X-Request-Timeout": "-1"},
        {"X-Request-Timeout": "0"},
        {"X-Request-Timeout": "inf"},
    ],
)
def test_deadline_that_is_none(local: Running, headers: dict[str, str]) -> None:
    reply = local.client.request("GET", "/v1/storages/s", headers=headers)
    assert (reply.status, reply.json["error_code"]) == (400, "InvalidInput")
    assert next(iter(headers)) in reply.json["error_msg"]


def test_deadline_that_passes(rest: Running) -> None:
    rest.stub.answers["GetStorage"] = lambda request, call: asyncio.sleep(60)
    reply = rest.client.get("/v1/storages/s", X_Request_Timeout="0.1")
    assert (reply.status, reply.json["error_code"]) == (504, "DeadlineExceeded")
