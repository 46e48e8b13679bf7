"""A clock that was set makes no point old before its time."""

from __future__ import annotations

from services.telemetry.retention_clock import RetentionClock
from services.values import times


class Hands:
    """Clocks that the test sets."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000 * times.SECOND
        self.passed = 5.0

    def go(self, seconds: float) -> None:
        self.wall += int(seconds * times.SECOND)
        self.passed += seconds


def test_a_step_forward_is_believed_after_an_hour() -> None:
    hands = Hands()
    clock = RetentionClock(now=lambda: hands.wall, passed=lambda: hands.passed)
    hands.go(100)
    assert clock.now() == hands.wall
    right = hands.wall
    hands.wall += 2 * times.DAY
    assert clock.now() == right
    hands.go(3599)
    assert clock.now() == right + 3599 * times.SECOND
    hands.go(1)
    assert clock.now() == hands.wall == right + 2 * times.DAY + times.HOUR


def test_a_step_forward_that_is_taken_back_was_none() -> None:
    hands = Hands()
    clock = RetentionClock(now=lambda: hands.wall, passed=lambda: hands.passed)
    hands.wall += 2 * times.DAY
    before = clock.now()
    hands.wall -= 2 * times.DAY
    hands.go(10)
    assert clock.now() == hands.wall == before + 10 * times.SECOND
    hands.wall += times.DAY  # and once more: another hour
    hands.go(3000)
    assert clock.now() < hands.wall
    hands.go(3000)
    assert clock.now() < hands.wall


def test_a_step_back_is_believed_at_once() -> None:
    hands = Hands()
    clock = RetentionClock(now=lambda: hands.wall, passed=lambda: hands.passed)
    hands.wall -= times.DAY
    assert clock.now() == hands.wall
