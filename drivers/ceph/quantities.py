"""Numbers as the dashboard gives them, made safe.

The manager computes some of them from counters that restart with their daemons, so what can't be negative sometimes is.
What makes no sense is left unset: the array doesn't say.
"""

from __future__ import annotations

import math
from typing import Any

LARGEST = 2**63 - 1


def count(value: Any) -> int | None:
    """A number of bytes or things; None for what can be none: negative, infinite, too large, no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value) or not 0 <= value <= LARGEST:
        return None
    return int(value)


def latest(stats: Any, name: str) -> int | None:
    """The newest value of a pool's statistic. Its rate, beside it, may be negative; nobody reads it here."""
    entry = stats.get(name) if isinstance(stats, dict) else None
    return count(entry.get("latest") if isinstance(entry, dict) else entry)


def total(*parts: int | None) -> int | None:
    """The sum; None where a part is unknown."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def words(**values: object) -> dict[str, str]:
    """The vendor's own words, for `native`: what is unknown or empty is left out."""
    return {key: str(value)[:256] for key, value in values.items() if value is not None and value != ""}
