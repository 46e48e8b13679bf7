"""Failed calls as HTTP answers: never empty, never a traceback."""

from __future__ import annotations

import math
from typing import Any

import grpc
import orjson
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import EnumDescriptor

from delphis.type.v1 import options_pb2
from gateway.codecs import Codecs
from gateway.dialect import DELFIN, STANDARD, Dialect
from gateway.operation import JSON, Headers, HttpAnswer
from services.calls.errors import DOMAIN, CallError, reasons

# As grpc-gateway has them; a reason of the contract says it better.
STATUS_OF_CODE = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DATA_LOSS: 500,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}

_PREFIX = "REASON_"
# What a status is called that came without a reason: SODA Delfin's class where it has one.
_CODE_TEXTS = {
    grpc.StatusCode.INVALID_ARGUMENT: "InvalidInput",
    grpc.StatusCode.NOT_FOUND: "NotFound",
    grpc.StatusCode.PERMISSION_DENIED: "NotAuthorized",
}


class Reasons:
    """The texts and HTTP statuses of reasons: those compiled in, overridden by what a backend reflects."""

    def __init__(self, reflected: EnumDescriptor | None = None) -> None:
        self._known = {name: (info.text, info.http_status) for name, info in reasons().items()}
        for value in reflected.values if reflected is not None else ():
            options = value.GetOptions()
            text = options.Extensions[options_pb2.text]
            status = options.Extensions[options_pb2.http_status]
            if text and 400 <= status <= 599:
                self._known[value.name.removeprefix(_PREFIX)] = (text, status)

    def error_code(self, error: CallError) -> str:
        """The `error_code` of SODA Delfin's dialect."""
        known = self._known_of(error)
        if known is not None:
            return known[0]
        if error.reason:
            return _pascal(error.reason)
        return _CODE_TEXTS.get(error.code) or _pascal(error.code.name)

    def http_status(self, error: CallError) -> int:
        """By reason; by code where the reason is none of the contract's."""
        known = self._known_of(error)
        return known[1] if known is not None else STATUS_OF_CODE[error.code]

    def _known_of(self, error: CallError) -> tuple[str, int] | None:
        return self._known.get(error.reason) if error.domain == DOMAIN else None


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


class Faults:
    """Writes failed calls in a dialect."""

    def __init__(self, known: Reasons | None = None, codecs: Codecs | None = None) -> None:
        self._reasons = known or Reasons()
        self._encoders = (codecs or Codecs(descriptor_pool.Default())).encoders(STANDARD)

    def answer(self, error: CallError, dialect: Dialect = DELFIN) -> HttpAnswer:
        """The answer."""
        details = [self._encoders.of(detail.DESCRIPTOR)(detail) for detail in error.status().details]
        if dialect.delfin:
            status, body = self._reasons.http_status(error), self._delfin(error, details)
        else:
            status = STATUS_OF_CODE[error.code]
            body = {"code": error.code.value[0], "message": error.message, "details": details}
        if status < 400:
            status = 500  # a failure that calls itself a success
        headers: Headers = [JSON]
        if error.retry_after is not None:
            headers.append((b"retry-after", str(_whole_seconds(error.retry_after)).encode()))
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        return HttpAnswer(status, headers, orjson.dumps(body))

    def _delfin(self, error: CallError, details: list[Any]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "error_code": self._reasons.error_code(error),
            "error_msg": error.message,
            # In the keys' order: over a hop the order in which they were written is lost.
            "error_args": [error.metadata[key] for key in sorted(error.metadata)],
            "status": error.code.name,
            "details": details,
        }
        if error.retry_after is not None:
            body["retryAfter"] = _whole_seconds(error.retry_after)
        return body


def _whole_seconds(seconds: float) -> int:
    return max(0, math.ceil(seconds))
