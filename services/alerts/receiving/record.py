"""Records of the spool: a header with length and checksum, the source, the datagram."""

from __future__ import annotations

import struct
import zlib
from typing import Final, NamedTuple

MOST_DATAGRAM: Final = 65_535
ANSWERED: Final = 1

_HEAD = struct.Struct("<IIqHBB")  # length of what follows the first two, its CRC-32, ns since 1970, port, flags, source
_CHECKED_AT = 8
_MOST_SOURCE = 255
_MOST = _HEAD.size - _CHECKED_AT + _MOST_SOURCE + MOST_DATAGRAM
_LEAST = _HEAD.size - _CHECKED_AT


class Position(NamedTuple):
    """A place in the spool: segment and octet. Later places are larger."""

    segment: int
    offset: int


class Datagram(NamedTuple):
    """What a socket handed out."""

    source: str
    """Address in text; IPv4 without the prefix that a socket of both families shows."""
    port: int
    received_at_ns: int
    """Since 1970."""
    data: bytes
    answered: bool = False
    """An inform that was let pass and is answered as soon as it is kept."""


class SpooledDatagram(NamedTuple):
    """A datagram out of the spool."""

    source: str
    port: int
    received_at_ns: int
    data: bytes
    answered: bool
    position: Position
    """Where to read on once this one is done: what has to be stored along with its effect."""


def packed(datagram: Datagram) -> bytes:
    """The record."""
    source, port, at, data, answered = datagram
    where = source.encode()[:_MOST_SOURCE]
    rest = _HEAD.pack(0, 0, at, port, ANSWERED if answered else 0, len(where))[_CHECKED_AT:] + where + data
    return struct.pack("<II", len(rest), zlib.crc32(rest)) + rest


class Damaged(Exception):
    """Octets that are no record."""


def unpacked(buffer: bytes, at: int) -> tuple[Datagram, int] | None:
    """The record at `at`, and where it ends. None: the buffer ends within it. Damaged where it is none."""
    if at + _HEAD.size > len(buffer):
        return None
    length, checksum, received_at, port, flags, source_size = _HEAD.unpack_from(buffer, at)
    if not _LEAST <= length <= _MOST:
        raise Damaged
    end = at + _CHECKED_AT + length
    if end > len(buffer):
        return None
    if zlib.crc32(memoryview(buffer)[at + _CHECKED_AT : end]) != checksum:
        raise Damaged
    start = at + _HEAD.size
    data_at = start + source_size
    if data_at > end:
        raise Damaged
    source = buffer[start:data_at].decode(errors="replace")
    return Datagram(source, port, received_at, buffer[data_at:end], bool(flags & ANSWERED)), end


def largest() -> int:
    """How many octets a record has at most."""
    return _CHECKED_AT + _MOST
