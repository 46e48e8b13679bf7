"""A page over many arrays in an order that each array's own index has: their lists, merged.

An index begins with the array, so no index has the order of all arrays together. Sorting them all would read each row
for each page; merging reads little more than the page itself, and one row of each array.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from services.inventory.listing.page import Listing, Page
from services.inventory.listing.spec import ListSpec
from services.store.connection import Connection, Row

_FIRST_ROWS = 2
_MOST_ROWS = 512


def merged_page(
    connection: Connection, wanted: Listing, *, parts: ListSpec, parameter: str, values: Iterable[int]
) -> Page:
    """The page that `wanted.run` would give.

    Args:
        connection: Where to read, in one snapshot.
        wanted: The whole list, ordered by one field in one direction.
        parts: The list of one part, of which `parameter` says which; its rows end with the keys of the same order.
        values: What `parameter` may be.
    """
    part = replace(wanted, spec=parts)
    descending = wanted.order[0].descending
    width = len(parts.columns)
    start = wanted.parameters(connection)
    streams = (_rows(connection, part, {**start, parameter: value}) for value in values)
    merged = heapq.merge(*streams, key=lambda row: row[width:], reverse=descending)
    skip = start["skip"]
    return wanted.page(list(islice(merged, skip, skip + wanted.size + 1)))


def _rows(connection: Connection, part: Listing, parameters: dict[str, Any]) -> Iterator[Row]:
    """One part's rows, read a few at a time, more as they are wanted."""
    count = _FIRST_ROWS
    width = len(part.spec.columns)
    parameters["skip"] = 0
    while True:
        parameters["count"] = count
        rows = part.rows(connection, parameters)
        yield from rows
        if len(rows) < count:
            return
        parameters |= {f"key_{place}": value for place, value in enumerate(rows[-1][width:])}
        count = min(count * 4, _MOST_ROWS)
