"""What texts of a filter mean to the database."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

_INTEGER = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_LARGEST = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
