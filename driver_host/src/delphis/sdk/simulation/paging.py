"""Pages of lists, as arrays give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Page(Generic[Item]):
    """A part of a list.

    Attributes:
        items: The part.
        total: Items in the whole list.
        offset: Where the part begins.
        next: Where the next one begins; None: this is the last.
    """

    items: Sequence[Item]
    total: int
    offset: int
    next: int | None


def page(items: Sequence[Item], offset: int = 0, size: int = 100, *, most: int = 1000) -> Page[Item]:
    """The part of a list.

    Args:
        items: The list.
        offset: Where to begin.
        size: How many are wanted.
        most: How many are given at most.
    """
    offset, size = max(0, offset), max(1, min(size, most))
    end = offset + size
    return Page(items[offset:end], len(items), offset, end if end < len(items) else None)


def by_range(items: Sequence[Item], text: str | None, *, size: int = 100) -> tuple[Page[Item], str]:
    """The part that a header such as `Range: items=0-99` asks for, and the text of `Content-Range`.

    ValueError where the header can't be read.
    """
    if text is None:
        part = page(items, 0, size)
    else:
        first, _, last = text.partition("=")[2].partition("-")
        start = int(first)
        part = page(items, start, int(last) - start + 1 if last else size)
    end = part.offset + len(part.items) - 1
    return part, f"items {part.offset}-{end}/{part.total}" if part.items else f"items */{part.total}"


def by_token(items: Sequence[Item], token: str | None, *, size: int = 100) -> tuple[Page[Item], str | None]:
    """The part that a token of the page before names, and the token of the next; ValueError for a foreign token."""
    part = page(items, int(token.removeprefix("page-"), 36) if token else 0, size)
    return part, None if part.next is None else f"page-{_base36(part.next)}"


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    made = ""
    while number or not made:
        number, rest = divmod(number, 36)
        made = digits[rest] + made
    return made
