"""The order language: `field`, `field desc`, joined by commas."""

from __future__ import annotations

from typing import NamedTuple

from services.calls.errors import invalid

MAX_KEYS = 8


class Key(NamedTuple):
    """One field to order by."""

    field: str
    descending: bool


def parse_order(text: str) -> tuple[Key, ...]:
    """The keys, most significant first; INVALID_INPUT where the text is no order."""
    found: list[Key] = []
    if not text.strip():
        return ()
    for part in text.split(","):
        words = part.split()
        if not words:
            raise invalid("order_by", "There is nothing between two commas.")
        direction = words[1].lower() if len(words) > 1 else "asc"
        if len(words) > 2 or direction not in {"asc", "desc"}:
            raise invalid("order_by", f"{part.strip()!r} is neither `field`, `field asc` nor `field desc`.")
        if words[0] not in {key.field for key in found}:
            found.append(Key(words[0], direction == "desc"))
    if len(found) > MAX_KEYS:
        raise invalid("order_by", f"It has more than {MAX_KEYS} fields.")
    return tuple(found)
