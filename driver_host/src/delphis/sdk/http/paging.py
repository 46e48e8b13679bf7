"""Lists that an array gives in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from delphis.sdk import errors

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """One page.

    Attributes:
        items: What it holds.
        total: How many items all pages hold, where the array says so.
        next: What leads to the next page, where the array says so: a token, a link, a marker. None or "": none follows.
    """

    items: Sequence[_T]
    total: int | None = None
    next: str | None = None


def by_offset(fetch: Callable[[int, int], Page[_T]], *, size: int = 100) -> Iterator[Page[_T]]:
    """Pages of an array that is asked for an offset and a number of items.

    Without a total the last page is recognised by being shorter than the first, as many arrays give less than what they
    are asked for.

    Args:
        fetch: Reads one page; gets the offset of its first item and `size`.
        size: Items to ask for at a time.

    Raises:
        errors.BadResponse: The array gives the same page again and again.
    """
    offset = 0
    full = 0
    before: Sequence[_T] = ()
    while True:
        page = fetch(offset, size)
        if page.items and page.items == before:
            raise errors.BadResponse(f"The array gives the same {len(before)} items at offset {offset} as before.")
        if page.items:
            yield page
        before = page.items
        offset += len(page.items)
        full = full or len(page.items)
        if not page.items or (offset >= page.total if page.total is not None else len(page.items) < full):
            return


def by_token(fetch: Callable[[str | None], Page[_T]]) -> Iterator[Page[_T]]:
    """Pages of an array that says with each page how to reach the next.

    Args:
        fetch: Reads one page; gets None for the first one, then what the page before named in `next`.

    Raises:
        errors.BadResponse: The array leads back to a page that was read.
    """
    token: str | None = None
    seen: set[str] = set()
    while True:
        page = fetch(token)
        yield page
        if not page.next:
            return
        if page.next in seen:
            raise errors.BadResponse(f"After {len(seen) + 1} pages the array leads back to one that was read.")
        seen.add(page.next)
        token = page.next
