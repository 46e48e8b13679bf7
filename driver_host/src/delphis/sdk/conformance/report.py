"""What came out of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong."""

    what: str
    """What happened, one sentence."""
    where: str = ""
    """At what: a method, a resource, a field, a line of the log."""
    remedy: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        place = f" [{self.where}]" if self.where else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{self.what}{place}{remedy}"


class Outcome(Enum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    EXPECTED = "failed as expected"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Result:
    """How one check ended.

    Attributes:
        check: Its id, such as `lists.complete`.
        demand: What it demands, one sentence.
        outcome: How it ended.
        problems: What is wrong, where it failed.
        reason: Why it was not run, or why its failure is expected.
        seconds: How long it took.
    """

    check: str
    demand: str
    outcome: Outcome
    problems: tuple[Problem, ...] = ()
    reason: str = ""
    seconds: float = 0.0

    @property
    def group(self) -> str:
        """The part of the id before the dot."""
        return self.check.partition(".")[0]


@dataclass(frozen=True)
class Report:
    """All results of a run, in the order of the checks.

    Attributes:
        subject: What was checked.
        name: The driver's name, as it says itself.
        version: Its version.
        runtime: What serves it.
        kit: Version of the SDK that checked it.
        results: One a check.
        seconds: How long the run took.
    """

    subject: str
    name: str
    version: str
    runtime: str
    kit: str
    results: tuple[Result, ...]
    seconds: float

    def of(self, outcome: Outcome) -> list[Result]:
        """The results with an outcome."""
        return [result for result in self.results if result.outcome is outcome]

    @property
    def failed(self) -> list[Result]:
        """What is wrong, and was not expected to be."""
        return self.of(Outcome.FAILED)

    @property
    def passed(self) -> bool:
        """Nothing failed that was not expected to, and something was checked."""
        return not self.failed and bool(self.of(Outcome.PASSED))

    @property
    def exit_code(self) -> int:
        """0: passed; 1: not."""
        return 0 if self.passed else 1

    def __getitem__(self, check: str) -> Result:
        """The result of a check, by id."""
        return next(result for result in self.results if result.check == check)

    @property
    def checks(self) -> Sequence[str]:
        """The ids of the checks, in their order."""
        return [result.check for result in self.results]
