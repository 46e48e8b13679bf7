"""Which part of a question the history has, and which another database must answer. Times are milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

from services.telemetry.history.recorder import KINDS
from services.telemetry.history.slots import KEPT_MILLISECONDS
from services.telemetry.query.question import Question

SLACK = 5 * 60 * 1000
"""A question for the last day is none for what is older, though it takes a while to come here."""

Span = tuple[int, int]
"""Begin, and end, which is not in it."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The parts; None: there is none."""

    own: Span | None
    """What the history has."""
    older: Span | None
    """What it does not have of any resource."""


def coverage(question: Question, *, now: int, elsewhere: bool) -> Coverage:
    """Who has what of a question; `elsewhere`: there is another database."""
    begin, end = question.begin, question.end
    if question.kind not in KINDS:
        return Coverage(None, (begin, end))
    oldest = now - KEPT_MILLISECONDS
    if begin >= oldest - SLACK:
        return Coverage((begin, end), None)
    if elsewhere and question.step:  # a step is wholly of one or the other
        oldest += -oldest % question.step
    if end <= oldest:
        return Coverage(None, (begin, end))
    return Coverage((oldest, end), (begin, oldest))
