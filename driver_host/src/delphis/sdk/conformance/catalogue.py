"""The list of checks. Each has an id that stays, and a sentence that says what it demands."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from delphis.sdk.conformance.report import Problem

if TYPE_CHECKING:
    from delphis.sdk.conformance.bench import Bench

Run = Callable[["Bench"], Iterable[Problem]]

# In the order in which they run: what ends hosts, and what looks back at the whole run, comes last.
_MODULES = (
    *("service", "identity", "storage", "lists", "relations", "values", "quantities", "alerts", "traps"),
    *("metrics", "samples", "access", "malformed", "sessions", "concurrency", "deadlines", "output", "process"),
    "hindsight",
)


class NotRun(Exception):
    """A check that can't be run here; the message says why."""


@dataclass(frozen=True)
class Check:
    """One thing that a driver must do."""

    id: str
    demand: str
    run: Run


_CHECKS: dict[str, Check] = {}


def demands(check: str, demand: str) -> Callable[[Run], Run]:
    """Makes a check of a function that yields what is wrong.

    Args:
        check: The id, `group.name`. It stays: people write it into files of expected failures.
        demand: What is demanded, one sentence.
    """

    def register(run: Run) -> Run:
        assert check not in _CHECKS, check
        _CHECKS[check] = Check(check, demand, run)
        return run

    return register


def all_checks() -> dict[str, Check]:
    """All checks by id, in the order in which they run."""
    for module in _MODULES:
        importlib.import_module(f"delphis.sdk.conformance.checks.{module}")
    return dict(_CHECKS)
