"""Times as such drivers write them: numbers since 1970, in milliseconds, by some in seconds."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

# As milliseconds this is March 1973, as seconds the year 5138.
_FIRST_MS = 100_000_000_000
_LAST_MS = 253_402_300_799_000


def milliseconds(value: Any) -> int | None:
    """ms since 1970, of a number in ms or s, a text of one, or a date; None where it is no time."""
    try:
        number = float(_seconds(value) if isinstance(value, datetime) else value)
    except (TypeError, ValueError):
        try:
            number = _seconds(datetime.fromisoformat(str(value)))
        except (TypeError, ValueError):
            return None
    if not math.isfinite(number) or number <= 0:
        return None
    found = int(number) if number >= _FIRST_MS else int(number * 1000)
    return found if found <= _LAST_MS else None


def _seconds(when: datetime) -> float:
    return (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp()


def moment(ms: int) -> datetime:
    """The time in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def ms_of(when: datetime) -> int:
    """ms since 1970."""
    return round(when.timestamp() * 1000)
