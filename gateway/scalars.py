"""Scalar values as callers send them, checked and turned into what a message takes."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from gateway.dialect import Dialect, enum_texts
from gateway.jsontext import kind_of
from services.calls.errors import invalid

Scalar = str | int | float | bytes | bool
Convert = Callable[[object, str], Scalar]
"""Takes a JSON value and the field's path, for the message of INVALID_INPUT."""

_INTEGER = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_TOO_LARGE_FOR_FLOAT32 = 3.4028235677973366e38  # from here on rounding gives infinity

_TOO_LARGE = 2.0**63
"""What is as large as this may have been another integer: the reader of JSON makes a float of one beyond 64 bits."""

_INT32 = (-(2**31), 2**31 - 1)
_UINT32 = (0, 2**32 - 1)
_INT64 = (-(2**63), 2**63 - 1)
_UINT64 = (0, 2**64 - 1)
RANGES = {
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
}


def converter(field: FieldDescriptor, dialect: Dialect) -> Convert:
    """What turns a JSON value into the field's type, or says INVALID_INPUT."""
    if field.enum_type is not None:
        return _enum(field.enum_type, dialect)
    if field.type in RANGES:
        return _integer(*RANGES[field.type])
    if field.type == FieldDescriptor.TYPE_BOOL:
        return boolean
    if field.type == FieldDescriptor.TYPE_STRING:
        return string
    if field.type == FieldDescriptor.TYPE_BYTES:
        return binary
    return _float32 if field.type == FieldDescriptor.TYPE_FLOAT else double


def text_converter(field: FieldDescriptor, dialect: Dialect) -> Convert:
    """The same for text from a path or a query: only booleans differ, all others may be strings in JSON too."""
    if field.type == FieldDescriptor.TYPE_BOOL:
        return boolean_text
    return converter(field, dialect)


def _integer(low: int, high: int) -> Convert:
    def convert(value: object, path: str) -> int:
        if type(value) is int:
            number = value
        elif (type(value) is str and _INTEGER.fullmatch(value)) or (
            type(value) is float and value.is_integer() and abs(value) < _TOO_LARGE
        ):
            number = int(value)
        elif type(value) is str or (type(value) is float and value.is_integer()):
            raise invalid(path, f"It must be an integer from {low} to {high}.")
        else:
            raise invalid(path, f"It must be an integer, not {kind_of(value)}.")
        if not low <= number <= high:
            raise invalid(path, f"It must be an integer from {low} to {high}.")
        return number

    return convert


def boolean(value: object, path: str) -> bool:
    """true or false."""
    if isinstance(value, bool):
        return value
    raise invalid(path, f"It must be true or false, not {kind_of(value)}.")


def boolean_text(value: object, path: str) -> bool:
    """true or false as text, without regard to case."""
    text = str(value).lower()
    if text not in ("true", "false"):
        raise invalid(path, "It must be true or false.")
    return text == "true"


def string(value: object, path: str) -> str:
    """A string that is Unicode."""
    if not isinstance(value, str):
        raise invalid(path, f"It must be a string, not {kind_of(value)}.")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise invalid(path, "It has half a surrogate pair, which is no character.") from None
    return value


def binary(value: object, path: str) -> bytes:
    """Base64, in either alphabet, padded or not."""
    text = string(value, path)
    try:
        standard = text.translate({45: "+", 95: "/"}).rstrip("=")
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid(path, "It must be base64.") from None


def double(value: object, path: str) -> float:
    """A number, or a number as text, or NaN, Infinity, -Infinity as text."""
    if isinstance(value, str):
        if value in _NON_FINITE:
            return _NON_FINITE[value]
        if not _NUMBER.fullmatch(value):
            raise invalid(path, "It must be a number.")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(path, f"It must be a number, not {kind_of(value)}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise invalid(path, "It is larger than a 64-bit floating-point number can be.")
    return number


def _float32(value: object, path: str) -> float:
    number = double(value, path)
    if math.isfinite(number) and abs(number) >= _TOO_LARGE_FOR_FLOAT32:
        raise invalid(path, "It is larger than a 32-bit floating-point number can be.")
    return number


def enum_numbers(enum: EnumDescriptor, dialect: Dialect) -> dict[str, int]:
    """The numbers of the texts that the dialect writes, and of the values' names."""
    numbers = {value.name: value.number for value in reversed(enum.values)}
    if dialect.delfin:
        texts = {number: text for number, text in enum_texts(enum).items() if text is not None}
        # A text wins over the name of another value, whatever its case: as `_enum` has it.
        taken = {text.lower() for text in texts.values()}
        numbers = {name: number for name, number in numbers.items() if name.lower() not in taken}
        numbers |= {text: number for number, text in reversed(texts.items())}
    return numbers


def _enum(enum: EnumDescriptor, dialect: Dialect) -> Convert:
    numbers = {value.name.lower(): value.number for value in reversed(enum.values)}
    choices = [value.name for value in enum.values]
    if dialect.delfin:
        texts = {number: text for number, text in enum_texts(enum).items() if text is not None}
        numbers |= {text.lower(): number for number, text in reversed(texts.items())}
        choices = list(texts.values())
    offer = f"It must be one of: {', '.join(choices)}."

    def convert(value: object, path: str) -> int:
        if not dialect.delfin and type(value) is str and _INTEGER.fullmatch(value):
            value = int(value)
        if not dialect.delfin and type(value) is int:
            if not _INT32[0] <= value <= _INT32[1] or (enum.is_closed and value not in enum.values_by_number):
                raise invalid(path, offer)
            return value
        if not isinstance(value, str):
            raise invalid(path, f"It must be a string, not {kind_of(value)}. {offer}")
        number = numbers.get(value.lower())
        if number is None:
            raise invalid(path, offer)
        return number

    return convert
