"""How long an attempt may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds."""

    connect_timeout: float = 5.0
    read_timeout: float = 20.0
    """Between two pieces of an answer."""
    total_timeout: float = 30.0
    """For a whole attempt."""
