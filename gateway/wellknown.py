"""The JSON of protobuf's well-known types: what leaves."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable
from typing import Any, Protocol

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from gateway.dialect import Dialect
from gateway.times import TimestampTexts, duration_text

Encode = Callable[[Any], Any]

WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
_INT64_WRAPPERS = frozenset({"google.protobuf.Int64Value", "google.protobuf.UInt64Value"})
_CAMEL = re.compile(r"_([a-z0-9])")
_EXACT = 2**53


class Lookup(Protocol):
    """What encoders of composed types need: the encoder of any message, and messages by name."""

    def of(self, message: Descriptor) -> Encode: ...

    def find(self, name: str) -> Descriptor | None: ...


def finite(value: float) -> float | str:
    """JSON has no NaN and no infinity: they become texts."""
    if value - value == 0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def float32(value: float) -> float | str:
    """The shortest number that reads back as the same 32-bit float."""
    if value - value != 0:
        return finite(value)
    return float(f"{value:.6g}") if _as_float32(float(f"{value:.6g}")) == value else _longer(value)


def _longer(value: float) -> float:
    for digits in (7, 8):
        short = float(f"{value:.{digits}g}")
        if _as_float32(short) == value:
            return short
    return float(f"{value:.9g}")


def _as_float32(value: float) -> float:

    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return float("inf")


def base64_text(value: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(value).decode("ascii")


def encoder(message: Descriptor, dialect: Dialect, lookup: Lookup, timestamps: TimestampTexts) -> Encode | None:
    """The encoder of a well-known type; None where the message is an ordinary one."""
    name = message.full_name
    if not name.startswith("google.protobuf."):
        return None
    if name in WRAPPERS:
        return _wrapper(name, dialect)
    simple: dict[str, Encode] = {
        "google.protobuf.Timestamp": lambda m: timestamps[m.seconds, m.nanos],
        "google.protobuf.Duration": lambda m: duration_text(m.seconds, m.nanos),
        "google.protobuf.FieldMask": lambda m: ",".join(m.paths if dialect.delfin else map(camel, m.paths)),
        "google.protobuf.Struct": _struct,
        "google.protobuf.Value": _value,
        "google.protobuf.ListValue": lambda m: [_value(item) for item in m.values],
        "google.protobuf.Any": lambda m: _any(m, lookup),
    }
    return simple.get(name)


def _wrapper(name: str, dialect: Dialect) -> Encode:
    if name in _INT64_WRAPPERS and dialect.int64_text:
        return lambda m: str(m.value)
    if name == "google.protobuf.DoubleValue":
        return lambda m: finite(m.value)
    if name == "google.protobuf.FloatValue":
        return lambda m: float32(m.value)
    if name == "google.protobuf.BytesValue":
        return lambda m: base64_text(m.value)
    return lambda m: m.value


def camel(path: str) -> str:
    """A path of snake_case names in lowerCamelCase."""
    return _CAMEL.sub(lambda match: match[1].upper(), path)


def _struct(message: Any) -> dict[str, Any]:
    return {key: _value(message.fields[key]) for key in sorted(message.fields)}


def _value(message: Any) -> Any:
    kind = message.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    if kind == "number_value":
        return _number(message.number_value)
    if kind == "struct_value":
        return _struct(message.struct_value)
    if kind == "list_value":
        return [_value(item) for item in message.list_value.values]
    return getattr(message, kind)


def _number(value: float) -> Any:
    """Struct knows no integers; JSON's readers often do."""
    return int(value) if value.is_integer() and abs(value) < _EXACT else finite(value)


def _any(message: Any, lookup: Lookup) -> dict[str, Any]:
    """A type that nobody knows here, or bytes that are none of it, are shown as they are: never an error."""
    if not message.type_url:
        return {}
    found = lookup.find(message.type_url.rpartition("/")[2])
    if found is not None:
        try:
            inner: Message = GetMessageClass(found).FromString(message.value)
        except DecodeError:
            pass
        else:
            encoded = lookup.of(found)(inner)
            if isinstance(encoded, dict) and not found.full_name.startswith("google.protobuf."):
                return {"@type": message.type_url, **encoded}
            return {"@type": message.type_url, "value": encoded}
    return {"@type": message.type_url, "value": base64_text(message.value)}
