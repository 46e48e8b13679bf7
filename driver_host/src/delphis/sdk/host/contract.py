"""The contract's methods, read from its descriptors: nothing about an RPC is written down a second time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from delphis.driver.v1 import storage_driver_pb2
from delphis.sdk.redaction import is_repeated
from delphis.type.v1 import options_pb2

SERVICE = storage_driver_pb2.DESCRIPTOR.services_by_name["StorageDriver"]
FIRST_CORE_OWNED = 200
_WIRE_TYPES = {
    **dict.fromkeys((FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_MESSAGE), 2),
    **dict.fromkeys((FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_SFIXED64), 1),
    **dict.fromkeys((FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_FIXED32, FieldDescriptor.TYPE_SFIXED32), 5),
}


@dataclass(frozen=True)
class Method:
    """One RPC of StorageDriver."""

    name: str
    """`ListVolumes`"""
    python_name: str
    """`list_volumes`"""
    path: str
    """`/delphis.driver.v1.StorageDriver/ListVolumes`"""
    streams: bool
    """The answer is a stream of batches."""
    needs_array: bool
    default_deadline: float
    """Seconds that a call gets which comes without a deadline."""
    request: type[Message]
    response: type[Message]


def _python_name(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@cache
def methods() -> dict[str, Method]:
    """All RPCs, by name, in the contract's order."""
    result: dict[str, Method] = {}
    for method in SERVICE.methods:
        options = method.GetOptions()
        result[method.name] = Method(
            name=method.name,
            python_name=_python_name(method.name),
            path=f"/{SERVICE.full_name}/{method.name}",
            streams=method.server_streaming,
            needs_array=options.Extensions[options_pb2.needs_array],
            default_deadline=options.Extensions[options_pb2.default_deadline].ToTimedelta().total_seconds(),
            request=message_factory.GetMessageClass(method.input_type),
            response=message_factory.GetMessageClass(method.output_type),
        )
    return result


@dataclass(frozen=True)
class Item:
    """What the batches of a list hold."""

    kind: type[Message]
    native_id: str | None
    """The field that must be set: the array's id of a resource. None for alerts and points."""
    core_owned: tuple[str, ...]
    """Fields with presence that only the inventory sets."""
    core_owned_repeated: tuple[str, ...]
    core_owned_tags: re.Pattern[bytes]
    """Finds how those fields begin in a serialised item."""
    has_native: bool
    """It may hold the vendor's own words."""


@cache
def item_of(method: Method) -> Item:
    """The items of a list."""
    descriptor: Any = method.response.DESCRIPTOR.fields_by_name["items"].message_type
    owned = [field for field in descriptor.fields if field.number >= FIRST_CORE_OWNED]
    return Item(
        kind=message_factory.GetMessageClass(descriptor),
        native_id=_native_id(descriptor),
        core_owned=tuple(field.name for field in owned if not is_repeated(field)),
        core_owned_repeated=tuple(field.name for field in owned if is_repeated(field)),
        core_owned_tags=_any_of(map(_tag, owned)),
        has_native="native" in descriptor.fields_by_name,
    )


def _any_of(tags: Iterable[bytes]) -> re.Pattern[bytes]:
    """Looks for the last byte of tags, and then at what is before it: many times faster than for one tag after another.

    The last byte of nearly all is the same, and stands seldom elsewhere.
    """
    by_end: dict[tuple[int, bytes], list[bytes]] = {}
    for tag in tags:
        by_end.setdefault((len(tag), tag[-1:]), []).append(re.escape(tag))
    found = (re.escape(end) + b"(?<=" + b"|".join(each) + b")" for (_, end), each in by_end.items())
    return re.compile(b"|".join(found) or b"(?!)", re.DOTALL)


def _tag(field: FieldDescriptor) -> bytes:
    """The field's number and wire type as a varint, as protobuf writes it: repeated numbers are packed."""
    kind = 2 if is_repeated(field) else _WIRE_TYPES.get(field.type, 0)
    left, tag = field.number << 3 | kind, b""
    while left > 0x7F:
        tag, left = tag + bytes([left & 0x7F | 0x80]), left >> 7
    return tag + bytes([left])


def _native_id(descriptor: Descriptor) -> str | None:
    if not descriptor.GetOptions().HasExtension(options_pb2.resource):
        return None
    return descriptor.fields_by_number[1].name
