"""Ids of new rows: each tells its row's number, so that it needs no index, and begins with the array's hash."""

from __future__ import annotations

import os
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from struct import iter_unpack

import xxhash


def id_prefix(storage_id: bytes) -> bytes:
    """The first 4 bytes of the ids of an array's resources, so that they lie together in every index."""
    return xxhash.xxh32_digest(storage_id)


def mint(prefix: bytes, numbers: Iterable[int]) -> list[tuple[str, bytes]]:
    """Ids of new rows, as text and as 16 bytes.

    Each is a UUID (version 8): the array's prefix, the row's number (60 bits, until the year 2112), 28 random bits.
    The numbers are in ascending order.
    """
    numbers = list(numbers)
    noise = array("I", os.urandom(4 * len(numbers)))
    found: list[tuple[str, bytes]] = []
    begin = 0
    while begin < len(numbers):
        # The number's upper bits are those of thousands of neighbours: only the lower ones are made for each.
        high = numbers[begin] >> 20
        end = bisect_left(numbers, (high + 1) << 20, begin)
        h = f"{high:010x}"
        text = f"{prefix.hex()}-{h[:4]}-8{h[4:7]}-a{h[7:]}-"
        first = bytes.fromhex(text.replace("-", ""))
        upper, same = first[:8], int.from_bytes(first[8:], "big") << 48
        pairs = zip(numbers[begin:end], noise[begin:end], strict=True)
        lows = array("Q", [same | (n & 0xFFFFF) << 28 | bits & 0xFFFFFFF for n, bits in pairs])
        if sys.byteorder == "little":
            lows.byteswap()
        raw = lows.tobytes()
        digits = raw.hex(" ", 8).split(" ")
        found += [(text + d[4:], upper + low) for d, (low,) in zip(digits, iter_unpack("8s", raw), strict=True)]
        begin = end
    return found


def seq_of(id_: bytes) -> int:
    """The number of the row with a minted id, by which it is found; 0, which no row has, for another id."""
    h = id_.hex()
    return int(h[8:12] + h[13:16] + h[17:20] + h[20:25], 16) if h[12] == "8" and h[16] == "a" else 0
