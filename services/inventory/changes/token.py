"""The position in the changes of all arrays at once, as a text that callers keep and don't look into."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import xxhash

from services.store.wire import varint

Vector = dict[int, int]
"""By storage number: the last position that was seen."""

_VERSION = 1


def written(vector: Mapping[int, int], query: str) -> str:
    """The vector as a token that belongs to a query."""
    content = bytearray((_VERSION,))
    before = 0
    for number in sorted(vector):
        content += varint(number - before) + varint(vector[number])
        before = number
    return base64.urlsafe_b64encode(_digest(content, query) + content).decode().rstrip("=")


def read(token: str, query: str) -> Vector | None:
    """The vector in a token; None where it is none of ours, or of another query."""
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        return None
    check, content = data[:4], data[4:]
    if content[:1] != bytes((_VERSION,)) or _digest(content, query) != check:
        return None
    numbers = _varints(content[1:])
    vector: Vector = {}
    number = 0
    for step, position in zip(numbers[::2], numbers[1::2], strict=True):
        number += step
        vector[number] = position
    return vector


def _digest(content: bytes | bytearray, query: str) -> bytes:
    return xxhash.xxh32_digest(bytes(content) + query.encode())


def _varints(data: bytes) -> list[int]:
    found: list[int] = []
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(value)
            value = shift = 0
    return found
