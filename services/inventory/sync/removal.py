"""When what an answer lacks is believed to be gone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SMALL_LOSS = 10
"""So many items may go at once, however few there are."""
LOSS_PERCENT = 30
ANSWERS = 3
"""So many suspicious answers in a row are believed, if they are spread over `PERIOD`."""
PERIOD = 3_600_000_000
"""Microseconds."""
TOMBSTONE_PERIOD = 30 * 86_400_000_000
"""Microseconds for which the id of what was removed is kept."""


class Verdict(Enum):
    """What happens to what is missing."""

    NOTHING = "nothing is missing, or the answer says nothing about it"
    REMOVE = "it is gone"
    KEEP = "it is kept and marked"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How often in a row, and since when, answers lacked too much."""

    answers: int = 0
    since: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one answer of the array lacked."""

    complete: bool
    items: int
    """Resources in the answer."""
    stored: int
    """Resources in the store before it."""
    missing: int
    """Stored ones that it lacked."""
    array_troubled: bool
    """The array says of itself that it is offline or abnormal."""


def judge(answer: Answer, before: Suspicion, now: int) -> tuple[Verdict, Suspicion]:
    """What to do with what is missing, and the suspicion from now on."""
    if not answer.complete:
        return Verdict.NOTHING, before
    if not answer.missing:
        return Verdict.NOTHING, Suspicion()
    small = answer.missing <= SMALL_LOSS or answer.missing * 100 <= answer.stored * LOSS_PERCENT
    if answer.items and small and not answer.array_troubled:
        return Verdict.REMOVE, Suspicion()
    suspicion = Suspicion(before.answers + 1, before.since or now)
    if suspicion.answers >= ANSWERS and now - suspicion.since >= PERIOD:
        return Verdict.REMOVE, Suspicion()
    return Verdict.KEEP, suspicion
