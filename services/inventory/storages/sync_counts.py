"""How syncs ended, since the process began."""

from __future__ import annotations

from dataclasses import dataclass, field

OUTCOMES = ("ok", "partial", "failed", "stopped")


@dataclass(slots=True)
class SyncCounts:
    """Counts by outcome."""

    ended: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0.0))

    def end(self, outcome: str, seconds: float) -> None:
        """Counts one."""
        self.ended[outcome] += 1
        self.seconds[outcome] += seconds
