"""How calls fail: the tables of errors in the comments as responses with an error's body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor

from gateway.descriptors import REASONS, DescriptorSet
from gateway.dialect import Dialect
from gateway.faults import STATUS_OF_CODE, Reasons
from gateway.openapi.comments import Comments
from gateway.openapi.own import FAILURE_HEADERS
from gateway.openapi.prose import Failure, Prose, read
from gateway.openapi.schemas import Components, Schema
from services.calls.errors import CallError, reasons

ERROR, STATUS = "Error", "Status"
_ERROR_REF: Schema = {"$ref": f"#/components/schemas/{ERROR}"}
_STATUS_REF: Schema = {"$ref": f"#/components/schemas/{STATUS}"}

# What the gateway and the call pipeline answer before or instead of any method.
_ALWAYS = ("INVALID_INPUT", "BAD_REQUEST", "TOO_MANY_REQUESTS", "INTERNAL")
_ALWAYS_AWAY = ("SERVICE_UNAVAILABLE", "STORE_FAULT", "DEADLINE_EXCEEDED")
_LOGIN = ("UNAUTHENTICATED", "NOT_AUTHORIZED")
_NO_LOGIN = ("NOT_AUTHORIZED",)
_BODY = ("MALFORMED_REQUEST_BODY", "REQUEST_TOO_LARGE")
_FOREIGN = (400, 401, 403, 404, 409, 429, 500, 501, 503, 504)
_RETRIED = (429, 503)

TITLES = {
    400: "The request can't be carried out",
    401: "No token, or one that is not known",
    403: "The caller may not do this",
    404: "There is no such thing",
    409: "It contradicts what is there",
    413: "The body is too large",
    429: "The server works at its limit",
    500: "A fault of Delphis",
    501: "The array can't do this",
    502: "The array, or its driver, failed",
    503: "The array, its driver or a service is away",
    504: "Not done within the deadline",
}


class Failures:
    """The error responses of one backend's methods."""

    def __init__(self, descriptors: DescriptorSet, comments: Comments, components: Components, *, login: bool) -> None:
        self._comments = comments
        self._components = components
        self._login = login
        self._reasons = Reasons(descriptors.reasons)
        listed = descriptors.reasons.values_by_name if descriptors.reasons is not None else ()
        self._names = reasons().keys() | {name.removeprefix("REASON_") for name in listed}
        self._files = {service.name: name for name, file in descriptors.files.items() for service in file.service}
        _add_schemas(components)

    def of(self, method: MethodDescriptor, prose: Prose, dialect: Dialect, *, body: bool) -> dict[str, Any]:
        """The responses by status.

        Args:
            method: Whose.
            prose: Its comment.
            dialect: Its conventions.
            body: It takes one.
        """
        if not dialect.delfin:
            return self._foreign()
        rows: dict[int, dict[str, Failure]] = {}
        for failure in (*self._own(method, prose), *self._common(body=body)):
            known = self._known(failure.reason)
            if known is not None:
                rows.setdefault(known[1], {}).setdefault(failure.reason, failure)
        return {str(status): self._response(status, rows[status]) for status in sorted(rows)}

    def _own(self, method: MethodDescriptor, prose: Prose) -> Iterable[Failure]:
        yield from prose.failures
        yield from read(self._comments.of(method.containing_service.full_name)).failures
        for name in prose.elsewhere:
            yield from read(self._comments.of_file(self._files.get(name, ""))).failures

    def _common(self, *, body: bool) -> Iterable[Failure]:
        names = (*_ALWAYS, *_ALWAYS_AWAY, *(_LOGIN if self._login else _NO_LOGIN), *(_BODY if body else ()))
        return (self.meaning(name) for name in names)

    def meaning(self, reason: str) -> Failure:
        """What the contract says of a reason: the condition, and what the caller does."""
        comment = read(self._comments.of(f"{REASONS}.REASON_{reason}")).text
        condition, _, action = comment.partition(". ")
        return Failure(condition.removesuffix("."), reason, action.removesuffix("."))

    def _known(self, reason: str) -> tuple[str, int] | None:
        """The text and the HTTP status of a reason; None where the contract has none of this name."""
        if reason not in self._names:
            return None
        error = CallError(reason, "", code=grpc.StatusCode.UNKNOWN)
        return self._reasons.error_code(error), self._reasons.http_status(error)

    def _response(self, status: int, failures: Mapping[str, Failure]) -> dict[str, Any]:
        common = {self.meaning(reason) for reason in failures} == set(failures.values())
        response = self._written(status, failures)
        if not common:
            return response
        # Operations that say nothing of their own share the response.
        name = _component_name(status, failures)
        self._components.responses.setdefault(name, response)
        return {"$ref": f"#/components/responses/{name}"}

    def _written(self, status: int, failures: Mapping[str, Failure]) -> dict[str, Any]:
        lines = ["| error_code | reason | when | what to do |", "|---|---|---|---|"]
        examples: dict[str, Any] = {}
        for reason, failure in failures.items():
            known = self._known(reason)
            assert known is not None
            lines.append(f"| {known[0]} | {reason} | {failure.condition} | {failure.action} |")
            examples[reason] = {"$ref": f"#/components/examples/{reason}"}
            if reason not in self._components.examples:
                self._components.examples[reason] = self._example(reason)
        return {
            "description": f"{TITLES.get(status, 'The call failed')}.\n\n" + "\n".join(lines),
            "headers": _headers(status),
            "content": {"application/json": {"schema": _ERROR_REF, "examples": examples}},
            "x-reasons": list(failures),
        }

    def _example(self, reason: str) -> dict[str, Any]:
        failure = self.meaning(reason)
        known = self._known(reason)
        assert known is not None
        code = reasons()[reason].code if reason in reasons() else grpc.StatusCode.UNKNOWN
        return {
            "summary": f"{failure.condition or reason}",
            "value": {
                "error_code": known[0],
                "error_msg": f"{failure.condition}. {failure.action}.",
                "error_args": [],
                "status": code.name,
                "details": [
                    {
                        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": reason,
                        "domain": "delphis.dev",
                        "metadata": {},
                    }
                ],
            },
        }

    def _foreign(self) -> dict[str, Any]:
        """A service whose tables are not known may fail with each code."""
        responses: dict[str, Any] = {}
        for status in _FOREIGN:
            if status == 401 and not self._login:
                continue
            # A request that the gateway refuses before it knows where it leads is answered in the gateway's own way.
            schema = {"anyOf": [_STATUS_REF, _ERROR_REF]} if status == 403 and not self._login else _STATUS_REF
            name = f"Status{status}"
            self._components.responses[name] = {
                "description": f"{TITLES.get(status, 'The call failed')}.",
                "headers": _headers(status),
                "content": {"application/json": {"schema": schema}},
            }
            responses[str(status)] = {"$ref": f"#/components/responses/{name}"}
        responses["default"] = {
            "description": "The call failed.",
            "content": {"application/json": {"schema": _STATUS_REF}},
        }
        return responses


def _component_name(status: int, failures: Mapping[str, Failure]) -> str:
    names = sorted(failures)
    return f"Error{status}" + "".join(name.title().replace("_", "") for name in names)


def _headers(status: int) -> dict[str, Any]:
    headers: dict[str, Any] = dict(FAILURE_HEADERS)
    if status in _RETRIED:
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    if status == 401:
        headers["WWW-Authenticate"] = {"$ref": "#/components/headers/Authenticate"}
    return headers


def _add_schemas(components: Components) -> None:
    if ERROR in components.schemas:
        return
    details: Schema = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"@type": {"type": "string"}},
            "additionalProperties": True,
        },
        "description": "Messages that say more, each with its type: `google.rpc.ErrorInfo` with the reason, …",
    }
    codes = sorted(code.name for code in STATUS_OF_CODE if code is not grpc.StatusCode.OK)
    components.reserve(
        ERROR,
        {
            "type": "object",
            "description": "Why a call failed.",
            "properties": {
                "error_code": {"type": "string", "description": "The reason's text: what programs go by."},
                "error_msg": {"type": "string", "description": "What happened, to what, and what to do."},
                "error_args": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "The changing parts of the message.",
                },
                "status": {"type": "string", "enum": codes, "description": "The canonical code of gRPC."},
                "details": details,
                "retryAfter": {
                    "type": "integer",
                    "minimum": 0,
                    "description": "Seconds after which to try again, where it is known.",
                },
            },
            "required": ["error_code", "error_msg", "error_args", "status", "details"],
        },
    )
    components.reserve(
        STATUS,
        {
            "type": "object",
            "description": "Why a call of a service with grpc-gateway's conventions failed: `google.rpc.Status`.",
            "properties": {
                "code": {"type": "integer", "format": "int32", "description": "The canonical code of gRPC."},
                "message": {"type": "string", "description": "What happened."},
                "details": details,
            },
            "required": ["code", "message", "details"],
        },
    )
