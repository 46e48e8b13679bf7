"""Resources as they came, parsed: many at once, column by column, since most are all of one sort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

import xxhash
from google.protobuf.message import DecodeError

from services.inventory.kinds import Kind
from services.inventory.sync.rows import MAX_NATIVE_ID
from services.inventory.sync.target import Tally
from services.inventory.sync.wire import canonical, driver_parts


class Item(NamedTuple):
    """A resource as it came, parsed."""

    part: Any
    content: bytes
    digest: bytes
    native_id: str
    number: int
    """How many known ones came before it."""


@dataclass(frozen=True, slots=True)
class Items:
    """Resources as they came: the columns of `Item`."""

    parts: Sequence[Any]
    contents: Sequence[bytes]
    digests: Sequence[bytes]
    native_ids: Sequence[str]
    numbers: Sequence[int]

    def __len__(self) -> int:
        return len(self.parts)

    def each(self) -> list[Item]:
        """One by one."""
        columns = (self.parts, self.contents, self.digests, self.native_ids, self.numbers)
        return list(map(Item._make, zip(*columns, strict=True)))


def together(items: Sequence[Item]) -> Items:
    """Single items as columns."""
    return Items(*zip(*items, strict=True)) if items else Items((), (), (), (), ())


class Reader:
    """Parses what came of a kind, and leaves out what is garbage."""

    def __init__(self, kind: Kind, tally: Tally, is_stored: Callable[[bytes], bool]) -> None:
        """`is_stored` is asked about the digest of an item that came in other bytes than it is stored in."""
        self._kind = kind
        self._tally = tally
        self._is_stored = is_stored
        self._native_id = attrgetter(kind.native_field)

    def read(self, items: list[bytes], numbers: Sequence[int]) -> Items:
        """The items that are neither garbage nor stored after all."""
        try:
            whole = driver_parts(self._kind.name, items)
        except DecodeError:
            if len(items) > 1:  # which of them is it?
                pairs = zip(items, numbers, strict=True)
                return together([item for data, number in pairs for item in self.read([data], [number]).each()])
            self._tally.unreadable += 1
            self._tally.warn("The driver sent an item that is no message of its kind.")
            return together([])
        parts, contents = list(whole.items), canonical(whole)
        seed = self._kind.seed
        digests = [xxhash.xxh3_128_digest(content, seed) for content in contents]
        native_ids: list[str] = list(map(self._native_id, parts))
        found = Items(parts, contents, digests, native_ids, numbers)
        if contents == items and _are_native_ids(native_ids):
            return found
        return together([item for item, data in zip(found.each(), items, strict=True) if self._is_wanted(item, data)])

    def _is_wanted(self, item: Item, data: bytes) -> bool:
        if not _is_native_id(item.native_id):
            self._tally.unreadable += 1
            self._tally.warn(f"The driver sent an item whose native id is empty or too long: {item.native_id[:40]!r}.")
            return False
        # Other bytes may mean the same: a map in another order, fields that are the core's.
        return item.content == data or not self._is_stored(item.digest)


def _is_native_id(text: str) -> bool:
    return 0 < len(text) <= MAX_NATIVE_ID and "\0" not in text


def _are_native_ids(texts: list[str]) -> bool:
    return all(texts) and max(map(len, texts)) <= MAX_NATIVE_ID and "\0" not in "".join(texts)
