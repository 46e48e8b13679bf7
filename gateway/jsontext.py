"""Reading JSON strictly: what the standard allows in more than one reading is refused."""

from __future__ import annotations

import json
from typing import NoReturn

from services.calls.errors import CallError, invalid

MAX_DEPTH = 64
_SHOWN = 100


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
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"it is not UTF-8 at byte {error.start}") from None
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise _malformed(f"it can't be read from line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise _malformed("it has a number that is none, or too long") from None
    # Only what could be deep is looked at: the walk costs as much as the reading.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise _too_deep()
    return value


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


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level:
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        depth += 1
        level = [item for item in below if isinstance(item, dict | list)]
    return depth


def _malformed(why: str) -> CallError:
    return CallError("MALFORMED_REQUEST_BODY", f"The body is not JSON: {why}.", metadata={"why": why})


def _too_deep() -> CallError:
    return CallError(
        "MALFORMED_REQUEST_BODY",
        f"The body is nested too deeply: at most {MAX_DEPTH} levels are read.",
        metadata={"max_depth": str(MAX_DEPTH)},
    )
