"""Path templates of `google.api.http`: `/v1/{name=arrays/*}/volumes:export`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_VARIABLE = re.compile(rf"\{{({_NAME}(?:\.{_NAME})*)(?:=([^{{}}]+))?\}}")
_LITERAL = re.compile(r"[^{}*/:]+")
_VERB = re.compile(r":([^{}*/:]+)$")


class BadTemplate(ValueError):
    """A path template that is none."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A part of the path that sets a field: segments `start` to `end`; -1 as end: all that are left."""

    field: str
    start: int
    end: int
    several: bool
    """It may hold several segments: a slash that is percent-encoded stays so."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template. Segments are literals, `*` for any one, or `**`, at the end, for all that are left."""

    text: str
    segments: tuple[str, ...]
    variables: tuple[Variable, ...]
    verb: str


def parse(text: str) -> Template:
    """The template; BadTemplate where it is none."""
    if not text.startswith("/"):
        raise BadTemplate(f"{text!r} does not begin with a slash")
    rest, verb = text[1:], ""
    found = _VERB.search(rest)
    if found is not None:
        rest, verb = rest[: found.start()], found[1]
    segments: list[str] = []
    variables: list[Variable] = []
    while rest:
        match = _VARIABLE.match(rest)
        if match is not None:
            start = len(segments)
            parts = (match[2] or "*").split("/")
            segments += [_segment(part, text) for part in parts]
            end = -1 if segments[-1] == "**" else len(segments)
            variables.append(Variable(match[1], start, end, len(parts) > 1 or parts == ["**"]))
            rest = rest[match.end() :]
        else:
            part, slash, after = rest.partition("/")
            segments.append(_segment(part, text))
            rest = slash + after
        if rest:
            if not rest.startswith("/") or rest == "/":
                raise BadTemplate(f"{text!r} has {rest!r} where a slash and a segment should be")
            rest = rest[1:]
    if not segments or "**" in segments[:-1]:
        raise BadTemplate(f"{text!r} must have segments, and ** only as the last one")
    if len({variable.field for variable in variables}) != len(variables):
        raise BadTemplate(f"{text!r} names a variable twice")
    return Template(text, tuple(segments), tuple(variables), verb)


def _segment(part: str, text: str) -> str:
    if part in ("*", "**"):
        return part
    if not _LITERAL.fullmatch(part):
        raise BadTemplate(f"{text!r} has the segment {part!r}")
    return unquote(part)
