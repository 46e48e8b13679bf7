"""The token with which Delphis' own processes call each other: scope `service`, never in the store."""

from __future__ import annotations

import os
from pathlib import Path

_MOST_BYTES = 4096
_LEAST_CHARACTERS = 32


class ServiceTokenError(Exception):
    """The token can't be read. The message says from where, and what to do."""


def from_descriptor(descriptor: int) -> str:
    """Reads the token from an inherited pipe, and closes it."""
    try:
        with open(descriptor, "rb") as file:
            text = file.read(_MOST_BYTES)
    except OSError as error:
        raise ServiceTokenError(f"The service token can't be read from descriptor {descriptor}: {error}") from None
    return _checked(text, f"descriptor {descriptor}")


def from_file(path: Path) -> str:
    """Reads the token from the file of `--token-file`, which only its owner and group may read."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_MOST_BYTES)
    except OSError as error:
        raise ServiceTokenError(f"The token file {path} can't be read: {error.strerror}.") from None
    if mode & 0o007:
        raise ServiceTokenError(f"The token file {path} can be used by everybody on this machine; chmod 600 it.")
    return _checked(text, f"the file {path}")


def to_descriptor(token: str) -> int:
    """A pipe from which a child reads the token. The caller hands it on, then closes it."""
    reading, writing = os.pipe()
    try:
        os.write(writing, token.encode())
    finally:
        os.close(writing)
    return reading


def _checked(text: bytes, source: str) -> str:
    token = text.decode("ascii", "replace").strip()
    if len(token) < _LEAST_CHARACTERS or not token.isprintable() or " " in token:
        raise ServiceTokenError(
            f"What {source} holds is no service token: it takes one word of at least {_LEAST_CHARACTERS} characters."
        )
    return token
