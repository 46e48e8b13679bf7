"""Lines of what an array printed."""

from __future__ import annotations

import re

_LINE_END = re.compile(r"\r\n|\r|\n")


def lines_of(text: str) -> list[str]:
    """The lines, with tabs as spaces. Only CR and LF end a line: other signs of Unicode may stand in names."""
    lines = _LINE_END.split(text.removeprefix("\ufeff"))
    return [line.expandtabs() if "\t" in line else line for line in lines]


def indentation(line: str) -> int:
    """Blanks at the beginning of a line."""
    return len(line) - len(line.lstrip())


def shortened(text: str, longest: int = 60) -> str:
    """A text as errors show it."""
    return text if len(text) <= longest else text[:longest] + "…"
