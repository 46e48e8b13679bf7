"""Redaction: messages without what the contract marks as secret."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from delphis.type.v1 import options_pb2

M = TypeVar("M", bound=Message)


def redacted(message: M, *, plain_keys: Collection[str] = ()) -> M:
    """A copy without secrets, and without fields that this version doesn't know: they might be some.

    Of maps marked as secret the keys in `plain_keys` stay.
    """
    copy = type(message)()
    copy.CopyFrom(message)
    copy.DiscardUnknownFields()
    _redact(copy, plain_keys)
    return copy


def _redact(message: Message, plain_keys: Collection[str]) -> None:
    for field in _fields(message.DESCRIPTOR):
        if is_secret(field):
            if is_map(field):
                values = getattr(message, field.name)
                for key in [key for key in values if key not in plain_keys]:
                    del values[key]
            else:
                message.ClearField(field.name)
            continue
        for inner in _messages(message, field):
            _redact(inner, plain_keys)


@cache
def _fields(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """The fields that are secret, or messages in which there may be some."""
    return tuple(field for field in descriptor.fields if is_secret(field) or field.message_type is not None)


def _messages(message: Message, field: FieldDescriptor) -> Iterator[Message]:
    if is_map(field):
        assert field.message_type is not None
        if field.message_type.fields_by_name["value"].message_type is not None:
            yield from getattr(message, field.name).values()
    elif field.is_repeated:
        yield from getattr(message, field.name)
    elif message.HasField(field.name):
        yield getattr(message, field.name)


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


@cache
def is_secret(field: FieldDescriptor) -> bool:
    """Whether the contract marks the field as secret."""
    options: Any = field.GetOptions()
    return bool(options.Extensions[options_pb2.secret])
