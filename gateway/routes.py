"""Which binding a path belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

from gateway.template import Template, Variable
from services.calls.errors import CallError

T = TypeVar("T")

_ANY_METHOD = "*"
_MAX_KEPT = 4096


@dataclass(slots=True)
class _Node(Generic[T]):
    """What follows after some segments. The values are by verb, then by HTTP method."""

    literals: dict[str, _Node[T]] = field(default_factory=dict)
    one: _Node[T] | None = None
    here: dict[str, dict[str, tuple[Template, T]]] = field(default_factory=dict)
    rest: dict[str, dict[str, tuple[Template, T]]] = field(default_factory=dict)


class Match(NamedTuple, Generic[T]):
    """A binding and the values of its path's variables by field."""

    target: T
    template: Template
    variables: dict[str, str]


class RouteTable(Generic[T]):
    """All bindings. Literals come before variables, and what was added first before what was added later."""

    def __init__(self, routes: Iterable[tuple[str, Template, T]] = ()) -> None:
        self._root: _Node[T] = _Node()
        self._literal: dict[str, dict[str, Match[T]]] = {}
        self._kept: dict[tuple[str, str], Match[T]] = {}
        self.refused: list[tuple[str, Template, T]] = []
        """Routes whose method and path another one had already."""
        for method, template, target in routes:
            if not self._add(method, template, target):
                self.refused.append((method, template, target))

    def _add(self, method: str, template: Template, target: T) -> bool:
        node = self._root
        several = template.segments[-1] == "**"
        for segment in template.segments[:-1] if several else template.segments:
            if segment == "*":
                node.one = node.one or _Node()
                node = node.one
            else:
                node = node.literals.setdefault(segment, _Node())
        methods = (node.rest if several else node.here).setdefault(template.verb, {})
        if method in methods:
            return False
        methods[method] = (template, target)
        if "*" not in template.segments and not several:
            path = "/" + "/".join(template.segments) + (f":{template.verb}" if template.verb else "")
            if path.isascii() and "%" not in path:
                self._literal.setdefault(path, {})[method] = Match(target, template, {})
        return True

    def match(self, method: str, path: str) -> Match[T] | None:
        """The binding for a raw, percent-encoded path; None where no path or no method fits."""
        literal = self._literal.get(path)
        if literal is not None and method in literal:
            return literal[method]
        kept = self._kept.get((method, path))
        if kept is None:
            kept = self._search(method, path)
            if kept is not None:
                if len(self._kept) >= _MAX_KEPT:
                    self._kept.clear()
                self._kept[method, path] = kept
        return kept

    def _search(self, method: str, path: str) -> Match[T] | None:
        found: list[tuple[Template, T]] = []
        for segments, verb in _readings(path):
            decoded = [decode(segment) for segment in segments]
            if _walk(self._root, decoded, 0, verb, method, found):
                template, target = found[0]
                values = {variable.field: _value(variable, segments, decoded) for variable in template.variables}
                return Match(target, template, values)
        return None

    def methods(self, path: str) -> list[str]:
        """The HTTP methods with which the path exists."""
        names: set[str] = set()
        for segments, verb in _readings(path):
            _collect(self._root, [decode(segment) for segment in segments], 0, verb, names)
        return sorted(names)


def _readings(path: str) -> list[tuple[list[str], str]]:
    """A colon in the last segment may begin a verb, or belong to the segment."""
    if not path.startswith("/"):  # `OPTIONS *`
        return []
    raw = path.split("/")[1:]
    stem, colon, verb = raw[-1].rpartition(":")
    whole = (raw, "")
    return [([*raw[:-1], stem], verb), whole] if colon and stem else [whole]


def _walk(
    node: _Node[T], segments: list[str], at: int, verb: str, method: str, found: list[tuple[Template, T]]
) -> bool:
    if at == len(segments):
        return _take(node.here, verb, method, found) or _take(node.rest, verb, method, found)
    segment = segments[at]
    below = node.literals.get(segment)
    if below is not None and _walk(below, segments, at + 1, verb, method, found):
        return True
    if segment and node.one is not None and _walk(node.one, segments, at + 1, verb, method, found):
        return True
    return _take(node.rest, verb, method, found)


def _take(
    values: dict[str, dict[str, tuple[Template, T]]], verb: str, method: str, found: list[tuple[Template, T]]
) -> bool:
    methods = values.get(verb)
    if methods is None:
        return False
    value = methods.get(method) or methods.get(_ANY_METHOD)
    if value is None:
        return False
    found.append(value)
    return True


def _collect(node: _Node[T], segments: list[str], at: int, verb: str, names: set[str]) -> None:
    names.update(node.rest.get(verb, ()))
    if at == len(segments):
        names.update(node.here.get(verb, ()))
        return
    below = node.literals.get(segments[at])
    if below is not None:
        _collect(below, segments, at + 1, verb, names)
    if segments[at] and node.one is not None:
        _collect(node.one, segments, at + 1, verb, names)


def decode(segment: str, *, keep_slash: bool = False) -> str:
    """A segment without percent-encoding; BAD_REQUEST where that is not UTF-8."""
    if "%" not in segment:
        return segment
    if keep_slash:
        segment = segment.replace("%2F", "%252F").replace("%2f", "%252f")
    try:
        return unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise CallError("BAD_REQUEST", "The path is not UTF-8 where it is percent-encoded.") from None


def _value(variable: Variable, segments: list[str], decoded: list[str]) -> str:
    end = len(segments) if variable.end < 0 else variable.end
    if not variable.several:
        return decoded[variable.start]
    return "/".join(decode(segment, keep_slash=True) for segment in segments[variable.start : end])
