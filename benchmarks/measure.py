"""Figures: rows of the table, times and memory of processes."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `limit` is what bounds the figure, measured in the same run, in the same unit."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    limit_name: str = ""
    goal: str = ""
    delfin: str = ""

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
