"""A page of a kind: of one array, or of all of them by what each array's own indexes have.

Where no index has what is asked for, all rows are read, as long as they are not too many: one array's may be read
always.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from services.calls.errors import CallError
from services.inventory.kinds import Kind
from services.inventory.resources.access import Access, access_of, indexes_of
from services.inventory.resources.arrays import arrays_of, is_of_storage, values_of
from services.inventory.resources.lists import list_of
from services.listing.conditions import Condition, Term, alternatives, conjuncts, joined
from services.listing.merging import Part, merged_page
from services.listing.page import KEY, Listing, Page
from services.store.connection import Connection

MAX_READ = 200_000
"""Rows of several arrays that are read for one page where no index has its filter and its order: some 0.3 s."""
MAX_WALKS = 10_000
"""Walks along indexes that are merged."""
CHEAP_SKIP = 1000
"""Rows that are skipped in the event loop, or row by row."""

Conditions = tuple[Condition, ...]
Arrays = Mapping[int, int]
"""How many rows each array has, by its number."""


def is_cheap(kind: Kind, wanted: Listing, *, scoped: bool) -> bool:
    """Whether the page is one walk along an index, so that it may be read in the event loop."""
    request, parts = wanted.request, conjuncts(wanted.condition)
    if request.skip > CHEAP_SKIP or (request.include_total and parts):
        return False
    if _seeks(parts):
        return True
    if not scoped:
        return not parts and wanted.order[0].field == KEY
    access = access_of(kind, parts, wanted.order)
    return access.served and not access.each


def page_of(connection: Connection, kind: Kind, wanted: Listing, storage_no: int | None) -> Page:
    """The page, with the total where it is asked for.

    Raises:
        CallError: QUERY_TOO_BROAD: too many rows would have to be read.
        UnknownMarker: `after:ID` names no row.
    """
    parts = conjuncts(wanted.condition)
    if _seeks(parts):
        return wanted.run(connection, _scope(storage_no))
    if storage_no is not None:
        return _page_of_one(connection, kind, wanted, storage_no)
    if parts or wanted.order[0].field != KEY:
        return _page_of_many(connection, kind, wanted, parts)
    # The table itself lies in the order of creation.
    page = wanted.read(connection, {})
    if not wanted.request.include_total:
        return page
    return replace(page, total=sum(arrays_of(connection, kind, ()).values()))


def _scope(storage_no: int | None) -> dict[str, int]:
    return {} if storage_no is None else {"storage_no": storage_no}


def _page_of_one(connection: Connection, kind: Kind, wanted: Listing, storage_no: int) -> Page:
    walks, parts = None, conjuncts(wanted.condition)
    if parts and wanted.request.skip <= CHEAP_SKIP:
        walks = _walks(connection, kind, wanted, parts, {storage_no: 0})
    if walks is None or len(walks) == 1:
        return wanted.run(connection, _scope(storage_no))
    page = merged_page(connection, wanted, walks)
    if not wanted.request.include_total:
        return page
    return replace(page, total=wanted.total(connection, _scope(storage_no)))


def _page_of_many(connection: Connection, kind: Kind, wanted: Listing, parts: Conditions) -> Page:
    own = tuple(part for part in parts if not is_of_storage(part))
    arrays = arrays_of(connection, kind, tuple(part for part in parts if is_of_storage(part)))
    walks = _walks(connection, kind, wanted, own, arrays)
    if walks is not None:
        page = merged_page(connection, wanted, walks)
    else:
        _refuse_too_broad(connection, kind, wanted, own, arrays)
        some = wanted.narrowed(list_of(kind.name, "some"), joined(own))
        page = some.read(connection, {"storage_nos": list(arrays)})
    if not wanted.request.include_total:
        return page
    return replace(page, total=_total(connection, kind, wanted, own, arrays))


def _seeks(parts: Conditions) -> bool:
    return any(isinstance(part, Term) and part.field == "id" and part.operator == "=" for part in parts)


def _walks(connection: Connection, kind: Kind, wanted: Listing, own: Conditions, arrays: Arrays) -> list[Part] | None:
    """The lists whose merged rows are the list, each of them in its order along an index; None where there are none."""
    one = list_of(kind.name, "one")
    ways: list[tuple[Conditions, Access]] = []
    for way in alternatives(joined(own)):
        access = access_of(kind, way, wanted.order)
        if not access.served:
            return None
        ways.append((way, access))
    walks: list[Part] = []
    for way, access in ways:
        whole = wanted.narrowed(one, joined(way))
        for storage_no in arrays:
            if not access.each:
                walks.append((whole, {"storage_no": storage_no}))
                continue
            values = values_of(connection, kind, storage_no, access)
            if values is None:
                return None
            for value in values:
                term = Term(access.each, "=", (value,))
                walks.append((wanted.narrowed(one, joined((*way, term))), {"storage_no": storage_no}))
        if len(walks) > MAX_WALKS or wanted.request.skip > MAX_READ:
            return None
    return walks


def _total(connection: Connection, kind: Kind, wanted: Listing, own: Conditions, arrays: Arrays) -> int:
    if not own:
        return sum(arrays.values())
    counted = wanted.narrowed(list_of(kind.name, "one"), joined(own))
    return sum(counted.total(connection, {"storage_no": storage_no}) for storage_no in arrays)


def _refuse_too_broad(connection: Connection, kind: Kind, wanted: Listing, own: Conditions, arrays: Arrays) -> None:
    """Refuses what would read too many rows of several arrays."""
    rows = sum(arrays.values())
    if rows <= MAX_READ or len(arrays) == 1:
        return
    access = access_of(kind, own, wanted.order)
    if access.found_by:
        found = wanted.narrowed(list_of(kind.name, "one"), joined(access.found_by))
        rows = 0
        for storage_no in arrays:
            rows += found.total(connection, {"storage_no": storage_no})
            if rows > MAX_READ:
                break
        else:
            return
    fields = ", ".join(dict.fromkeys(name for columns in indexes_of(kind) for name in columns))
    raise CallError(
        "QUERY_TOO_BROAD",
        f"This would read more than {MAX_READ:,} {kind.plural} of {len(arrays)} storages, since no index has this"
        f" filter and order. Compare one of {fields} with = as well, or name a storage, as by storage_id or"
        " storage.labels.KEY; or leave out order_by.",
        metadata={"rows": str(rows), "fields": fields},
    )
