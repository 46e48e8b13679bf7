"""SODA Delfin's parameters of lists in the words of the contract, which knows AIP's fields only.

| Delfin | contract |
|---|---|
| `limit` | `page_size`, at most 1,000; 0 is an empty list |
| `offset` | `skip` |
| `marker` | `page_token`, as `after:ID` |
| `sort`, or `sort_key` and `sort_dir` | `order_by` |
| any other name | a comparison in `filter` |
"""

from __future__ import annotations

import re

from google.protobuf.descriptor import Descriptor

from gateway.jsontext import shown
from services.calls.errors import invalid

MAX_LIMIT = 1000
MAX_OFFSET = 0x7FFFFFFF
_DIRECTIONS = ("asc", "desc")
_COUNT = re.compile(r"[0-9]{1,20}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILTERED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_./-]+)?")  # a field, or a key of a map, as `labels.site`

_SPECIAL = re.compile(r'[\\"*]')  # what means something else within a quoted value of a filter

_NATIVE = {
    "limit": "page_size",
    "offset": "skip",
    "marker": "page_token",
    "sort": "order_by",
    "sort_key": "order_by",
    "sort_dir": "order_by",
}

Pairs = list[tuple[str, str]]


class Listing:
    """Translates the parameters of one list method."""

    def __init__(self, request: Descriptor, path_fields: frozenset[str]) -> None:
        self._own = {field.name: bool(field.is_repeated) for field in request.fields}
        self._path_fields = path_fields

    def translate(self, pairs: Pairs) -> tuple[Pairs, bool]:
        """The parameters as fields of the request, and whether an empty list is asked for."""
        given = self._once(pairs)
        native: Pairs = [(name, text) for name, text in pairs if name in self._own]
        empty = False
        if (limit := given.pop("limit", None)) is not None:
            size = min(_count("limit", limit), MAX_LIMIT)
            empty = size == 0
            native.append(("page_size", str(size or 1)))  # 0 is AIP's word for the default
        if (offset := given.pop("offset", None)) is not None:
            skip = _count("offset", offset)
            if skip > MAX_OFFSET:
                raise invalid("offset", f"It must be an integer from 0 to {MAX_OFFSET}.")
            native.append(("skip", str(skip)))
        if (marker := given.pop("marker", None)) is not None:
            if not marker:
                raise invalid("marker", "It must be the id of the last item seen.")
            native.append(("page_token", f"after:{marker}"))
        if (order := _order(given)) is not None:
            native.append(("order_by", order))
        comparisons = [_comparison(name, text) for name, text in given.items()]
        if comparisons:
            native = _joined(native, comparisons)
        return native, empty

    def _once(self, pairs: Pairs) -> dict[str, str]:
        """The parameters that are not the contract's own, each given once and known."""
        given: dict[str, str] = {}
        seen: set[str] = set()
        for name, text in pairs:
            if name in self._path_fields:
                raise invalid(name, "The path gives it already.")
            if name in seen and not self._own.get(name, False):
                raise invalid(shown(name), "It is given twice.")
            seen.add(name)
            if name in self._own:
                continue
            if _NATIVE.get(name, "filter") not in self._own or not _FILTERED.fullmatch(name):
                raise invalid(shown(name), "There is no such parameter.")
            given[name] = text
        for name in given:
            other = _NATIVE.get(name)
            if other in seen:
                raise invalid(name, f"It excludes {other}: give one of them.")
        return given


def _count(name: str, text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise invalid(name, "It must be an integer that is not negative.")
    return int(text)


def _order(given: dict[str, str]) -> str | None:
    sort, key, direction = given.pop("sort", None), given.pop("sort_key", None), given.pop("sort_dir", None)
    if sort is not None:
        if key is not None or direction is not None:
            raise invalid("sort", "It excludes sort_key and sort_dir: give one form.")
        return ",".join(_sort_key("sort", *_parts(part)) for part in sort.split(","))
    if key is None and direction is None:
        return None
    return _sort_key("sort_key", key if key is not None else "created_at", direction or "desc")


def _parts(part: str) -> tuple[str, str]:
    key, colon, direction = part.strip().partition(":")
    return key.strip(), direction.strip() if colon else "desc"


def _sort_key(parameter: str, key: str, direction: str) -> str:
    if not _FIELD.fullmatch(key):
        raise invalid(parameter, "It must be names of fields, each with :asc or :desc if wanted, joined by commas.")
    if direction not in _DIRECTIONS:
        name = "sort_dir" if parameter == "sort_key" else "sort"
        raise invalid(name, f"The direction of {key} must be asc or desc.")
    return key if direction == "asc" else f"{key} desc"


def _comparison(name: str, text: str) -> str:
    if "\0" in text:
        raise invalid(name, "It has a NUL character.")
    quoted = _SPECIAL.sub(r"\\\g<0>", text)
    return f'{name} = "{quoted}"'


def _joined(native: Pairs, comparisons: list[str]) -> Pairs:
    """The comparisons and the caller's own filter. AND binds looser than OR (AIP-160), so joining changes neither."""
    own = [text for name, text in native if name == "filter" and text.strip()]
    rest = [(name, text) for name, text in native if name != "filter"]
    return [*rest, ("filter", " AND ".join([*comparisons, *own]))]
