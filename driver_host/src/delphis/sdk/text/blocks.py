"""Blocks of keys and values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from delphis.sdk import errors
from delphis.sdk.text.lines import indentation, lines_of, shortened

SEPARATORS = (":", "=")
Repeated = Literal["refuse", "first", "last"]


@dataclass(slots=True)
class Section:
    """A block with a title, by indentation.

    Attributes:
        title: The line above it, without a separator at its end; empty for the text as a whole.
        values: Its own lines with keys and values. Of keys that stand there twice, the last.
        sections: The sections in it, in order.
    """

    title: str = ""
    values: dict[str, str] = field(default_factory=dict[str, str])
    sections: list[Section] = field(default_factory=list["Section"])

    def named(self, title: str) -> list[Section]:
        """The sections in it with this title, in order."""
        return [section for section in self.sections if section.title == title]


def pairs(text: str, *, separators: Sequence[str] = SEPARATORS) -> list[tuple[str, str]]:
    """All lines with a key and a value, in order.

    A line's key ends at the first separator in it. A line without one that is indented deeper than the last key
    continues that key's value, after a space; others, such as titles, are left out.

    Args:
        text: What the array printed.
        separators: What stands between key and value.

    Returns:
        Keys and values, without spaces around them; values may be empty.
    """
    return [pair for group in _groups(text, separators) for pair in group]


def key_values(text: str, *, separators: Sequence[str] = SEPARATORS, repeated: Repeated = "refuse") -> dict[str, str]:
    """One object: its keys and values. Lines are read as by `pairs`.

    Args:
        text: What the array printed.
        separators: What stands between key and value.
        repeated: Of keys with several values: take the `first` or the `last`, or refuse the text.

    Raises:
        errors.BadResponse: A key has two different values, and these are refused.
    """
    return _joined(pairs(text, separators=separators), repeated)


def records(
    text: str,
    *,
    separators: Sequence[str] = SEPARATORS,
    first_key: str | None = None,
    repeated: Repeated = "refuse",
) -> list[dict[str, str]]:
    """Several objects, each a block of keys and values. Lines are read as by `pairs`.

    Args:
        text: What the array printed.
        separators: What stands between key and value.
        first_key: The key with which each object begins; what precedes the first is left out. None: blank lines part
            the objects.
        repeated: As for `key_values`.

    Raises:
        errors.BadResponse: A key of an object has two different values, and these are refused.
    """
    if first_key is None:
        return [_joined(group, repeated) for group in _groups(text, separators) if group]
    found: list[list[tuple[str, str]]] = []
    for key, value in pairs(text, separators=separators):
        if key == first_key:
            found.append([])
        if found:
            found[-1].append((key, value))
    return [_joined(group, repeated) for group in found]


def sections(text: str, *, separators: Sequence[str] = SEPARATORS) -> Section:
    """The whole text as a tree, by indentation.

    A line under which other lines are indented is the title of a section. Every other line with a separator is a value
    of the section that it stands in; what is neither is left out.

    Args:
        text: What the array printed.
        separators: What stands between key and value.
    """
    root = Section()
    open_sections: list[tuple[int, Section]] = [(-1, root)]
    lines = [line for line in lines_of(text) if line.strip()]
    depths = [indentation(line) for line in lines]
    for place, line in enumerate(lines):
        depth = depths[place]
        while open_sections[-1][0] >= depth:
            open_sections.pop()
        inside = open_sections[-1][1]
        if place + 1 < len(lines) and depths[place + 1] > depth:
            section = Section(_title(line, separators))
            inside.sections.append(section)
            open_sections.append((depth, section))
        elif (pair := _pair(line, separators)) is not None:
            inside.values[pair[0]] = pair[1]
    return root


def _groups(text: str, separators: Sequence[str]) -> Iterator[list[tuple[str, str]]]:
    """The pairs between blank lines."""
    group: list[tuple[str, str]] = []
    depth_of_key = 0
    for line in lines_of(text):
        if not line.strip():
            yield group
            group = []
        elif (pair := _pair(line, separators)) is not None:
            group.append(pair)
            depth_of_key = indentation(line)
        elif group and indentation(line) > depth_of_key:
            key, value = group[-1]
            group[-1] = (key, f"{value} {line.strip()}".strip())
    yield group


def _pair(line: str, separators: Sequence[str]) -> tuple[str, str] | None:
    places = [(place, separator) for separator in separators if (place := line.find(separator)) >= 0]
    if not places:
        return None
    place, separator = min(places, key=lambda found: (found[0], -len(found[1])))
    key = line[:place].strip()
    return (re.sub(r"\s+", " ", key), line[place + len(separator) :].strip()) if key else None


def _title(line: str, separators: Sequence[str]) -> str:
    title = line.strip()
    for separator in separators:
        title = title.removesuffix(separator)
    return title.strip()


def _joined(group: Sequence[tuple[str, str]], repeated: Repeated) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in group:
        if key in found and found[key] != value and repeated == "refuse":
            raise errors.BadResponse(
                f"The array gives {shortened(key)!r} twice: {shortened(found[key])!r} and {shortened(value)!r}.",
                key=key,
            )
        if key not in found or repeated == "last":
            found[key] = value
    return found
