"""When something will be full."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.telemetry.forecast.trend import FURTHEST_DAYS, trend

TB = 10**12


def test_a_straight_line_has_one_date() -> None:
    found = trend(range(20_000, 20_030), [TB * day for day in range(30)], 39 * TB)
    assert found is not None
    assert found.growth == pytest.approx(TB)
    assert (found.full_in, found.earliest, found.latest) == pytest.approx((10, 10, 10))
    assert found.fit == pytest.approx(1)


def test_noise_makes_it_uncertain() -> None:
    noise = random.Random(7)
    used = [int(TB * day + noise.gauss(0, 3 * TB)) for day in range(60)]
    found = trend(range(60), used, 200 * TB)
    assert found is not None
    assert found.full_in is not None
    assert found.earliest is not None
    assert found.latest is not None
    assert found.earliest < found.full_in < found.latest
    assert 0.8 < found.fit < 1


@pytest.mark.parametrize(
    "used",
    [[TB] * 10, list(range(10 * TB, 0, -TB)), [TB + day for day in range(10)]],
    ids=["flat", "shrinks", "crawls"],
)
def test_what_does_not_fill_has_no_date(used: list[int]) -> None:
    found = trend(range(10), used, 100 * TB)
    assert found is not None
    assert found.full_in is None


def test_what_is_full_is_full_now() -> None:
    found = trend(range(10), [TB * day for day in range(10)], 9 * TB)
    assert found is not None
    assert found.full_in == 0


@pytest.mark.parametrize("days", [[], [1], [1, 2, 3, 4]], ids=str)
def test_few_days_say_nothing(days: list[int]) -> None:
    assert trend(days, [TB] * len(days), 2 * TB) is None


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 2**62)), min_size=5, max_size=40), st.integers(0, 2**62))
def test_dates_are_in_order(told: list[tuple[int, int]], total: int) -> None:
    days = [sum(gap for gap, _ in told[: index + 1]) for index in range(len(told))]
    found = trend(days, [used for _, used in told], total)
    assert found is not None
    assert 0 <= found.fit <= 1
    assert math.isfinite(found.growth)
    dates = [date for date in (found.earliest, found.full_in, found.latest) if date is not None]
    assert dates == sorted(dates)
    assert all(0 <= date <= FURTHEST_DAYS for date in dates)
    if found.latest is not None:
        assert found.full_in is not None
    if found.full_in is not None:
        assert found.earliest is not None
