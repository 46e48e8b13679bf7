"""JSON Schemas of messages, as the codecs read and write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from delphis.type.v1 import options_pb2
from gateway.dialect import Dialect, enum_texts, is_map, is_object_when_unset, is_secret
from gateway.openapi import wellknown
from gateway.openapi.comments import Comments
from gateway.openapi.prose import paragraphs

Schema = dict[str, Any]

UNKNOWN = "unknown"
_INT32 = (-(2**31), 2**31 - 1)
_UINT32 = (0, 2**32 - 1)
_SMALL = {
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
}
_LARGE = {
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_SINT64: "int64",
    FieldDescriptor.TYPE_SFIXED64: "int64",
    FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_FIXED64: "uint64",
}


class Key(NamedTuple):
    """What a component is made of."""

    message: Descriptor | EnumDescriptor
    delfin: bool
    sent: bool
    """It is what callers send, not what they get."""
    without: frozenset[str]
    """Fields that are given elsewhere."""


class Components:
    """What has a name in a document. A schema's name goes to who asks first; a later namesake gets its full name."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self.responses: dict[str, Any] = {}
        self.parameters: dict[str, Any] = {}
        self.examples: dict[str, Any] = {}
        self.headers: dict[str, Any] = {}
        self._names: dict[Key, str] = {}

    def written(self) -> dict[str, Any]:
        """The components, each kind in the order of names."""
        kinds = {
            "schemas": self.schemas,
            "responses": self.responses,
            "parameters": self.parameters,
            "examples": self.examples,
            "headers": self.headers,
        }
        return {kind: dict(sorted(named.items())) for kind, named in kinds.items() if named}

    def reserve(self, name: str, schema: Schema) -> None:
        """A schema that is no message's."""
        self.schemas[name] = schema

    def name(self, key: Key) -> tuple[str, bool]:
        """The component's name, and whether it is new: its schema must be put into `schemas` then."""
        found = self._names.get(key)
        if found is not None:
            return found, False
        suffix = "Input" if key.sent and isinstance(key.message, Descriptor) and not _is_request(key.message) else ""
        name = _short_name(key.message) + suffix
        if name in self.schemas:
            name = key.message.full_name.replace(".", "_") + suffix
        number = 2
        while name in self.schemas:
            name = f"{name.rstrip('0123456789')}{number}"
            number += 1
        self._names[key] = name
        self.schemas[name] = {}
        return name, True


class Schemas:
    """The schemas of one backend's messages in one dialect."""

    def __init__(self, components: Components, comments: Comments, dialect: Dialect) -> None:
        self._components = components
        self._comments = comments
        self._dialect = dialect

    def reference(self, message: Descriptor, *, sent: bool, without: frozenset[str] = frozenset()) -> Schema:
        """A schema of the message: a reference to its component, or what a well-known type is."""
        known = wellknown.schema(message, self._dialect, sent=sent)
        if known is not None:
            return known
        name, new = self._components.name(Key(message, self._dialect.delfin, sent, without))
        if new:  # the name is taken before the schema is made: a message may hold itself
            self._components.schemas[name] = self.object(message, sent=sent, without=without)
        return {"$ref": f"#/components/schemas/{name}"}

    def object(self, message: Descriptor, *, sent: bool, without: frozenset[str] = frozenset()) -> Schema:
        """The schema of the message, written out."""
        fields = [field for field in message.fields if field.name not in without]
        if not sent:
            fields = [field for field in fields if is_map(field) or not is_secret(field)]
        schema: Schema = {"type": "object"}
        described(schema, self._comments.of(message.full_name))
        schema["properties"] = {self._dialect.key(field): self.field(field, sent=sent) for field in fields}
        if sent:
            required = [self._dialect.key(field) for field in fields if is_required(field)]
            if required:
                schema["required"] = required
            schema["additionalProperties"] = False
        return schema

    def field(self, field: FieldDescriptor, *, sent: bool) -> Schema:
        """The schema of a field's value, with what is said of it."""
        schema: Schema = self._value_of(field, sent=sent)
        if not sent and self._may_be_null(field):
            schema = nullable(schema)
        if sent and is_secret(field):
            hidden: Schema = {"format": "password"} if schema.get("type") == "string" else {}
            schema = {**schema, **hidden, "writeOnly": True}
        example = _example(field)
        if example is not None:
            schema = {**schema, "examples": [example]}
        return described(schema, self._comments.of(field.full_name))

    def single(self, field: FieldDescriptor, *, sent: bool) -> Schema:
        """The schema of one value of the field."""
        if field.message_type is not None:
            return self.reference(field.message_type, sent=sent)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        return self._scalar(field)

    def _value_of(self, field: FieldDescriptor, *, sent: bool) -> Schema:
        if is_map(field):
            entry = field.message_type
            assert entry is not None
            return {"type": "object", "additionalProperties": self.single(entry.fields_by_name["value"], sent=sent)}
        if field.is_repeated:
            return {"type": "array", "items": self.single(field, sent=sent)}
        return self.single(field, sent=sent)

    def _may_be_null(self, field: FieldDescriptor) -> bool:
        """Whether answers have null for it, not `{}`. Fields of a oneof are left out in canonical JSON."""
        if field.is_repeated or (self._dialect.delfin and is_object_when_unset(field)):
            return False
        if self._dialect.delfin:
            return bool(field.has_presence) or field.enum_type is not None
        return bool(field.has_presence) and field.containing_oneof is None

    def _enum(self, enum: EnumDescriptor) -> Schema:
        if enum.full_name == "google.protobuf.NullValue":
            return {"type": "null"}
        name, new = self._components.name(Key(enum, self._dialect.delfin, False, frozenset()))
        if new:
            self._components.schemas[name] = self._enum_schema(enum)
        return {"$ref": f"#/components/schemas/{name}"}

    def _enum_schema(self, enum: EnumDescriptor) -> Schema:
        texts: Mapping[int, str | None] = (
            enum_texts(enum) if self._dialect.delfin else {value.number: value.name for value in reversed(enum.values)}
        )
        listed = [f"- `{text}`: {self._meaning(enum, number)}" for number, text in sorted(texts.items()) if text]
        values = [text for _, text in sorted(texts.items()) if text is not None]
        if self._dialect.delfin and UNKNOWN not in values:
            values.append(UNKNOWN)
            listed.append(f"- `{UNKNOWN}`: A value that this version doesn't list.")
        schema: Schema = {"type": "string", "enum": list(dict.fromkeys(values))}
        comment = paragraphs(self._comments.of(enum.full_name))
        schema["description"] = "\n\n".join(part for part in (comment, "\n".join(listed)) if part)
        return schema

    def _meaning(self, enum: EnumDescriptor, number: int) -> str:
        for value in enum.values:
            if value.number == number:
                return paragraphs(self._comments.of(f"{enum.full_name}.{value.name}")).replace("\n", " ")
        return ""

    def _scalar(self, field: FieldDescriptor) -> Schema:
        if field.type in _SMALL:
            low, high = _SMALL[field.type]
            return {"type": "integer", "format": "int32", "minimum": low, "maximum": high}
        if field.type in _LARGE:
            kind = "string" if self._dialect.int64_text else "integer"
            return {"type": kind, "format": _LARGE[field.type]}
        if field.type == FieldDescriptor.TYPE_BOOL:
            return {"type": "boolean"}
        if field.type == FieldDescriptor.TYPE_STRING:
            return {"type": "string"}
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        return wellknown.number(self._dialect, "float" if field.type == FieldDescriptor.TYPE_FLOAT else "double")


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    if not schema:
        return schema  # anything, which null is too
    return {"anyOf": [schema, {"type": "null"}]}


def described(schema: Schema, comment: str) -> Schema:
    """The same with a description, where there is one."""
    text = paragraphs(comment)
    if text:
        schema["description"] = text
    return schema


def is_required(field: FieldDescriptor) -> bool:
    """Whether a request without it is refused."""
    options: Any = field.GetOptions()
    behaviours: Any = options.Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.REQUIRED in behaviours or bool(field.is_required)


def _example(field: FieldDescriptor) -> Any:
    """The example that the author gives; None where he gives none, or one that is no JSON."""
    text = field.GetOptions().Extensions[options_pb2.example]
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None


def _is_request(message: Descriptor) -> bool:
    return message.name.endswith("Request")


def _short_name(message: Descriptor | EnumDescriptor) -> str:
    names = [message.name]
    outer = message.containing_type
    while outer is not None:
        names.insert(0, outer.name)
        outer = outer.containing_type
    return "".join(names)
