"""Ids of new rows: each tells its row's number, so that it needs no index, and begins with the array's hash."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable

import xxhash


def id_prefix(storage_id: bytes) -> bytes:
    """The first 4 bytes of the ids of an array's resources, so that they lie together in every index."""
    return xxhash.xxh32_digest(storage_id)


def mint(prefix: bytes, numbers: Iterable[int]) -> list[tuple[str, bytes]]:
    """Ids of new rows, as text and as 16 bytes.

    Each is a UUID (version 8): the array's prefix, the row's number (60 bits, until the year 2112), 28 random bits.
    """
    numbers = list(numbers)
    noise = array("I", os.urandom(4 * len(numbers)))
    found: list[tuple[str, bytes]] = []
    high, begin, first = -1, "", b""
    for number, bits in zip(numbers, noise, strict=True):
        # The number's upper bits are those of thousands of neighbours.
        if number >> 20 != high:
            high = number >> 20
            h = f"{high:010x}"
            begin = f"{prefix.hex()}-{h[:4]}-8{h[4:7]}-a{h[7:]}-"
            first = bytes.fromhex(begin.replace("-", ""))
        low = (number & 0xFFFFF) << 28 | bits & 0xFFFFFFF
        found.append((f"{begin}{low:012x}", first + low.to_bytes(6, "big")))
    return found


def seq_of(id_: bytes) -> int:
    """The number of the row with a minted id, by which it is found; 0, which no row has, for another id."""
    h = id_.hex()
    return int(h[8:12] + h[13:16] + h[17:20] + h[20:25], 16) if h[12] == "8" and h[16] == "a" else 0
