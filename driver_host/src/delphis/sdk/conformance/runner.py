"""Runs checks, one after the other, on one bench."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import Check, NotRun, all_checks
from delphis.sdk.conformance.errors import UsageError
from delphis.sdk.conformance.report import Outcome, Problem, Report, Result
from delphis.sdk.version import VERSION

MOST_PROBLEMS = 10

OnResult = Callable[[Result], None]


class Examination:
    """A bench, and the results so far. Use it as a context manager."""

    def __init__(self, bench: Bench, expected: Mapping[str, str]) -> None:
        """
        Args:
            bench: The driver's bench; opened and closed here.
            expected: Reasons of failures that are expected, by check id.
        """
        self.bench = bench
        self.results: list[Result] = []
        self._expected = expected
        self._began = time.monotonic()

    def __enter__(self) -> Examination:
        try:
            self.bench.open()
        except BaseException:
            self.bench.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.bench.close()

    def run(self, check: Check) -> Result:
        """Runs one check."""
        begin = time.monotonic()
        self.bench.check = check.id
        problems: list[Problem] = []
        reason = ""
        try:
            for problem in check.run(self.bench):
                problems.append(problem)
                if len(problems) == MOST_PROBLEMS:
                    problems.append(Problem("There may be more of the kind; this is where the check stopped."))
                    break
        except NotRun as skipped:
            reason = str(skipped)
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - what a driver sends may be odder than the check foresaw
            problems.append(_odd(error))
        result = self._judged(check, problems, reason, time.monotonic() - begin)
        self.results.append(result)
        return result

    def _judged(self, check: Check, problems: list[Problem], reason: str, seconds: float) -> Result:
        expected = self._expected.get(check.id)
        if problems and expected is not None:
            return Result(check.id, check.demand, Outcome.EXPECTED, tuple(problems), expected, seconds)
        if problems:
            return Result(check.id, check.demand, Outcome.FAILED, tuple(problems), "", seconds)
        if reason:
            return Result(check.id, check.demand, Outcome.NOT_RUN, (), reason, seconds)
        if expected is not None:
            passes = Problem(
                f"It passes, though it was expected to fail: {expected}", check.id, "Remove it from the file."
            )
            return Result(check.id, check.demand, Outcome.FAILED, (passes,), "", seconds)
        return Result(check.id, check.demand, Outcome.PASSED, (), "", seconds)

    def report(self) -> Report:
        """What came out so far."""
        name = version = runtime = ""
        try:
            info = self.bench.info
            name, version, runtime = info.name, info.version, info.runtime
        except NotRun:
            pass  # service.ready and identity.answers say why
        return Report(
            subject=self.bench.subject.title,
            name=name,
            version=version,
            runtime=runtime,
            kit=VERSION,
            results=tuple(self.results),
            seconds=time.monotonic() - self._began,
        )


def _odd(error: Exception) -> Problem:
    """A check that could not read what the driver sent."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return Problem(
        f"The check stumbled over an answer: {type(error).__name__}: {error}",
        f"{Path(place.filename).name}, line {place.lineno}",
        "Look for what is out of range in the answer; if nothing is, report it as a fault of the kit.",
    )


def chosen(only: Collection[str] = (), skip: Collection[str] = ()) -> list[Check]:
    """The checks whose ids match one of the patterns `only` (none: all), and none of `skip`; in their order."""
    known = all_checks()
    for pattern in (*only, *skip):
        if not any(fnmatchcase(check, pattern) for check in known):
            raise UsageError(f"There is no check {pattern!r}; `delphis-driver check --list` names them.")
    return [
        check
        for check in known.values()
        if (not only or any(fnmatchcase(check.id, pattern) for pattern in only))
        and not any(fnmatchcase(check.id, pattern) for pattern in skip)
    ]
