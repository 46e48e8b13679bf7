"""Which window is collected next: none twice, none forgotten."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from delphis.telemetry.v1 import telemetry_pb2
from services.telemetry.collection.plan import Ask, Gap, Pace, due_at, is_ahead, missed, next_ask, pace_interval
from services.telemetry.collection.records import KindState, gaps_of

MINUTE = 60_000
HOUR = 60 * MINUTE
HISTORIC = Pace(15 * MINUTE, historic=True, retention=6 * HOUR)
LATEST = Pace(15 * MINUTE, historic=False, retention=0)


def test_first_window_is_the_last_whole_one() -> None:
    assert next_ask(HISTORIC, 0, 100 * MINUTE) == Ask(75 * MINUTE, 90 * MINUTE, None)


def test_nothing_is_due_within_an_interval() -> None:
    assert next_ask(HISTORIC, 90 * MINUTE, 104 * MINUTE) is None
    assert next_ask(HISTORIC, 90 * MINUTE, 105 * MINUTE) == Ask(90 * MINUTE, 105 * MINUTE, None)


def test_what_failed_is_asked_for_with_what_came_after_it_an_hour_at_a_time() -> None:
    assert next_ask(HISTORIC, 90 * MINUTE, 300 * MINUTE) == Ask(90 * MINUTE, 150 * MINUTE, None)


def test_what_the_array_no_longer_has_is_a_gap() -> None:
    ask = next_ask(HISTORIC, 90 * MINUTE, 10 * HOUR)
    assert ask is not None
    assert (ask.begin, ask.gap and (ask.gap.begin, ask.gap.end)) == (4 * HOUR, (90 * MINUTE, 4 * HOUR))


def test_an_array_without_history_is_asked_once_an_interval() -> None:
    assert next_ask(LATEST, 0, 100 * MINUTE) == Ask(0, 105 * MINUTE, None)
    assert next_ask(LATEST, 105 * MINUTE, 104 * MINUTE) is None
    assert next_ask(LATEST, 105 * MINUTE, 106 * MINUTE) == Ask(0, 120 * MINUTE, None)
    missed = next_ask(LATEST, 105 * MINUTE, 140 * MINUTE)
    assert missed is not None
    assert (missed.end, missed.gap and (missed.gap.begin, missed.gap.end)) == (
        150 * MINUTE,
        (105 * MINUTE, 135 * MINUTE),
    )


def test_in_a_hurry_what_there_is_of_the_window_is_asked_for() -> None:
    assert next_ask(HISTORIC, 90 * MINUTE, 97 * MINUTE, hurried=True) == Ask(90 * MINUTE, 97 * MINUTE, None)
    assert next_ask(HISTORIC, 97 * MINUTE, 97 * MINUTE, hurried=True) is None
    assert next_ask(HISTORIC, 0, 97 * MINUTE, hurried=True) == Ask(75 * MINUTE, 97 * MINUTE, None)
    assert next_ask(HISTORIC, 97 * MINUTE, 106 * MINUTE) == Ask(97 * MINUTE, 105 * MINUTE, None)
    assert next_ask(LATEST, 105 * MINUTE, 97 * MINUTE, hurried=True) == Ask(0, 105 * MINUTE, None)


def test_intervals() -> None:
    assert pace_interval(0, 0, 0) == 15 * MINUTE
    assert pace_interval(10_000, 0, HOUR) == 10_000
    assert pace_interval(10_000, MINUTE, HOUR) == MINUTE
    assert pace_interval(1, 0, HOUR) == 10_000


def test_an_array_that_forgets_soon_is_asked_sooner_unless_an_operator_wants_otherwise() -> None:
    assert pace_interval(0, 0, 10 * MINUTE) == 5 * MINUTE
    assert pace_interval(HOUR, 0, 10 * MINUTE) == HOUR
    assert pace_interval(0, 0, 1) == 10_000


def test_an_array_that_forgets_faster_than_it_is_asked_is_asked_all_the_same() -> None:
    forgetful = Pace(15 * MINUTE, historic=True, retention=MINUTE)
    for now in range(90 * MINUTE, 105 * MINUTE, 10_000):
        ask = next_ask(forgetful, 75 * MINUTE, now)
        assert ask is not None, now
        assert ask.end == 90 * MINUTE
        assert ask.begin >= 75 * MINUTE


def test_missed_windows_are_those_in_which_it_failed() -> None:
    first = 100 * MINUTE
    assert [missed(15 * MINUTE, first, at * MINUTE) for at in (100, 104, 105, 119, 120, 150)] == [1, 1, 2, 2, 3, 5]
    assert missed(15 * MINUTE, first, 0) == 1


def test_a_clock_that_was_set_back_is_noticed() -> None:
    now = 100 * MINUTE
    assert not is_ahead(HISTORIC, 104 * MINUTE, now)
    assert is_ahead(HISTORIC, 106 * MINUTE, now)
    assert not is_ahead(LATEST, 120 * MINUTE, now)
    assert is_ahead(LATEST, 121 * MINUTE, now)


def test_after_a_clock_was_set_back_the_newest_sample_is_where_it_goes_on() -> None:
    told = telemetry_pb2.KindCollection()
    for begin, end in ((10, 20), (80, 3000)):
        gap = told.gaps.add(reason="x")
        gap.begin_time.FromMilliseconds(begin * MINUTE)
        gap.end_time.FromMilliseconds(end * MINUTE)
    state = KindState(watermark=3000 * MINUTE, newest=79 * MINUTE, gaps=told.SerializeToString())
    back = state.set_back(100 * MINUTE)
    assert (back.watermark, back.newest) == (79 * MINUTE + 1, 79 * MINUTE)
    assert [gap.end_time.ToMilliseconds() for gap in gaps_of(back)] == [20 * MINUTE]
    ahead = KindState(watermark=3000 * MINUTE, newest=2999 * MINUTE).set_back(100 * MINUTE)
    assert (ahead.watermark, ahead.newest) == (0, 0)


def test_a_failed_window_is_tried_again_soon_then_less_often() -> None:
    waits = [due_at(HISTORIC, 90 * MINUTE, failures, 0, 0) for failures in range(1, 8)]
    assert waits == [30_000, 60_000, 120_000, 240_000, 480_000, 900_000, 900_000]
    assert due_at(HISTORIC, 0, 0, 0, 5000) == 0
    assert due_at(HISTORIC, 90 * MINUTE, 0, 0, 5000) == 105 * MINUTE + 5000


@given(
    st.integers(10_000, HOUR),
    st.integers(HOUR, 30 * HOUR),
    st.lists(st.tuples(st.integers(0, 3 * HOUR), st.booleans()), max_size=60),
)
def test_windows_and_gaps_cover_time_once(interval: int, retention: int, visits: list[tuple[int, bool]]) -> None:
    """Whatever fails and whenever we come: collected windows and gaps lie one behind another without holes."""
    pace = Pace(interval, historic=True, retention=retention)
    now, watermark = 100 * HOUR, 0
    covered: list[tuple[int, int]] = []
    for wait, fails in visits:
        now += wait
        ask = next_ask(pace, watermark, now)
        if ask is None:
            continue
        assert ask.begin < ask.end <= now
        assert ask.begin >= now - retention or ask.begin >= watermark
        if ask.gap is not None:
            covered.append((ask.gap.begin, ask.gap.end))
            watermark = ask.gap.end
        if not fails:
            covered.append((ask.begin, ask.end))
            watermark = ask.end
    assert all(first[1] == second[0] for first, second in itertools.pairwise(covered))
    assert all(begin < end for begin, end in covered)


@given(st.lists(st.integers(0, 2 * HOUR), max_size=60))
def test_without_history_no_interval_is_asked_for_twice(waits: list[int]) -> None:
    now, watermark = 100 * HOUR, 0
    gaps: list[Gap] = []
    for wait in waits:
        now += wait
        ask = next_ask(LATEST, watermark, now)
        if ask is not None:
            assert ask.end > watermark
            assert ask.begin == now - 24 * HOUR
            if ask.gap:
                gaps.append(ask.gap)
            watermark = ask.end
    assert all(gap.begin < gap.end for gap in gaps)
    assert all(first.end <= second.begin for first, second in itertools.pairwise(gaps))
