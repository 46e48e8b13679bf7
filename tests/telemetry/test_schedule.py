"""Which array is next."""

from __future__ import annotations

import random

from services.telemetry.collection.schedule import Schedule

SECOND = 1_000_000


class Clock:
    """Goes as it is told."""

    def __init__(self) -> None:
        self.at = 1_760_000_000 * SECOND

    def __call__(self) -> int:
        return self.at


def test_arrays_are_taken_when_they_are_due_and_once() -> None:
    schedule = Schedule(Clock())
    schedule.set("a", 3_000)
    schedule.set("b", 1_000)
    schedule.set("c", 2_000)
    schedule.set("c", 9_000)  # later than first thought
    schedule.set("b", None)
    assert schedule.wait(1_000, 60.0) == 2.0
    assert list(schedule.take(2_999)) == []
    assert list(schedule.take(3_000)) == ["a"]
    assert list(schedule.take(3_000)) == []
    schedule.set("a", 3_000)
    schedule.set("a", None)
    schedule.set("a", 3_000)
    assert schedule.wait(5_000, 60.0) == 0.0
    assert list(schedule.take(9_000)) == ["a", "c"]
    assert schedule.wait(5_000, 60.0) == 60.0


def test_it_agrees_with_a_look_at_all() -> None:
    chance, schedule, due = random.Random(3), Schedule(Clock()), dict[str, int]()
    for now in range(2_000):
        for _ in range(chance.randrange(4)):
            name = f"array-{chance.randrange(30)}"
            if chance.random() < 0.2:
                due.pop(name, None)
                schedule.set(name, None)
            else:
                due[name] = now + chance.randrange(100)
                schedule.set(name, due[name])
        assert schedule.wait(now, 1.0) == max(0, min([1000, *(at - now for at in due.values())])) / 1000
        taken = list(schedule.take(now))
        assert sorted(taken) == sorted(name for name, at in due.items() if at <= now)
        for name in taken:
            del due[name]


def test_a_clock_that_was_set_is_noticed_once() -> None:
    clock = Clock()
    schedule = Schedule(clock)
    assert not schedule.clock_was_set()
    clock.at -= 3600 * SECOND
    assert schedule.clock_was_set()
    assert not schedule.clock_was_set()
