"""What is stored of a resource: the driver's part, then the core's, as one message with its tag and length in front.

Concatenated protobuf messages merge, so nothing is serialised again; with tag and length (field 1 of every list answer)
a page is the rows' bytes joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from services.store.minting import id_prefix
from services.store.sequence import WRITER_BITS, micros
from services.store.wire import ITEM, SHORT, framed, id_text, varint

_ID = b"\xc2\x0c\x24"  # field 200, 36 bytes
_STORAGE_ID = b"\xca\x0c\x24"  # field 201, 36 bytes
_CREATED = b"\xd2\x0c"  # field 202
_UPDATED = b"\xda\x0c"  # field 203
_MISSING = b"\xe0\x0c\x01"  # field 204: true
_CORE = 3 + 36 + 3 + 36 + 15
"""Bytes of the core's part up to the time of creation: two ids and a time."""
_INITIATORS = b"\x92\x0d"  # field 210


class _Stamps:
    """Timestamp fields with one tag, most of them of the same second."""

    def __init__(self, tag: bytes) -> None:
        self._tag = tag
        self._second = -1
        self._head = b""
        self._at = -1
        self._field = b""

    def head(self, second: int) -> bytes:
        """What comes before the five bytes of the nanoseconds."""
        if second != self._second:
            # Both numbers take five bytes always (until the year 3058): protobuf allows leading zeros in a varint.
            self._head = b"".join((self._tag, b"\x0c\x08", _five(second), b"\x10"))
            self._second = second
        return self._head

    def field(self, at: int) -> bytes:
        if at == self._at:  # a transaction has one time for all that it changes
            return self._field
        second, rest = divmod(at, 1_000_000)
        self._at, self._field = at, self.head(second) + _five(rest * 1000)
        return self._field


def _five(n: int) -> bytes:
    return bytes((n & 127 | 128, n >> 7 & 127 | 128, n >> 14 & 127 | 128, n >> 21 & 127 | 128, n >> 28 & 127))


@cache
def _pairs() -> list[bytes]:
    """Two bytes of a varint that goes on, for each number of 14 bits."""
    return [bytes((n & 127 | 128, n >> 7 | 128)) for n in range(0x4000)]


class BodyMaker:
    """Builds the bodies of one array's rows."""

    def __init__(self, storage_id: bytes) -> None:
        self.prefix = id_prefix(storage_id)
        # How the core's part of each of the array's rows begins.
        self._id = _ID + f"{self.prefix.hex()}-".encode()
        self._storage = _STORAGE_ID + id_text(storage_id).encode()
        self._created = _Stamps(_CREATED)
        self._updated = _Stamps(_UPDATED)

    def parts(self, body: bytes) -> tuple[bytes, bytes]:
        """The driver's part of a body of this array, and of the core's what never changes: ids, time of creation."""
        at = 2
        while body[at - 1] > 0x7F:
            at += 1
        begin = body.rfind(self._id)
        return body[at:begin], body[begin : begin + _CORE]

    def renewed(self, driver_part: bytes, core: bytes, updated_at: int) -> bytes:
        """The stored bytes of a row that has another driver's part now."""
        if updated_at:
            core += self._updated.field(updated_at)
        return b"".join((ITEM, varint(len(driver_part) + len(core)), driver_part, core))

    def body(self, driver_part: bytes, id_: str, seq: int, updated_at: int) -> bytes:
        """The stored bytes of a row."""
        core = b"".join((_ID, id_.encode(), self._storage, self._created.field(micros(seq))))
        return self.renewed(driver_part, core, updated_at)

    def bodies(self, driver_parts: Iterable[bytes], ids: Iterable[str], numbers: Sequence[int]) -> list[bytes]:
        """The stored bytes of new rows, whose numbers are in ascending order: as `body`, in a third of the time."""
        second = micros(numbers[0]) // 1_000_000
        if micros(numbers[-1]) // 1_000_000 != second:
            return [self.body(*row, 0) for row in zip(driver_parts, ids, numbers, strict=True)]
        storage = self._storage + self._created.head(second)
        pairs, began = _pairs(), second * 1_000_000
        nanos = [((number >> WRITER_BITS) - began) * 1000 for number in numbers]
        return [
            b"".join(
                (
                    ITEM,
                    varint(len(part) + _CORE),
                    part,
                    _ID,
                    id_.encode(),
                    storage,
                    # As `_five`.
                    pairs[nano & 0x3FFF],
                    pairs[nano >> 14 & 0x3FFF],
                    SHORT[nano >> 28],
                )
            )
            for part, id_, nano in zip(driver_parts, ids, nanos, strict=True)
        ]


def message(body: bytes) -> bytes:
    """The message in a body."""
    at = 2
    while body[at - 1] > 0x7F:
        at += 1
    return body[at:]


def core_id(core: bytes) -> str:
    """The id in the core's part of a body."""
    return core[3:39].decode()


def with_missing(body: bytes, missing: bool) -> bytes:
    """The body with the flag set or taken away; it is the last field where it is set."""
    content = message(body)
    if missing:
        return framed(content + _MISSING)
    return framed(content.removesuffix(_MISSING))


def with_initiators(content: bytes, native_ids: Iterable[str]) -> bytes:
    """A host's message with the native ids of its initiators."""
    parts = [content]
    for native_id in native_ids:
        value = native_id.encode()
        parts += (_INITIATORS, varint(len(value)), value)
    return b"".join(parts)
