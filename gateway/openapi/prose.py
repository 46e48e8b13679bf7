"""Comments taken apart: the first sentence, the text, and the table of errors in which a method's comment ends."""

from __future__ import annotations

import re
from typing import NamedTuple

_SENTENCE = re.compile(r"(.+?[.!?])(?:\s|$)", re.DOTALL)
_REASON = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\b[A-Z]{4,}\b")
_ELSEWHERE = re.compile(r"as in (\w+)")
_NOT_TO_CALLERS = "(host only)"
_LONGEST_SUMMARY = 120


class Failure(NamedTuple):
    """A row of a table of errors."""

    condition: str
    reason: str
    action: str


class Prose(NamedTuple):
    """A comment."""

    summary: str
    """The first sentence, without its full stop."""
    text: str
    """All but the tables; Markdown."""
    failures: tuple[Failure, ...]
    elsewhere: tuple[str, ...]
    """Names of services whose tables hold too."""


def read(comment: str) -> Prose:
    """The parts of a comment."""
    lines = comment.split("\n")
    rows = [_cells(line) for line in lines if line.startswith("|")]
    text = paragraphs("\n".join(line for line in lines if not line.startswith("|")))
    failures: list[Failure] = []
    elsewhere: list[str] = []
    for cells in rows:
        if len(cells) != 4 or cells[0] == "condition" or set(cells[0]) <= {"-", ":"}:
            continue
        condition, _, reason, action = cells
        found = _REASON.search(reason)
        if found is not None and _NOT_TO_CALLERS not in reason:
            failures.append(Failure(condition, found[0], action))
        elif (other := _ELSEWHERE.match(reason)) is not None:
            elsewhere.append(other[1])
    return Prose(summary(text), text, tuple(failures), tuple(elsewhere))


def summary(text: str) -> str:
    """The first sentence, without its full stop; of a long one what it begins with."""
    first = text.split("\n", 1)[0]
    found = _SENTENCE.match(first)
    sentence = (found[1] if found else first).removesuffix(".")
    if len(sentence) > _LONGEST_SUMMARY and ": " in sentence:
        sentence = sentence.partition(": ")[0]
    return sentence if len(sentence) <= _LONGEST_SUMMARY else sentence[:_LONGEST_SUMMARY].rpartition(" ")[0] + " …"


def paragraphs(text: str) -> str:
    """Lines joined to paragraphs, which stay apart, as do the items of a list."""
    out: list[str] = []
    fresh = True
    for line in text.split("\n"):
        if not line.strip():
            if out and not fresh:
                out.append("")
            fresh = True
        elif fresh or line.lstrip().startswith(("- ", "* ", "#")):
            out.append(line)
            fresh = False
        else:
            out[-1] += " " + line.strip()
    return "\n".join(out).strip()


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
