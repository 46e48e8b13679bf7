"""Which HTTP requests call which method: `google.api.http`, read from descriptors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from delphis.type.v1 import options_pb2
from gateway.descriptors import DescriptorSet
from gateway.dialect import Dialect, dialect_of
from gateway.template import BadTemplate, Template, parse

log = logging.getLogger(__name__)

WHOLE = "*"
_DEFAULT_DEADLINE = 60.0
_DEFAULT_STREAM_DEADLINE = 86_400.0


@dataclass(frozen=True, slots=True)
class Binding:
    """One way to call a method over HTTP."""

    method: MethodDescriptor
    http_method: str
    template: Template
    body: str
    """`*`, the name of a field, or empty: there is none."""
    response_body: str
    """The field that is the answer's body, or empty: the whole message."""

    @property
    def path(self) -> str:
        """The method's path over gRPC."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def dialect(self) -> Dialect:
        """The conventions of the method's file."""
        return dialect_of(self.method.containing_service.file)

    @property
    def rest(self) -> options_pb2.Rest:
        """How the answer differs from the plain rule."""
        rest: options_pb2.Rest = self.method.GetOptions().Extensions[options_pb2.rest]
        return rest

    @property
    def deadline(self) -> float:
        """Seconds that a call gets that comes without a deadline."""
        declared = self.method.GetOptions().Extensions[options_pb2.default_deadline]
        usual = _DEFAULT_STREAM_DEADLINE if self.streams else _DEFAULT_DEADLINE
        return float(declared.seconds + declared.nanos / 1e9) or usual

    @property
    def streams(self) -> bool:
        """Whether the answer is a stream."""
        return bool(self.method.server_streaming)

    @property
    def raw(self) -> bool:
        """Whether the answer has a type and bytes of its own, and is no JSON."""
        return self.method.output_type.full_name == "google.api.HttpBody"

    @property
    def resume_field(self) -> str:
        """The field with a stream's position, in the request and in each message; empty: it has none."""
        name = self.rest.resume_field
        ends = (self.method.input_type, self.method.output_type)
        fields = [end.fields_by_name.get(name) for end in ends]
        texts = [field for field in fields if field is not None and field.type == FieldDescriptor.TYPE_STRING]
        return name if len(texts) == len(ends) and not any(field.is_repeated for field in texts) else ""

    @property
    def header_fields(self) -> dict[str, str]:
        """The fields that a header of the request sets, each with the header's name in lower case."""
        named = options_pb2.request_header
        fields = self.method.input_type.fields
        return {field.name: text.lower() for field in fields if (text := field.GetOptions().Extensions[named])}

    @property
    def items(self) -> FieldDescriptor | None:
        """The field of the answer that is a list's items; None where the answer is no list."""
        if not self.dialect.delfin or not self.rest.list_key:
            return None
        repeated = [field for field in self.method.output_type.fields if field.is_repeated]
        named = [field for field in repeated if field.name == self.rest.list_key]
        return next(iter(named or repeated), None)

    @property
    def path_fields(self) -> frozenset[str]:
        """The fields that the path sets."""
        return frozenset(variable.field for variable in self.template.variables)


def bindings_of(descriptors: DescriptorSet) -> Iterator[Binding]:
    """All bindings that can be served. One that can't is logged and left out; it must not cost the others."""
    for service in descriptors.services:
        for method in service.methods:
            options: Any = method.GetOptions()
            rule: http_pb2.HttpRule = options.Extensions[annotations_pb2.http]
            for one in (rule, *rule.additional_bindings):
                try:
                    binding = _binding(method, one)
                except BadTemplate as error:
                    log.error("%s can't be served over HTTP: %s", method.full_name, error)
                    continue
                if binding is not None:
                    yield binding


def _binding(method: MethodDescriptor, rule: http_pb2.HttpRule) -> Binding | None:
    pattern = rule.WhichOneof("pattern")
    if pattern is None:
        return None
    if method.client_streaming:
        log.info("%s takes a stream; only its answer may be one over HTTP", method.full_name)
        return None
    if pattern == "custom":
        http_method, path = rule.custom.kind, rule.custom.path
    else:
        http_method, path = pattern, getattr(rule, pattern)
    binding = Binding(method, http_method.upper(), parse(path), rule.body, rule.response_body)
    for variable in binding.template.variables:
        field = find_field(method.input_type, variable.field)
        if field is None or field.is_repeated or field.message_type is not None:
            raise BadTemplate(f"{path!r}: {variable.field} is no single value of {method.input_type.full_name}")
    if rule.body not in ("", WHOLE) and rule.body not in method.input_type.fields_by_name:
        raise BadTemplate(f"the body is {rule.body}, which {method.input_type.full_name} doesn't have")
    if rule.response_body and rule.response_body not in method.output_type.fields_by_name:
        raise BadTemplate(f"the answer is {rule.response_body}, which {method.output_type.full_name} doesn't have")
    return binding


def find_field(message: Descriptor, path: str, *, json_names: bool = False) -> FieldDescriptor | None:
    """The field at a dotted path, through single messages; None where there is none."""
    fields = find_fields(message, path, json_names=json_names)
    return fields[-1] if fields else None


def find_fields(message: Descriptor, path: str, *, json_names: bool = False) -> list[FieldDescriptor]:
    """The fields along a dotted path; empty where there is no such path."""
    inner: Descriptor | None = message
    fields: list[FieldDescriptor] = []
    for name in path.split("."):
        if inner is None or (fields and fields[-1].is_repeated):
            return []
        field = inner.fields_by_name.get(name)
        if field is None and json_names:
            field = next((one for one in inner.fields if one.json_name == name), None)
        if field is None:
            return []
        fields.append(field)
        inner = field.message_type
    return fields
