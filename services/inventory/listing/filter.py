"""The filter language: an AIP-160 subset, comparisons `field = value` joined by AND."""

from __future__ import annotations

import re
from typing import NamedTuple

from services.calls.errors import CallError, invalid

MAX_LENGTH = 8192
MAX_COMPARISONS = 32

_SPACE = re.compile(r"\s*")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_OPERATOR = re.compile(r"!=|<=|>=|[=<>:~]")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'', re.DOTALL)
_BARE = re.compile(r"[^\s\"'()=<>]+")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Comparison(NamedTuple):
    """`field = value`."""

    field: str
    value: str


def parse_filter(text: str) -> tuple[Comparison, ...]:
    """The comparisons of a filter; INVALID_INPUT where it is none."""
    if not text:
        return ()
    if len(text) > MAX_LENGTH:
        raise invalid("filter", f"It is longer than {MAX_LENGTH} characters.")
    found: list[Comparison] = []
    at = _skip(text, 0)
    while at < len(text):
        if found:
            if not re.match(r"AND\b", text[at:]):
                raise _wrong(text, at, "AND")
            at = _skip(text, at + 3)
        comparison, at = _comparison(text, at)
        found.append(comparison)
        if len(found) > MAX_COMPARISONS:
            raise invalid("filter", f"It has more than {MAX_COMPARISONS} comparisons.")
    return tuple(found)


def _comparison(text: str, at: int) -> tuple[Comparison, int]:
    field = _FIELD.match(text, at)
    if field is None:
        raise _wrong(text, at, "the name of a field")
    at = _skip(text, field.end())
    operator = _OPERATOR.match(text, at)
    if operator is None or operator[0] != "=":
        raise _wrong(text, at, f"= after {field[0]} (no other comparison is supported)")
    at = _skip(text, operator.end())
    quoted = _QUOTED.match(text, at)
    if quoted is not None:
        value = _ESCAPE.sub(r"\1", quoted[1] if quoted[1] is not None else quoted[2])
        return Comparison(field[0], value), _skip(text, quoted.end())
    bare = _BARE.match(text, at)
    if bare is None:
        raise _wrong(text, at, f"a value for {field[0]}")
    return Comparison(field[0], bare[0]), _skip(text, bare.end())


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _wrong(text: str, at: int, wanted: str) -> CallError:
    rest = repr(text[at : at + 30]) if at < len(text) else "the end"
    return invalid("filter", f"At character {at + 1} it should have {wanted}, not {rest}.")
