"""Examples, made of the schemas so that they are valid against them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.openapi.schemas import Schema

_ID = "0c5dd2a4-7f0e-4a8e-9b0c-3d6c1f2b7a91"
_IDENTIFIER = re.compile(r"(^|_)id$")
_NATIVE = re.compile(r"^native_|^resource_id$")
_TEXTS = ("2026-11-22T13:42:55.328319", "900s")  # what the patterns of the well-known types ask for
_MAX_DEPTH = 8
_PREFIX = "#/components/schemas/"


class Examples:
    """Makes examples. What a property's schema has in `examples` is taken; all else is made of its type."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def of(self, schema: Schema, *, sent: bool, name: str = "") -> Any:
        """An example.

        Args:
            schema: Of what.
            sent: Callers send it. Of what they may leave out only that is shown which has an example of its own, as a
                caller who gives everything at once contradicts himself; all, where nothing has.
            name: The property's.
        """
        return self._made(schema, sent, name, 0)

    def _made(self, schema: Schema, sent: bool, name: str, depth: int) -> Any:
        if schema.get("examples"):
            return schema["examples"][0]
        if "$ref" in schema:
            return self._made(self._schemas[schema["$ref"].removeprefix(_PREFIX)], sent, name, depth)
        if "anyOf" in schema:
            return self._made(schema["anyOf"][0], sent, name, depth)
        if "enum" in schema:
            known = [value for value in schema["enum"] if value not in ("unknown", None)]
            listed = [value for value in known if not str(value).endswith("_UNSPECIFIED")] or known
            return (listed or schema["enum"])[0]
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = kind[0]
        match kind:
            case "object":
                return self._object(schema, sent, depth)
            case "array":
                return [] if depth >= _MAX_DEPTH else [self._made(schema["items"], sent, name, depth + 1)]
            case "integer":
                return max(1, int(schema.get("minimum", 1)))
            case "number":
                return 1.5
            case "boolean":
                return False
            case "null":
                return None
            case _:
                return _text(schema, name)

    def _object(self, schema: Schema, sent: bool, depth: int) -> dict[str, Any]:
        if depth >= _MAX_DEPTH:
            return {}
        properties: dict[str, Schema] = schema.get("properties", {})
        if not properties:
            more = schema.get("additionalProperties")
            return {"key": self._made(more, sent, "value", depth + 1)} if isinstance(more, dict) and more else {}
        shown = list(properties)
        if sent:
            required = schema.get("required", [])
            chosen = [key for key in properties if key in required or properties[key].get("examples")]
            shown = chosen or shown
        return {
            key: self._made(properties[key], sent, key, depth + 1)
            for key in shown
            if not self._deep(properties[key], depth)
        }

    def _deep(self, schema: Schema, depth: int) -> bool:
        """Whether it is an object where objects are left out: a message may hold itself."""
        return depth + 1 >= _MAX_DEPTH and ("$ref" in schema or "anyOf" in schema)


def _text(schema: Schema, name: str) -> str:
    if schema.get("contentEncoding") == "base64":
        return "AAEC"
    if "pattern" in schema:
        return next((text for text in _TEXTS if re.search(schema["pattern"], text)), name)
    match schema.get("format"):
        case "date-time":
            return "2026-11-22T13:42:55.328319Z"
        case "int64" | "uint64":
            return "1"
        case "password":
            return "secret"
        case _:
            pass
    if _IDENTIFIER.search(name) and not _NATIVE.search(name):
        return _ID
    return name or "text"
