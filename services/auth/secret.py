"""The secrets of tokens: how they look, and what is kept of them."""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "delphis_"
"""So that scanners, and people, recognise one where it should not be."""
_RANDOM_BYTES = 32


def new_secret() -> str:
    """A new token: 256 random bits behind the prefix."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def hash_of(secret: str) -> bytes:
    """What is kept of a token. It is random, so a plain hash can't be guessed backwards."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
