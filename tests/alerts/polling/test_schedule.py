"""When arrays are polled."""

from __future__ import annotations

from services.alerts.polling import schedule
from services.values.times import MINUTE, SECOND

NOW = 1_000 * MINUTE


def test_arrays_that_began_together_do_not_stay_together() -> None:
    times = {schedule.regular(NOW, 5 * MINUTE) for _ in range(100)}
    assert len(times) > 50
    assert all(NOW + 4 * MINUTE < at <= NOW + 5 * MINUTE for at in times)


def test_after_a_start_all_are_polled_soon_but_not_at_once() -> None:
    times = [schedule.first(NOW, 5 * MINUTE) for _ in range(100)]
    assert all(NOW <= at <= NOW + schedule.SPREAD for at in times)
    assert max(times) - min(times) > schedule.SPREAD / 2
    assert schedule.first(NOW, 5 * SECOND) <= NOW + 5 * SECOND


def test_failures_are_spaced_out_but_never_beyond_a_bound() -> None:
    waits = [schedule.after_failure(NOW, MINUTE, failures, None) - NOW for failures in range(1, 30)]
    assert waits[0] <= MINUTE
    assert waits[0] < waits[1] < waits[2]
    assert max(waits) <= schedule.LONGEST
    assert schedule.after_failure(NOW, MINUTE, 1, 120.0) - NOW > 100 * SECOND
    assert schedule.after_failure(NOW, 24 * 60 * MINUTE, 9, None) - NOW <= 24 * 60 * MINUTE


def test_wanted_polls_keep_a_distance() -> None:
    assert schedule.soon(NOW, NOW - MINUTE) == NOW
    assert schedule.soon(NOW, NOW - SECOND) == NOW - SECOND + schedule.SOON_GAP
