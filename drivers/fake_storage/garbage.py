"""Answers that keep to the types of the contract and to nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

_FIRST_CORE_OWNED = 200
_TEXTS = ("", "\x00\x01\x1b[31m", "<script>'\";--", "ÿ" * 5000, "../../../etc/passwd", "NULL", "\u202eabc")
_NUMBERS = (-1, -(1 << 31), (1 << 31) - 1, 0)


def garbage(cls: type[M], index: int) -> M:
    """One nonsense message: unlisted enum values, negative sizes, names of nothing; every seventh has no native id."""
    message = cls()
    fields = cast("Sequence[FieldDescriptor]", cls.DESCRIPTOR.fields)
    for position, field in enumerate(fields):
        if field.number >= _FIRST_CORE_OWNED or field.message_type is not None:
            continue
        if field.type == FieldDescriptor.TYPE_ENUM:
            value: object = 9000 + index
        elif field.type == FieldDescriptor.TYPE_STRING:
            value = _TEXTS[(index + position) % len(_TEXTS)]
        elif field.type == FieldDescriptor.TYPE_BOOL:
            value = index % 2 == 0
        else:
            value = _NUMBERS[(index + position) % len(_NUMBERS)]
        if hasattr(getattr(message, field.name), "extend"):
            getattr(message, field.name).extend([value, value])
        else:
            setattr(message, field.name, value)
    return message
