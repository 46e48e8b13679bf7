"""Texts of enums, both ways, as the contract's options say them."""

from __future__ import annotations

from functools import cache

from google.protobuf.descriptor import EnumDescriptor, EnumValueDescriptor

from delphis.type.v1 import options_pb2

UNKNOWN = 1


def _text(value: EnumValueDescriptor, prefix: str) -> str:
    return str(value.GetOptions().Extensions[options_pb2.text]) or value.name.removeprefix(prefix).lower()


@cache
def numbers(enum: EnumDescriptor) -> dict[str, int]:
    """The numbers of an enum by text: as the contract writes it, and in lower case."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    found: dict[str, int] = {}
    for value in enum.values:
        if value.number:
            text = _text(value, prefix)
            found[text] = found[text.lower()] = value.number
    return found


@cache
def text(enum: EnumDescriptor, number: int) -> str:
    """The text of a value; `unknown` for a number that the enum has not."""
    value = enum.values_by_number.get(number)
    return _text(value, enum.values_by_number[0].name.removesuffix("UNSPECIFIED")) if value is not None else "unknown"


@cache
def _loose(enum: EnumDescriptor) -> dict[str, int]:
    return {plain(word): number for word, number in numbers(enum).items()}


def plain(word: str) -> str:
    """A word without case, blanks, dashes and underscores."""
    return "".join(filter(str.isalnum, word)).lower()


def number_of(enum: EnumDescriptor, word: str) -> int | None:
    """The number for a text in whatever spelling: `NL_SAS`, `nl sas`; None where the enum has no such word."""
    return _loose(enum).get(plain(word))
