"""One binding as an operation."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from delphis.type.v1 import options_pb2
from gateway.bindings import WHOLE, Binding
from gateway.dialect import Dialect
from gateway.openapi import own
from gateway.openapi.comments import Comments
from gateway.openapi.examples import Examples
from gateway.openapi.failures import Failures
from gateway.openapi.parameters import Parameters
from gateway.openapi.prose import Prose, read
from gateway.openapi.schemas import Components, Schema, Schemas, described, is_required

BEARER = "bearer"


class OperationWriter:
    """Writes the operations of one backend."""

    def __init__(self, components: Components, comments: Comments, failures: Failures, *, login: bool) -> None:
        self._components = components
        self._comments = comments
        self._failures = failures
        self._login = login
        self._examples = Examples(components.schemas)
        self._schemas: dict[Dialect, Schemas] = {}

    def write(self, binding: Binding, operation_id: str, tag: str, path_parameters: dict[str, str]) -> dict[str, Any]:
        """The operation."""
        method = binding.method
        schemas = self._schemas.setdefault(binding.dialect, Schemas(self._components, self._comments, binding.dialect))
        prose = read(self._comments.of(method.full_name))
        scope = _scope(binding)
        operation: dict[str, Any] = {"operationId": operation_id, "tags": [tag]}
        operation["summary"] = prose.summary or method.name
        operation["description"] = _description(prose, scope if self._login else "")
        parameters = Parameters(self._comments, schemas)
        listed = [
            *parameters.path(binding, path_parameters),
            *parameters.query(binding),
            *parameters.headers(binding),
            *own.common(binding),
        ]
        if listed:
            operation["parameters"] = listed
        body = self._body(binding, schemas)
        if body is not None:
            operation["requestBody"] = body
        operation["responses"] = {
            **self._success(binding, schemas, prose),
            **self._failures.of(method, prose, binding.dialect, body=body is not None),
        }
        if self._login:
            operation["security"] = [] if scope == "public" else [{BEARER: [scope] if scope else []}]
        if scope:
            operation["x-scope"] = scope
        if method.GetOptions().deprecated:
            operation["deprecated"] = True
        return operation

    def _body(self, binding: Binding, schemas: Schemas) -> dict[str, Any] | None:
        if not binding.body:
            return None
        request = binding.method.input_type
        needed = binding.dialect.delfin and not binding.template.verb
        if binding.body == WHOLE:
            without = frozenset(path.split(".")[0] for path in binding.path_fields) | frozenset(binding.header_fields)
            schema = schemas.reference(request, sent=True, without=without)
            needed = needed or any(is_required(field) for field in request.fields if field.name not in without)
            return self._request(schema, "", required=needed)
        field = request.fields_by_name[binding.body]
        schema = schemas.single(field, sent=True)
        if field.is_repeated:
            schema = {"type": "array", "items": schema}
        return self._request(schema, self._comments.of(field.full_name), required=needed or is_required(field))

    def _request(self, schema: Schema, comment: str, *, required: bool) -> dict[str, Any]:
        body: dict[str, Any] = described({}, comment)
        body["content"] = {"application/json": {"schema": schema, "example": self._examples.of(schema, sent=True)}}
        body["required"] = required
        return body

    def _success(self, binding: Binding, schemas: Schemas, prose: Prose) -> dict[str, Any]:
        rest, message = binding.rest, binding.method.output_type
        status = str(rest.success_status or 200)
        taken = [field for field in message.fields if _header(field)]
        headers: dict[str, Any] = dict(own.ANSWER_HEADERS if own.tagged(binding) else own.FAILURE_HEADERS)
        for field in taken:
            headers[_header(field)] = described({"schema": {"type": "string"}}, self._comments.of(field.full_name))
        response: dict[str, Any] = {
            "description": self._said_of_answer(binding) or prose.summary or "Done.",
            "headers": headers,
        }
        if rest.empty_body:
            return {status: response}
        if binding.raw:
            types = rest.media_types
            response["content"] = {one: {"schema": {"type": "string"}} for one in types} or {"*/*": {"schema": {}}}
            return {status: response}
        if binding.method.server_streaming:
            response["content"] = self._stream(binding, schemas)
            return {status: response}
        schema = self._answer(binding, schemas, frozenset(field.name for field in taken))
        response["content"] = {"application/json": {"schema": schema, "example": self._examples.of(schema, sent=False)}}
        return {status: response, "304": own.NOT_MODIFIED} if own.tagged(binding) else {status: response}

    def _said_of_answer(self, binding: Binding) -> str:
        return read(self._comments.of(binding.method.output_type.full_name)).text

    def _answer(self, binding: Binding, schemas: Schemas, without: frozenset[str]) -> Schema:
        message = binding.method.output_type
        if binding.response_body:
            return schemas.field(message.fields_by_name[binding.response_body], sent=False)
        if binding.dialect.delfin and binding.rest.list_key:
            return self._envelope(binding, schemas, without)
        return schemas.reference(message, sent=False, without=without)

    def _envelope(self, binding: Binding, schemas: Schemas, without: frozenset[str]) -> Schema:
        """The list under its key, and the token of the next page only where there is one."""
        message = binding.method.output_type
        reference = schemas.reference(message, sent=False, without=without)
        schema = self._components.schemas[reference["$ref"].rpartition("/")[2]]
        list_key = binding.rest.list_key
        if list_key not in schema["properties"]:
            repeated = next((field.name for field in message.fields if field.is_repeated), "")
            schema["properties"] = {
                list_key if key == repeated else key: value for key, value in schema["properties"].items()
            }
        schema["required"] = [list_key]
        return reference

    def _stream(self, binding: Binding, schemas: Schemas) -> dict[str, Any]:
        record = self._answer(binding, schemas, frozenset())
        if not binding.dialect.delfin:
            record = {"type": "object", "properties": {"result": record}}
        example = self._examples.of(record, sent=False)
        return {
            "application/x-ndjson": {"schema": record, "example": example},
            "text/event-stream": {
                "schema": {
                    "type": "string",
                    "description": "Server-sent events: `id` is where to resume, `data` a record as above.",
                }
            },
        }


def _scope(binding: Binding) -> str:
    scope = binding.method.GetOptions().Extensions[options_pb2.scope]
    if not scope:
        return ""
    value = options_pb2.Scope.DESCRIPTOR.values_by_number.get(scope)
    return value.name.removeprefix("SCOPE_").lower() if value is not None else ""


def _header(field: FieldDescriptor) -> str:
    name: str = field.GetOptions().Extensions[options_pb2.response_header]
    return "-".join(part.capitalize() for part in name.split("-"))


def _description(prose: Prose, scope: str) -> str:
    needs = f"Needs scope `{scope}`." if scope and scope != "public" else ""
    return "\n\n".join(part for part in (prose.text, needs) if part)
