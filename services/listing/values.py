"""What texts of a filter mean to the database."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from google.protobuf.descriptor import EnumDescriptor, EnumValueDescriptor

from delphis.type.v1 import options_pb2

_INTEGER = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_LARGEST = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LABEL_KEY = re.compile(r"[A-Za-z0-9\-_./]{1,63}")


def is_label_key(text: str) -> bool:
    """Whether a label can have this key."""
    return _LABEL_KEY.fullmatch(text) is not None


def enum_text(value: EnumValueDescriptor) -> str:
    """The text of an enum's value in REST: its `text` option, or its name without the enum's prefix."""
    text = value.GetOptions().Extensions[options_pb2.text]
    if text:
        return str(text)
    return value.name.removeprefix(value.type.values[0].name.removesuffix("UNSPECIFIED")).lower()


def enum_numbers(enum: EnumDescriptor) -> dict[str, int]:
    """The enum's numbers by their texts, in lower case."""
    return {enum_text(value).lower(): value.number for value in enum.values if value.number}


def time_value(text: str) -> int:
    """Microseconds since 1970 of an ISO 8601 time; UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        since = found - _EPOCH
    except (ValueError, OverflowError):
        raise ValueError("It is no time such as 2026-11-22T13:42:55.328319Z.") from None
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def enum_value(numbers: Mapping[str, int]) -> Callable[[str], int]:
    """A parser of an enum's texts, without regard to case."""

    def parse(text: str) -> int:
        number = numbers.get(text.lower())
        if number is None:
            raise ValueError(f"It is one of {', '.join(numbers)}.")
        return number

    return parse


def integer_value(text: str) -> int:
    """A whole number of 64 bits."""
    if not _INTEGER.fullmatch(text) or not -_LARGEST <= int(text) <= _LARGEST:
        raise ValueError(f"It is a whole number from -{_LARGEST} to {_LARGEST}.")
    return int(text)


def flag_value(text: str) -> int:
    """0 or 1."""
    found = {"true": 1, "false": 0}.get(text.lower())
    if found is None:
        raise ValueError("It is true or false.")
    return found
