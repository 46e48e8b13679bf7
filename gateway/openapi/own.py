"""What the gateway itself says and serves."""

from __future__ import annotations

from typing import Any

from gateway.bindings import Binding

TAG = {"name": "Gateway", "description": "What the gateway itself answers."}

BEARER_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token: `delphis db token create NAME --scopes read,operate` makes the first one.",
}

PARAMETERS: dict[str, Any] = {
    "Fields": {
        "name": "fields",
        "in": "query",
        "description": "What the answer shall have: names of fields joined by commas, of inner fields with dots; "
        "of a list, fields of its items. All others are left out. Example: `id,name`.",
        "schema": {"type": "string", "minLength": 1},
    },
    "RequestId": {
        "name": "X-Request-Id",
        "in": "header",
        "description": "An id for the request, which log and answer then have. One of another form is replaced.",
        "schema": {"type": "string", "pattern": r"^[A-Za-z0-9._:/+=@-]{1,64}$"},
    },
    "RequestTimeout": {
        "name": "Request-Timeout",
        "in": "header",
        "description": "Seconds within which the call must end, at most a day. `Grpc-Timeout` is understood too.",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of the answer that the caller has: where it still holds, 304 comes without a body.",
        "schema": {"type": "string"},
    },
    "LastEventId": {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "Where to resume: the `id` of the last event that was dealt with. Browsers send it.",
        "schema": {"type": "string"},
    },
}

HEADERS = {
    "RequestId": {
        "description": "The request's id, as the log has it: what you sent as `X-Request-Id`, or one made for it.",
        "schema": {"type": "string"},
    },
    "EntityTag": {
        "description": "Stands for the answer's content: see `If-None-Match`.",
        "schema": {"type": "string"},
    },
    "RetryAfter": {
        "description": "Seconds after which to try again, where it is known.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Authenticate": {"description": "The scheme to use: `Bearer`.", "schema": {"type": "string"}},
}

FAILURE_HEADERS: dict[str, Any] = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
ANSWER_HEADERS: dict[str, Any] = {**FAILURE_HEADERS, "ETag": {"$ref": "#/components/headers/EntityTag"}}
NOT_MODIFIED = {"description": "The caller has the answer already.", "headers": ANSWER_HEADERS}

_ABOUT = """\
One API to every storage array you own: what the arrays hold, how it is related, and what changed.

**Conventions.** Names are snake_case; texts of enumerations are read without regard to case; what is not set is `null`;
times are UTC, with microseconds and no zone. Integers are JSON numbers: send `Accept: application/json;int64=string` to
get 64-bit ones as strings. Unknown fields and parameters are refused by name. Every path can also be written with
`.json` at its end, `HEAD` works where `GET` does, and `OPTIONS` tells the methods of a path.

**Lists** come in pages of up to 1,000 items: pass `next_page_token` back as `page_token`, with all else as before.
A list can be filtered by the fields that are among its parameters, by labels (`labels.KEY=VALUE`), or with `filter`.

**Errors** have one body, `Error`. `error_code` is what programs go by; the table of each answer
lists what it can be."""

_LOGIN = "\n\n**Authentication.** Send `Authorization: Bearer TOKEN`."
_NO_LOGIN = "\n\n**Authentication** is off: only programs of this machine are served."


def info(version: str, *, login: bool) -> dict[str, Any]:
    """What the document says of itself."""
    return {
        "title": "Delphis",
        "version": version,
        "description": _ABOUT + (_LOGIN if login else _NO_LOGIN),
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }


def operations(*, login: bool) -> dict[str, Any]:
    """The gateway's own paths."""
    own = {
        "/v1": _operation(
            "GetIndex",
            "Lists the services and the paths",
            "The services and the paths, with the HTTP methods that each has.",
            {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "version": {"type": "string"},
                    "services": {"type": "array", "items": {"type": "string"}},
                    "paths": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "path": {"type": "string"},
                                "methods": {"type": "array", "items": {"type": "string"}},
                            },
                            "required": ["path", "methods"],
                        },
                    },
                },
                "required": ["name", "version", "services", "paths"],
            },
            {
                "name": "delphis",
                "version": "v1",
                "services": ["delphis.inventory.v1.InventoryService"],
                "paths": [{"path": "/v1/storages", "methods": ["GET", "POST"]}],
            },
        ),
        "/v1/openapi.json": _operation(
            "GetDescription",
            "Describes this API",
            "This document.",
            {"type": "object", "required": ["openapi", "info", "paths"], "additionalProperties": True},
            {"openapi": "3.1.0", "info": {"title": "Delphis", "version": "0.1.0"}, "paths": {}},
        ),
        "/healthz": _operation(
            "GetLiveness",
            "Says that the server lives",
            "It lives.",
            {"type": "object", "properties": {"status": {"type": "string", "enum": ["alive"]}}, "required": ["status"]},
            {"status": "alive"},
        ),
        "/readyz": _operation(
            "GetReadiness",
            "Says whether the server can serve",
            "It and the services behind it can serve.",
            {
                "type": "object",
                "properties": {
                    "status": {"type": "string", "enum": ["ready"]},
                    "backends": {"type": "array", "items": {"type": "string"}},
                    "away": {"type": "object", "additionalProperties": {"type": "string"}},
                },
                "required": ["status", "backends"],
            },
            {"status": "ready", "backends": ["core"]},
            {"503": _refusal("It, or a service behind it, can't serve yet or any longer.", "SERVICE_UNAVAILABLE")},
        ),
    }
    for operation in own.values():
        if login:
            operation["get"]["security"] = []
        else:
            operation["get"]["responses"]["403"] = _refusal("The request came from elsewhere.", "NOT_AUTHORIZED")
    return own


def _operation(
    operation_id: str,
    summary: str,
    answer: str,
    schema: dict[str, Any],
    example: Any,
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    responses: dict[str, Any] = {
        "200": {
            "description": answer,
            "headers": ANSWER_HEADERS,
            "content": {"application/json": {"schema": schema, "example": example}},
        },
        "304": NOT_MODIFIED,
    }
    return {
        "get": {
            "operationId": operation_id,
            "tags": [TAG["name"]],
            "summary": summary,
            "description": f"{summary}.",
            "parameters": [_parameter("RequestId"), _parameter("IfNoneMatch")],
            "responses": {**responses, **(more or {})},
        }
    }


def _refusal(description: str, reason: str) -> dict[str, Any]:
    return {
        "description": description,
        "headers": dict(FAILURE_HEADERS),
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        "x-reasons": [reason],
    }


def common(binding: Binding) -> list[dict[str, Any]]:
    """The parameters that the gateway itself reads."""
    found = ["RequestId", "RequestTimeout"]
    if not binding.rest.empty_body and "fields" not in binding.method.input_type.fields_by_name:
        found.insert(0, "Fields")
    if binding.resume_field:
        found.append("LastEventId")
    if tagged(binding):
        found.append("IfNoneMatch")
    return [_parameter(name) for name in found]


def tagged(binding: Binding) -> bool:
    """Whether answers have an entity tag."""
    return binding.http_method == "GET" and not binding.streams and (binding.rest.success_status or 200) == 200


def _parameter(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/parameters/{name}"}
