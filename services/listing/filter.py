"""The filter language, a subset of AIP-160: text to a tree.

expression = factor {"AND" factor}
factor     = term {"OR" term}                 OR binds tighter than AND
term       = ["NOT" | "-"] simple
simple     = "(" expression ")" | field operator value
field      = name {"." (key | string)}
operator   = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":"
value      = word | string                    * stands for any characters, \\* for itself
"""

from __future__ import annotations

import re
from typing import NamedTuple

from services.calls.errors import CallError, invalid

MAX_LENGTH = 8192
MAX_TERMS = 64
MAX_DEPTH = 16
MAX_WILDCARDS = 8

_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"(?:AND|OR|NOT)(?![A-Za-z0-9_./-])")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(r"[A-Za-z0-9_/-]+")
_OPERATOR = re.compile(r"!=|<=|>=|[=<>:]")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'', re.DOTALL)
_BARE = re.compile(r"(?:[^\s\"'()=<>\\]|\\.)+", re.DOTALL)
_PIECE = re.compile(r"\\u([0-9a-fA-F]{4})|\\(.)|(\*)|([^\\*]+)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_SURROGATES = range(0xD800, 0xE000)


class Value(NamedTuple):
    """What a field is compared with: the texts between its wildcards, one text where it has none."""

    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        """The value with its wildcards as they were written."""
        return "*".join(self.parts)

    @property
    def any(self) -> bool:
        """It is a wildcard and nothing else."""
        return self.parts == ("", "")


class Comparison(NamedTuple):
    """`field operator value`."""

    field: str
    operator: str
    value: Value


class Not(NamedTuple):
    """What its part is not."""

    part: Tree


class All(NamedTuple):
    """All parts hold."""

    parts: tuple[Tree, ...]


class Some(NamedTuple):
    """At least one part holds."""

    parts: tuple[Tree, ...]


Tree = Comparison | Not | All | Some


def parse_filter(text: str) -> Tree | None:
    """The tree of a filter, None for an empty one; INVALID_INPUT that names the place where it is wrong."""
    if len(text) > MAX_LENGTH:
        raise invalid("filter", f"It is longer than {MAX_LENGTH} characters.")
    return _Parser(text).whole() if text.strip() else None


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._terms = 0
        self._skip()

    def whole(self) -> Tree:
        tree = self._expression(0)
        if self._at < len(self._text):
            raise self._wrong("AND, OR or the end")
        return tree

    def _expression(self, depth: int) -> Tree:
        parts = [self._factor(depth)]
        while self._take_word("AND"):
            parts.append(self._factor(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _factor(self, depth: int) -> Tree:
        parts = [self._term(depth)]
        while self._take_word("OR"):
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _term(self, depth: int) -> Tree:
        if self._take_word("NOT") or self._take("-"):
            return Not(self._simple(depth))
        return self._simple(depth)

    def _simple(self, depth: int) -> Tree:
        begin = self._at
        if not self._take("("):
            return self._comparison()
        if depth == MAX_DEPTH:
            self._at = begin
            raise self._refused(f"parentheses are deeper than {MAX_DEPTH}")
        tree = self._expression(depth + 1)
        if not self._take(")"):
            raise self._wrong("AND, OR or )")
        return tree

    def _comparison(self) -> Comparison:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise self._refused(f"comparisons are more than {MAX_TERMS}")
        name = self._field()
        operator = self._match(_OPERATOR)
        if operator is None:
            raise self._wrong(f"one of = != < <= > >= : after {name}")
        value = self._value(name)
        return Comparison(name, operator[0], value)

    def _field(self) -> str:
        if _WORD.match(self._text, self._at):
            raise self._wrong("the name of a field")
        first = _NAME.match(self._text, self._at)
        if first is None:
            raise self._wrong("the name of a field, NOT or (")
        parts = [first[0]]
        self._at = first.end()
        while self._text.startswith(".", self._at):
            self._at += 1
            key = _KEY.match(self._text, self._at)
            quoted = None if key else _QUOTED.match(self._text, self._at)
            if key is not None:
                parts.append(key[0])
                self._at = key.end()
            elif quoted is not None:
                parts.append("*".join(self._pieces(quoted[1] if quoted[1] is not None else quoted[2])))
                self._at = quoted.end()
            else:
                raise self._wrong("a key after the dot")
        self._skip()
        return ".".join(parts)

    def _value(self, name: str) -> Value:
        found = _QUOTED.match(self._text, self._at)
        if found is not None:
            content = found[1] if found[1] is not None else found[2]
        else:
            found = _BARE.match(self._text, self._at)
            if found is None or _WORD.fullmatch(found[0]):
                raise self._wrong(f"a value for {name}")
            content = found[0]
        parts = self._pieces(content)
        if len(parts) - 1 > MAX_WILDCARDS:
            raise self._refused(f"wildcards in one value are more than {MAX_WILDCARDS}")
        self._at = found.end()
        self._skip()
        return Value(parts)

    def _pieces(self, content: str) -> tuple[str, ...]:
        """The texts between wildcards, without escapes."""
        parts = [""]
        code: str
        escaped: str
        plain: str
        for code, escaped, star, plain in _PIECE.findall(content):
            if star:
                parts.append("")
            elif code:
                number = int(code, 16)
                if number in _SURROGATES:
                    raise self._refused(f"\\u{code} is no character")
                parts[-1] += chr(number)
            else:
                parts[-1] += _ESCAPED.get(escaped, escaped) if escaped else plain
        return tuple(parts)

    def _take(self, mark: str) -> bool:
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        self._skip()
        return True

    def _take_word(self, word: str) -> bool:
        found = _WORD.match(self._text, self._at)
        return found is not None and found[0] == word and self._take(word)

    def _match(self, what: re.Pattern[str]) -> re.Match[str] | None:
        found = what.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
            self._skip()
        return found

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _wrong(self, wanted: str) -> CallError:
        rest = repr(self._text[self._at : self._at + 30]) if self._at < len(self._text) else "the end"
        return invalid("filter", f"At character {self._at + 1} it should have {wanted}, not {rest}.")

    def _refused(self, what: str) -> CallError:
        return invalid("filter", f"At character {self._at + 1}: {what}.")
