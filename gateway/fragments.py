"""Lists of resources, whose JSON is kept: equal bytes of an item give equal JSON.

Most of what is listed has not changed since it was last listed. The answer is read through a twin of its message, in
which the items are bytes; an item that was seen before costs a look into a dict in place of reading and encoding it,
a tenth of the time.
"""

from __future__ import annotations

from typing import Any

import orjson
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from gateway.encode import Encoders

MAX_BYTES = 16 * 1024 * 1024
MAX_ITEM_BYTES = 64 * 1024
"""Of a message that is an answer by itself: a larger one would push out many."""
_OVERHEAD = 300  # bytes of Python objects for an item, about


class Budget:
    """How much all lists of a backend keep together. Where it is used up, all begin anew."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._members: list[Fragments] = []

    def join(self, member: Fragments) -> None:
        """Takes part in it."""
        self._members.append(member)

    def spend(self, size: int) -> None:
        """Something of this size is about to be kept."""
        self._bytes += size
        if self._bytes > self._max_bytes:
            for member in self._members:
                member.clear()
            self._bytes = size


class Fragments(dict[bytes, orjson.Fragment]):
    """JSON of items by their bytes."""

    def __init__(self, item: Descriptor, encoders: Encoders, budget: Budget) -> None:
        super().__init__()
        self._class = GetMessageClass(item)
        self._encode = encoders.of(item)
        self._budget = budget
        budget.join(self)

    def __missing__(self, data: bytes) -> orjson.Fragment:
        text = orjson.dumps(self._encode(self._class.FromString(data)))
        self._budget.spend(len(data) + len(text) + _OVERHEAD)
        fragment = self[data] = orjson.Fragment(text)
        return fragment


class ListEncoder:
    """Encodes the answers of one list method: its items, and scalars beside them."""

    def __init__(self, response: Descriptor, items: FieldDescriptor, encoders: Encoders, budget: Budget) -> None:
        assert items.message_type is not None
        self._fragments = Fragments(items.message_type, encoders, budget)
        twin = _twin(response, items)
        self._class = GetMessageClass(twin)
        self._items = items.name
        self._key = encoders.dialect.key(items)
        self._encode = encoders.of(twin)

    def encode(self, data: bytes) -> dict[str, Any]:
        """As the encoder of the answer's own message. DecodeError where the bytes are none."""
        message = self._class.FromString(data)
        fragments = self._fragments
        items = [fragments[item] for item in getattr(message, self._items)]
        message.ClearField(self._items)
        value: dict[str, Any] = self._encode(message)
        value[self._key] = items
        return value


def suits(response: Descriptor, items: FieldDescriptor) -> bool:
    """Whether the answer is a list of messages with nothing but scalars beside it."""
    others = [field for field in response.fields if field.number != items.number]
    return items.message_type is not None and not any(field.message_type or field.enum_type for field in others)


def _twin(response: Descriptor, items: FieldDescriptor) -> Descriptor:
    file = descriptor_pb2.FileDescriptorProto(name="twin.proto", package="twin", syntax="proto3")
    response.CopyToProto(file.message_type.add())
    message = file.message_type[0]
    message.ClearField("nested_type")
    message.ClearField("enum_type")
    message.ClearField("options")
    for field in message.field:
        if field.number == items.number:
            field.ClearField("options")
            field.ClearField("type_name")
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindMessageTypeByName(f"twin.{response.name}")
