"""BER as SNMP uses it (RFC 3417, section 8): definite lengths, low tag numbers, nothing nested but sequences.

Functions take the whole buffer and a place in it, and return places: nothing is copied before it is wanted. What reads
beyond the buffer raises IndexError, which the callers at the top turn into a refusal.
"""

from __future__ import annotations

from typing import Final

from services.snmp.errors import Reason, SnmpError, malformed, truncated

INTEGER: Final = 0x02
OCTETS: Final = 0x04
NULL: Final = 0x05
OBJECT_ID: Final = 0x06
SEQUENCE: Final = 0x30
IP_ADDRESS: Final = 0x40
COUNTER32: Final = 0x41
GAUGE32: Final = 0x42
TIME_TICKS: Final = 0x43
OPAQUE: Final = 0x44
COUNTER64: Final = 0x46
NO_SUCH_OBJECT: Final = 0x80
NO_SUCH_INSTANCE: Final = 0x81
END_OF_MIB_VIEW: Final = 0x82

_MOST_LENGTH_OCTETS = 8
_MOST_INTEGER_OCTETS = 9


def long_length(data: bytes, at: int, first: int) -> tuple[int, int]:
    """A length of more than one octet, whose first is `first`: the length, and where the content begins.

    Some agents write more octets than they need; that is allowed. The indefinite form isn't.
    """
    octets = first & 0x7F
    if octets == 0 or octets > _MOST_LENGTH_OCTETS:
        raise malformed(f"a length of form {first:#04x}")
    end = at + octets
    if end > len(data):
        raise truncated()
    return int.from_bytes(data[at:end], "big"), end


def content(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Where the content of the value at `at` begins and ends. It has to have `tag` and to end by `end`."""
    if data[at] != tag:
        raise malformed(f"tag {data[at]:#04x} instead of {tag:#04x}")
    length = data[at + 1]
    at += 2
    if length > 127:
        length, at = long_length(data, at, length)
    stop = at + length
    if stop > end:
        raise truncated()
    return at, stop


def integer(data: bytes, start: int, stop: int) -> int:
    """Content of an INTEGER, signed."""
    if not 0 < stop - start <= _MOST_INTEGER_OCTETS:
        raise malformed(f"an integer of {stop - start} octets")
    return int.from_bytes(data[start:stop], "big", signed=True)


def bounded_integer(data: bytes, at: int, end: int, least: int, most: int) -> tuple[int, int]:
    """An INTEGER between `least` and `most`, and where it ends."""
    length = data[at + 1]
    if data[at] == 2 and 0 < length <= _MOST_INTEGER_OCTETS:  # as nearly all are: without the calls below
        start = at + 2
        stop = start + length
        if stop > end:
            raise truncated()
        if data[start] < 128:
            value = int.from_bytes(data[start:stop], "big")
        else:
            value = int.from_bytes(data[start:stop], "big", signed=True)
    else:
        start, stop = content(data, at, end, INTEGER)
        value = integer(data, start, stop)
    if not least <= value <= most:
        raise malformed(f"{value} where a number from {least} to {most} belongs")
    return value, stop


def octets(data: bytes, at: int, end: int, most: int, what: str) -> tuple[bytes, int]:
    """An OCTET STRING of at most `most` octets, and where it ends."""
    length = data[at + 1]
    if data[at] == 4 and length < 128:
        start = at + 2
        stop = start + length
        if stop > end:
            raise truncated()
    else:
        start, stop = content(data, at, end, OCTETS)
    if stop - start > most:
        raise SnmpError(Reason.OVERSIZED, f"{what} of {stop - start} octets, of at most {most}")
    return data[start:stop], stop


def encode(tag: int, value: bytes) -> bytes:
    """A value with its tag and its shortest length."""
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + value


def encode_integer(value: int, tag: int = INTEGER) -> bytes:
    """An integer in its fewest octets."""
    return encode(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
