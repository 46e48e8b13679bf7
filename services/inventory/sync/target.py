"""Whose kind is written, on what grounds, and how far the parts of a first load have come."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.inventory.kinds import Kind
from services.inventory.sync import states
from services.inventory.sync.result import MAX_WARNINGS, Guard


@dataclass(frozen=True, slots=True)
class Target:
    """Whose kind is written, and on what grounds."""

    kind: Kind
    storage_id: bytes
    before: states.StoredKind
    stored: int
    """Rows that the kind had when its digests were read."""
    flagged: frozenset[int]
    """Numbers of rows that are marked missing."""
    troubled: bool
    """The array says of itself that it is offline or abnormal."""
    started_at: int
    now: int
    guard: Guard | None


@dataclass(frozen=True, slots=True)
class Carried:
    """What the parts of a first load that are committed have come to."""

    items: int = 0
    seen: set[str] = field(default_factory=set[str])
    """Their native ids."""
    added: int = 0
    written: int = 0
    duplicates: int = 0
    unreadable: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """What a run of the transaction has come to so far."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    written: int = 0
    duplicates: int = 0
    unreadable: int = 0
    warnings: list[str] = field(default_factory=list[str])

    def warn(self, text: str) -> None:
        """Adds a warning, where there are not too many."""
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(text)
