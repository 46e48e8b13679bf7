"""Labels of series, and what is said of a family, in Prometheus' text formats."""

from __future__ import annotations

from collections.abc import Iterable

from services.exposition.formats import OPENMETRICS

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def escaped(value: str) -> str:
    """A label's value between its quotes. What is no Unicode text can't be sent, and becomes question marks."""
    return value.translate(_ESCAPES).encode("utf-8", "replace").decode("utf-8")


def pairs(labels: Iterable[tuple[str, str]]) -> str:
    """Labels as they stand between the braces, with a comma behind each."""
    return "".join(f'{name}="{escaped(value)}",' for name, value in labels)


def described(text: str, format_: str) -> str:
    """What stands behind `# HELP` and the name."""
    return escaped(text) if format_ == OPENMETRICS else text.replace("\\", r"\\").replace("\n", r"\n")
