"""The ledger of distrusted arrays, at a clock of the test's."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.registry.settings import HostSettings
from services.registry.suspects import SuspectLedger


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(clock: Clock) -> SuspectLedger:
    return SuspectLedger("dev.acme.box", HostSettings(runtime_dir=Path("/nowhere")), clock)


def kill(ledger: SuspectLedger, array: str = "a") -> None:
    ledger.probation_host_died(array, ["GetStorage"], "signal SIGSEGV")


def quarantine_length(ledger: SuspectLedger, clock: Clock) -> float:
    record = ledger.quarantine("a")
    assert record is not None
    assert record.until is not None
    return record.until - clock.now


def test_a_suspect_is_trusted_when_what_ran_at_the_death_ended_well(ledger: SuspectLedger) -> None:
    ledger.host_died({"a": ["GetStorage", "ListDisks"], "b": ["GetStorage"]}, "exit code 1")
    ledger.ended_well("a", "ListPorts")
    ledger.ended_well("a", "GetStorage")
    assert ledger.is_distrusted("a")
    ledger.ended_well("a", "ListDisks")
    assert not ledger.is_distrusted("a")
    assert ledger.is_distrusted("b")


def test_each_further_death_takes_longer_to_make_good(ledger: SuspectLedger, clock: Clock) -> None:
    for deaths in (1, 2, 3):
        ledger.host_died({"a": ["GetStorage"]}, "exit code 1")
        for _ in range(deaths):
            assert ledger.is_distrusted("a")
            ledger.ended_well("a", "GetStorage")
        assert not ledger.is_distrusted("a")
    clock.now += 601
    ledger.host_died({"a": ["GetStorage"]}, "exit code 1")
    ledger.ended_well("a", "GetStorage")
    assert not ledger.is_distrusted("a")


def test_two_kills_within_ten_minutes_quarantine(ledger: SuspectLedger, clock: Clock) -> None:
    kill(ledger)
    clock.now += 601
    kill(ledger)
    assert ledger.quarantine("a") is None
    clock.now += 599
    kill(ledger)
    assert quarantine_length(ledger, clock) == 300
    assert ledger.quarantine("b") is None


def test_quarantines_double_up_to_six_hours_and_begin_anew_after_good_times(
    ledger: SuspectLedger, clock: Clock
) -> None:
    lengths = []
    for _ in range(9):
        kill(ledger)
        kill(ledger)
        lengths.append(quarantine_length(ledger, clock))
        clock.now += lengths[-1]
        assert ledger.quarantine("a") is None
        assert ledger.is_distrusted("a")
    assert lengths == [300, 600, 1200, 2400, 4800, 9600, 19200, 21600, 21600]
    clock.now += 1000
    ledger.prune()
    assert not ledger.is_distrusted("a")
    kill(ledger)
    kill(ledger)
    assert quarantine_length(ledger, clock) == 21600
    clock.now += 21600 + 2 * 21600 + 1
    ledger.prune()
    assert ledger.records() == []
    kill(ledger)
    kill(ledger)
    assert quarantine_length(ledger, clock) == 300


def test_release_keeps_the_array_on_probation(ledger: SuspectLedger) -> None:
    kill(ledger)
    assert ledger.release("a") is None
    kill(ledger)
    record = ledger.release("a")
    assert record is not None
    assert ledger.quarantine("a") is None
    assert ledger.is_distrusted("a")
    assert [known.last_exit for known in ledger.records()] == ["signal SIGSEGV"]


def test_a_suspect_nobody_calls_is_trusted_after_a_while(ledger: SuspectLedger, clock: Clock) -> None:
    ledger.host_died({"a": ["GetStorage"]}, "exit code 1")
    clock.now += 599
    ledger.prune()
    assert ledger.is_distrusted("a")
    clock.now += 2
    ledger.prune()
    assert not ledger.is_distrusted("a")


def test_a_removed_storage_is_forgotten(ledger: SuspectLedger) -> None:
    kill(ledger)
    ledger.forget("a")
    assert ledger.records() == []
    ledger.ended_well("a", "GetStorage")
