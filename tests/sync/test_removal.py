"""When what an answer lacks is believed to be gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.sync.removal import PERIOD, Answer, Suspicion, Verdict, judge

NOW = 1_800_000_000_000_000


@pytest.mark.parametrize(
    ("stored", "missing", "verdict"),
    [
        (1000, 0, Verdict.NOTHING),
        (11, 10, Verdict.REMOVE),  # so few may go, however large a part they are
        (12, 11, Verdict.KEEP),
        (37, 11, Verdict.REMOVE),  # 29.7 %
        (36, 11, Verdict.KEEP),  # 30.6 %
        (1000, 300, Verdict.REMOVE),
        (1000, 301, Verdict.KEEP),
    ],
)
def test_how_much_may_go_at_once(stored: int, missing: int, verdict: Verdict) -> None:
    answer = Answer(complete=True, items=stored - missing, stored=stored, missing=missing, array_troubled=False)
    assert judge(answer, Suspicion(), NOW)[0] is verdict


@pytest.mark.parametrize(
    ("items", "troubled"), [(0, False), (50, True)], ids=["the answer is empty", "the array is in trouble"]
)
def test_what_makes_any_loss_suspicious(items: int, troubled: bool) -> None:
    answer = Answer(complete=True, items=items, stored=items + 1, missing=1, array_troubled=troubled)
    assert judge(answer, Suspicion(), NOW) == (Verdict.KEEP, Suspicion(1, NOW))


@pytest.mark.parametrize(
    ("before", "verdict", "after"),
    [
        (Suspicion(1, NOW - 2 * PERIOD), Verdict.KEEP, Suspicion(2, NOW - 2 * PERIOD)),
        (Suspicion(2, NOW - PERIOD + 1), Verdict.KEEP, Suspicion(3, NOW - PERIOD + 1)),
        (Suspicion(2, NOW - PERIOD), Verdict.REMOVE, Suspicion()),
        (Suspicion(9, NOW - PERIOD), Verdict.REMOVE, Suspicion()),
    ],
)
def test_three_answers_over_an_hour_are_believed(before: Suspicion, verdict: Verdict, after: Suspicion) -> None:
    answer = Answer(complete=True, items=1, stored=100, missing=99, array_troubled=False)
    assert judge(answer, before, NOW) == (verdict, after)


@given(st.booleans(), st.integers(0, 100), st.integers(0, 100), st.integers(0, 5), st.integers(0, NOW))
def test_an_incomplete_answer_says_nothing(troubled: bool, items: int, missing: int, answers: int, since: int) -> None:
    before = Suspicion(answers, since)
    answer = Answer(complete=False, items=items, stored=items + missing, missing=missing, array_troubled=troubled)
    assert judge(answer, before, NOW) == (Verdict.NOTHING, before)
