"""Reading JSON strictly: what the standard allows in more than one reading is refused."""

from __future__ import annotations

import json
from typing import NoReturn

import orjson

from services.calls.errors import CallError, invalid

MAX_DEPTH = 64
_SHOWN = 100
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class _Refused(ValueError):
    pass


def shown(name: str) -> str:
    """A name that a caller sent, fit for a message: bounded, and valid Unicode."""
    clean = name.encode("utf-8", "replace").decode()
    return clean if len(clean) <= _SHOWN else clean[:_SHOWN] + "…"


def kind_of(value: object) -> str:
    """The JSON type of a value, with its article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    for python, name in ((int, "an integer"), (float, "a number"), (str, "a string"), (list, "an array")):
        if isinstance(value, python):
            return name
    return "an object"


def parse(body: bytes) -> object:
    """The value of a JSON text; MALFORMED_REQUEST_BODY where it is none, INVALID_INPUT for a name given twice."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _read_patiently(body)
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _too_nested(_outside_strings(body)):
        raise _too_deep()
    # Of names given twice the reader keeps one: then there are fewer than were sent.
    again = orjson.dumps(value)
    if b"\\" not in body:  # so no string has quotes
        complete = body.count(b'"') == again.count(b'"')
    else:
        complete = _outside_strings(body).count(b":") == _outside_strings(again).count(b":")
    if not complete:
        json.loads(body, object_pairs_hook=_object)
    return value


def _read_patiently(body: bytes) -> object:
    """Says what is wrong; or gives the value, where what is wrong has a field: half a surrogate pair, 1e999."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"it is not UTF-8 at byte {error.start}") from None
    try:
        value: object = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise _malformed(f"it can't be read from line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise _malformed("it has a number that is none, or too long") from None
    if _too_nested(_outside_strings(body)):
        raise _too_deep()
    return value


def _outside_strings(text: bytes) -> bytes:
    """What is not within quotes."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(text.split(b'"')[::2])


def _too_nested(outside: bytes) -> bool:
    # Each round takes away the innermost level.
    brackets = outside.translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return False
    return True


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise invalid(shown(name), "It is given twice in one object.")
            seen.add(name)
    return found


def _constant(text: str) -> NoReturn:
    raise _Refused(text)


def _malformed(why: str) -> CallError:
    return CallError("MALFORMED_REQUEST_BODY", f"The body is not JSON: {why}.", metadata={"why": why})


def _too_deep() -> CallError:
    return CallError(
        "MALFORMED_REQUEST_BODY",
        f"The body is nested too deeply: at most {MAX_DEPTH} levels are read.",
        metadata={"max_depth": str(MAX_DEPTH)},
    )
