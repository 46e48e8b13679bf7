"""Texts that arrays and servers chose, made harmless for a terminal."""

from __future__ import annotations

import re

# An array may call a volume "\x1b]0;…": what reaches a terminal must not steer it.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with control characters written as escapes."""
    return _CONTROL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
