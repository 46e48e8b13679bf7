"""Ids: UUID text in the API, 16 bytes in the store."""

from __future__ import annotations

import uuid
from functools import lru_cache


def text(value: bytes) -> str:
    """The id as callers see it; empty for no id."""
    return str(uuid.UUID(bytes=bytes(value))) if value else ""


@lru_cache(maxsize=4096)
def parsed(value: str) -> bytes | None:
    """The id's bytes; None where the text is none of ours, so that nothing has it."""
    if len(value) != 36:
        return None
    try:
        return uuid.UUID(value).bytes
    except ValueError:
        return None
