"""Pieces of serialised messages, for rows that hold them: what is stored goes to callers unread."""

from __future__ import annotations

ITEM = b"\x0a"
"""The tag of field 1, a message: what the items of every list answer begin with."""


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    if value < 0x4000:
        return SHORT[value]
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


# Most lengths: made once, since making one costs as much as the rest of a row's frame.
SHORT = [
    *(bytes((value,)) for value in range(0x80)),
    *(bytes((value & 0x7F | 0x80, value >> 7)) for value in range(0x80, 0x4000)),
]


def framed(content: bytes) -> bytes:
    """A message with tag and length: an item of a list answer."""
    return b"".join((ITEM, varint(len(content)), content))


def id_text(value: bytes) -> str:
    """An id of 16 bytes as UUID text."""
    h = value.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def timestamp_field(tag: bytes, at: int) -> bytes:
    """A Timestamp field, from microseconds since 1970."""
    seconds, rest = divmod(at, 1_000_000)
    content = b"\x08" + varint(seconds)
    if rest:
        content += b"\x10" + varint(rest * 1000)
    return tag + SHORT[len(content)] + content
