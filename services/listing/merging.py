"""A page put together from several lists, each of them in the page's order along an index of its own.

An index begins with the array, so no index has the order of all arrays together. Sorting them all would read each row
for each page; merging reads little more than the page itself, and one row or two of each list.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cmp_to_key
from itertools import groupby, islice
from typing import Any

from services.listing.page import Listing, Page
from services.store.connection import Connection, Row

_FIRST_ROWS = 2
_MOST_ROWS = 512

Part = tuple[Listing, Mapping[str, Any]]
"""A list, and the parameters of its `always`."""


def merged_page(connection: Connection, wanted: Listing, parts: Iterable[Part]) -> Page:
    """The page that `wanted.run` would give.

    Args:
        connection: Where to read, in one snapshot.
        wanted: The whole list.
        parts: Lists in the same order, all with the same columns. A row in several of them comes once.
    """
    width = len(wanted.spec.columns)
    start = wanted.place(connection)
    skip, wanted_rows = start["skip"], wanted.size + 1
    first = _FIRST_ROWS
    listed = list(parts)
    if len(listed) == 1:
        first = wanted_rows + skip
    place = {**start, "skip": 0}
    streams = [_rows(connection, part, {**place, **scope}, first) for part, scope in listed]
    key, reverse = _order(wanted, width)
    merged = heapq.merge(*streams, key=key, reverse=reverse)
    # Each row has its own keys: the same keys are the same row.
    once = (next(same) for _, same in groupby(merged, key=lambda row: row[width:]))
    return wanted.page(list(islice(once, skip, skip + wanted_rows)))


def _order(wanted: Listing, width: int) -> tuple[Callable[[Row], Any], bool]:
    descending = [key.descending for key in wanted.order]
    if len(set(descending)) == 1:
        return (lambda row: row[width:]), descending[0]

    def compared(one: Row, other: Row) -> int:
        for place, down in enumerate(descending, width):
            if one[place] != other[place]:
                return -1 if (one[place] < other[place]) != down else 1
        return 0

    return cmp_to_key(compared), False


def _rows(connection: Connection, part: Listing, place: dict[str, Any], count: int) -> Iterator[Row]:
    """One part's rows, read a few at a time, more as they are wanted."""
    width = len(part.spec.columns)
    while True:
        rows = part.rows(connection, {**place, "count": count})
        yield from rows
        if len(rows) < count:
            return
        place |= {f"key_{at}": value for at, value in enumerate(rows[-1][width:])}
        count = min(count * 4, max(_MOST_ROWS, count))
