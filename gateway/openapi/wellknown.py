"""Schemas of protobuf's well-known types, as `gateway.wellknown` writes and `gateway.wellknown_decode` reads them."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import Descriptor

from gateway.dialect import Dialect

Schema = dict[str, Any]

_TIME = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}"


def schema(message: Descriptor, dialect: Dialect, *, sent: bool) -> Schema | None:
    """The schema of a well-known type; None where the message is an ordinary one. `sent`: what callers send."""
    name = message.full_name
    if not name.startswith("google.protobuf."):
        return None
    match name.removeprefix("google.protobuf."):
        case "Timestamp":
            return _timestamp(dialect, sent=sent)
        case "Duration":
            pattern = r"^-?\d{1,12}(\.\d{1,9})?s$"
            return {"type": "string", "pattern": pattern}
        case "FieldMask":
            return {"type": "string"}
        case "Struct":
            return {"type": "object", "additionalProperties": True}
        case "Value":
            return {}
        case "ListValue":
            return {"type": "array", "items": {}}
        case "Any":
            return {"type": "object", "properties": {"@type": {"type": "string"}}, "additionalProperties": True}
        case "Empty":
            return {"type": "object", "additionalProperties": False} if sent else {"type": "object"}
        case "DoubleValue":
            return number(dialect, "double")
        case "FloatValue":
            return number(dialect, "float")
        case "Int64Value" | "UInt64Value" as wrapper:
            kind = "string" if dialect.int64_text else "integer"
            return {"type": kind, "format": wrapper.removesuffix("Value").lower()}
        case "Int32Value":
            return {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1}
        case "UInt32Value":
            return {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
        case "BoolValue":
            return {"type": "boolean"}
        case "StringValue":
            return {"type": "string"}
        case "BytesValue":
            return {"type": "string", "contentEncoding": "base64"}
        case _:
            return None


def _timestamp(dialect: Dialect, *, sent: bool) -> Schema:
    if not dialect.delfin:
        return {"type": "string", "format": "date-time"}
    pattern = rf"^{_TIME}(\.\d{{1,9}})?(Z|[+-]\d{{2}}:\d{{2}})?$" if sent else rf"^{_TIME}\.\d{{6}}$"
    return {"type": "string", "pattern": pattern}


def number(dialect: Dialect, kind: str) -> Schema:
    """A floating-point number. Canonical JSON writes what is no number as text."""
    plain: Schema = {"type": "number", "format": kind}
    if dialect.delfin:
        return plain
    return {"anyOf": [plain, {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}]}
