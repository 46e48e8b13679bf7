"""How the body of an answer travels: compressed or not, and the tag by which a caller knows that it has it already."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import suppress
from functools import lru_cache

from xxhash import xxh3_64_hexdigest

GZIP_FROM = 1400
"""Bytes. What fits into one packet gains nothing."""
_INLINE_TO = 32 * 1024  # some 0.3 ms; what is larger is compressed in a thread
_LEVEL = 1  # three quarters of what level 6 saves, in a quarter of the time
_GZIP = 16 + zlib.MAX_WBITS


def tag(body: bytes) -> bytes:
    """The entity tag of a body: weak, since it is the same however the body is compressed."""
    return b'W/"%b"' % xxh3_64_hexdigest(body).encode()


def knows(known: bytes, mine: bytes) -> bool:
    """Whether an `If-None-Match` has the tag."""
    if known.strip() == b"*":
        return True
    strong = mine.removeprefix(b"W/")
    return any(one.strip().removeprefix(b"W/") == strong for one in known.split(b","))


@lru_cache(maxsize=256)
def takes_gzip(accepted: bytes) -> bool:
    """Whether an `Accept-Encoding` has gzip, and does not like it less than no compression."""
    weights: dict[str, float] = {}
    for part in accepted.decode("latin-1").lower().split(","):
        name, *parameters = [piece.strip() for piece in part.split(";")]
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                weight = 0.0  # what is no number is no wish either
                with suppress(ValueError):
                    weight = float(value)
        weights[name] = weight
    gzip = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


async def gzipped(body: bytes) -> bytes:
    """The body, compressed, without holding the event loop for long."""
    if len(body) <= _INLINE_TO:
        return _compressed(body)
    return await asyncio.to_thread(_compressed, body)


def _compressed(body: bytes) -> bytes:
    work = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return work.compress(body) + work.flush()
