"""Whether the gateway lives, and whether what is behind it can serve."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
import orjson
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from gateway.backend import Backend
from gateway.operation import JSON, HttpAnswer
from services.calls.errors import CallError
from services.calls.pipeline import Ingress

ALIVE, READY = "/healthz", "/readyz"
_CHECK = "/grpc.health.v1.Health/Check"
_SECONDS = 3.0
# Such a service has no health check, or keeps it to itself: that it describes itself must do.
_SILENT = frozenset({grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})


def alive() -> HttpAnswer:
    """The event loop runs, or nobody would answer."""
    return HttpAnswer(200, [JSON], b'{"status":"alive"}')


async def ready(backends: Sequence[Backend], request_id: str) -> HttpAnswer:
    """200 where the first backend, the core, says that it serves; else SERVICE_UNAVAILABLE with what is wrong.

    Another one that is away is named, but takes only its own paths with it: the rest is served as before.
    """
    found = await asyncio.gather(*(_problem(backend, request_id) for backend in backends))
    problems = {backend.name: problem for backend, problem in zip(backends, found, strict=True) if problem}
    if backends[0].name in problems:
        text = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        raise CallError("SERVICE_UNAVAILABLE", f"Not ready. {text}", metadata=problems, retry_after=1.0)
    serving = [backend.name for backend in backends if backend.name not in problems]
    body = {"status": "ready", "backends": serving, **({"away": problems} if problems else {})}
    return HttpAnswer(200, [JSON], orjson.dumps(body))


async def _problem(backend: Backend, request_id: str) -> str:
    if backend.descriptors is None:
        return "It has not been reached yet."
    ingress = Ingress(token=None, request_id=request_id, timeout=_SECONDS, peer="gateway")
    try:
        answer = await backend.invoker.unary(_CHECK, b"", ingress)
    except CallError as error:
        if error.code in _SILENT:
            return ""
        backend.saw(error)
        return error.message
    try:
        status = health_pb2.HealthCheckResponse.FromString(answer.body).status
    except DecodeError:
        return "Its health check can't be read."
    if status == health_pb2.HealthCheckResponse.SERVING:
        return ""
    known = health_pb2.HealthCheckResponse.ServingStatus.values()
    return f"It says {health_pb2.HealthCheckResponse.ServingStatus.Name(status) if status in known else status}."
