"""The JSON of protobuf's well-known types: what comes in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Protocol

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from gateway import scalars
from gateway.dialect import Dialect
from gateway.jsontext import kind_of, shown
from gateway.times import parse_duration, parse_timestamp
from gateway.wellknown import WRAPPERS
from services.calls.errors import invalid

Fill = Callable[[Any, object, str], None]
"""Fills a message from a JSON value; the text is the value's path."""

TEXTUAL = WRAPPERS | {
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
    "google.protobuf.FieldMask",
}
"""Messages that a single text can give, as in a query."""

_MAX_SECONDS = 315_576_000_000
_CAPITAL = re.compile(r"[A-Z]")


class Lookup(Protocol):
    """What decoders of composed types need."""

    @property
    def dialect(self) -> Dialect: ...

    @property
    def pool(self) -> DescriptorPool: ...

    def of(self, message: Descriptor) -> Fill: ...


def well_known(message: Descriptor, lookup: Lookup) -> Fill | None:
    """The decoder of a well-known type; None where the message is an ordinary one."""
    name = message.full_name
    if not name.startswith("google.protobuf."):
        return None
    if name in WRAPPERS:
        return _wrapper(message, lookup.dialect)
    fills: dict[str, Callable[[Lookup], Fill]] = {
        "google.protobuf.Timestamp": _timestamp,
        "google.protobuf.Duration": _duration,
        "google.protobuf.FieldMask": _field_mask,
        "google.protobuf.Struct": lambda _: _struct,
        "google.protobuf.Value": lambda _: _value,
        "google.protobuf.ListValue": lambda _: _list_value,
        "google.protobuf.Any": _any,
    }
    make = fills.get(name)
    return None if make is None else make(lookup)


def _wrapper(message: Descriptor, dialect: Dialect) -> Fill:
    convert = scalars.converter(message.fields_by_name["value"], dialect)

    def fill(target: Any, value: object, path: str) -> None:
        target.value = convert(value, path)

    return fill


def _timestamp(lookup: Lookup) -> Fill:
    naive = lookup.dialect.delfin
    example = "2026-11-22T13:42:55.328319" if naive else "2026-11-22T13:42:55.328319Z"

    def fill(target: Any, value: object, path: str) -> None:
        parsed = parse_timestamp(value, naive=naive) if isinstance(value, str) else None
        if parsed is None:
            raise invalid(path, f"It must be a time like {example}.")
        target.seconds, target.nanos = parsed

    return fill


def _duration(lookup: Lookup) -> Fill:
    def fill(target: Any, value: object, path: str) -> None:
        parsed = parse_duration(value) if isinstance(value, str) else None
        # A bare number is seconds to SODA Delfin's users.
        if parsed is None and lookup.dialect.delfin and type(value) in (int, float):
            parsed = _seconds(float(value)) if abs(value) <= _MAX_SECONDS else None  # type: ignore[arg-type]
        if parsed is None:
            raise invalid(path, "It must be a duration in seconds like 900s or 0.5s.")
        target.seconds, target.nanos = parsed

    return fill


def _seconds(value: float) -> tuple[int, int]:
    whole = math.trunc(value)
    return whole, round((value - whole) * 1e9)


def _field_mask(lookup: Lookup) -> Fill:
    def fill(target: Any, value: object, path: str) -> None:
        text = scalars.string(value, path)
        paths = [part.strip() for part in text.split(",")] if text else []
        if not all(paths):
            raise invalid(path, "It must be names of fields, joined by commas.")
        if not lookup.dialect.delfin:
            paths = [_CAPITAL.sub(lambda match: "_" + match[0].lower(), part) for part in paths]
        target.paths.extend(paths)

    return fill


def _struct(target: Any, value: object, path: str) -> None:
    if not isinstance(value, dict):
        raise invalid(path, f"It must be an object, not {kind_of(value)}.")
    target.Clear()
    target.SetInParent()
    for key, item in value.items():
        _value(target.fields[scalars.string(key, path)], item, f"{path}.{shown(key)}")


def _list_value(target: Any, value: object, path: str) -> None:
    if not isinstance(value, list):
        raise invalid(path, f"It must be an array, not {kind_of(value)}.")
    target.SetInParent()
    for index, item in enumerate(value):
        _value(target.values.add(), item, f"{path}[{index}]")


def _value(target: Any, value: object, path: str) -> None:
    if value is None:
        target.null_value = 0
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float):
        target.number_value = scalars.double(value, path)
    elif isinstance(value, str):
        target.string_value = scalars.string(value, path)
    elif isinstance(value, list):
        target.list_value.SetInParent()
        _list_value(target.list_value, value, path)
    else:
        target.struct_value.SetInParent()
        _struct(target.struct_value, value, path)


def _any(lookup: Lookup) -> Fill:
    def fill(target: Any, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise invalid(path, f"It must be an object, not {kind_of(value)}.")
        if not value:
            return
        url = value.get("@type")
        if not isinstance(url, str) or not url.isascii():
            raise invalid(f"{path}.@type", "It must name the type of the object.")
        try:
            found = lookup.pool.FindMessageTypeByName(url.rpartition("/")[2])
        except KeyError:
            raise invalid(f"{path}.@type", "No such type is known here.") from None
        rest = {key: item for key, item in value.items() if key != "@type"}
        inner = GetMessageClass(found)()
        special = well_known(found, lookup) is not None
        if special and rest.keys() != {"value"}:
            raise invalid(path, "An object of this type has @type and value, and nothing else.")
        lookup.of(found)(inner, rest["value"] if special else rest, path)
        target.type_url = url
        target.value = inner.SerializeToString()

    return fill
