"""Figures: rows of the table, times and memory of processes."""

from __future__ import annotations

import os
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


_GOAL = re.compile(r"([≥≤<]) ([0-9.,]+)")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `limit` is what bounds the figure, measured in the same run, in the same unit.

    A goal is a number that was aimed at on a quiet machine with 2 cores. Where that machine's own limit is known
    (`quiet_limit`), what is aimed at here is the same share of this machine's limit.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    limit_name: str = ""
    goal: str = ""
    delfin: str = ""
    quiet_limit: float | None = None

    @property
    def aim(self) -> float | None:
        """The goal for this machine, in this run."""
        goal = _GOAL.fullmatch(self.goal)
        if goal is None:
            return None
        number = float(goal[2].replace(",", ""))
        return number * self.limit / self.quiet_limit if self.limit and self.quiet_limit else number

    @property
    def reached(self) -> bool | None:
        """Whether the figure is what was aimed at; None where there is no goal."""
        aim = self.aim
        if aim is None:
            return None
        if self.goal.startswith("≥"):
            return self.value >= aim
        return self.value < aim if self.goal.startswith("<") else self.value <= aim

    @property
    def ratio(self) -> float | None:
        """Figure to limit."""
        return None if not self.limit else self.value / self.limit


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def pss_mb(pid: int) -> float:
    """Proportional set size in MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise AssertionError("no Pss in smaps_rollup")


def peak_rss_mb(pid: int) -> float:
    """Largest resident set since `reset_peak`, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise AssertionError("no VmHWM in status")


def reset_peak(pid: int) -> None:
    """Starts the peak of `peak_rss_mb` anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not pass."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)
