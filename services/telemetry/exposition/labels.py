"""Labels of series in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def escaped(value: str) -> str:
    """A label's value between its quotes. What is no Unicode text can't be sent, and becomes question marks."""
    return value.translate(_ESCAPES).encode("utf-8", "replace").decode("utf-8")


def pairs(labels: Iterable[tuple[str, str]]) -> str:
    """Labels as they stand between the braces, with a comma behind each."""
    return "".join(f'{name}="{escaped(value)}",' for name, value in labels)
