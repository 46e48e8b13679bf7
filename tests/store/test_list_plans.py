"""Plans of lists: a list's order is an index's order, and what an index has is found by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from services.calls.errors import CallError
from services.inventory.kinds import KINDS, Kind
from services.inventory.resources.access import access_of, indexes_of, ordered_fields
from services.inventory.resources.lists import list_of
from services.inventory.resources.reading import is_cheap
from services.inventory.schema import SCHEMA
from services.listing import page
from services.listing.conditions import conjuncts
from services.listing.page import Listing, ListRequest, listing
from services.store.connection import Connection
from services.store.engine import Store


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('plans')}/store.db", SCHEMA)
    assert store._inline is not None
    yield store._inline
    store._shut()


def wish(kind: str, scoped: bool, **fields: Any) -> Listing:
    return listing(list_of(kind, "one" if scoped else "all"), ListRequest(**fields))


def plans(connection: Connection, wanted: Listing) -> list[str]:
    """The plans of the first page and of the following."""
    found: list[str] = []
    for where in ("begin", "equal", "beyond") if len(wanted.order) == 2 else ("begin", "behind"):
        prepared = page._statement(wanted.spec, wanted.shape, wanted.order, where).prepared("sqlite")
        text, values = prepared.bind([1] * len(prepared.names))
        rows = connection.execute(f"EXPLAIN QUERY PLAN {text}", [1] * len(values)).fetchall()
        found.append(" | ".join(row[3] for row in rows))
    return found


def leading(kind: Kind) -> list[str]:
    return [column.name for column in kind.columns if column.leading]


@pytest.mark.parametrize("kind", KINDS)
def test_pages_read_in_the_loop_walk_along_an_index(empty: Connection, kind: str) -> None:
    described = KINDS[kind]
    table = described.plural
    names = {described.native_field: "native"}
    in_order = {
        (True, ""): f"{table}_storage",
        (True, "created_at"): f"{table}_storage",
        (True, "id desc"): f"{table}_storage",
        **{
            (True, f"{name}{way}"): f"{table}_{names.get(name, name)}"
            for name in ordered_fields(described) - {"storage_id"}
            for way in ("", " desc")
        },
        (False, ""): "INTEGER PRIMARY KEY",
        (False, "created_at"): "INTEGER PRIMARY KEY",
    }
    assert {"name", described.native_field} <= ordered_fields(described)
    for (scoped, order_by), index in in_order.items():
        wanted = wish(kind, scoped, order_by=order_by)
        assert is_cheap(described, wanted, scoped=scoped), (scoped, order_by)
        found = plans(empty, wanted)
        for plan in found:
            assert index in plan or (index == "INTEGER PRIMARY KEY" and f"SCAN {table}" in plan), (order_by, plan)
            assert "TEMP B-TREE" not in plan, (scoped, order_by, plan)
            # The first page of all begins at an end of the table or of an index; every other is sought.
            assert plan is found[0] or f"SEARCH {table} USING" in plan, (scoped, order_by, plan)
        if scoped and len(found) == 3 and not order_by.startswith(described.native_field):
            assert "=? AND rowid" in found[1], (order_by, found)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_an_index_has_is_found_by_it_in_order(empty: Connection, kind: str) -> None:
    described = KINDS[kind]
    for columns in indexes_of(described):
        text = " AND ".join(f"{column} = {'normal' if column == 'status' else 'x'}" for column in columns)
        wanted = wish(kind, True, filter=text)
        access = access_of(described, conjuncts(wanted.condition), wanted.order)
        assert access.served
        assert not access.each
        for plan in plans(empty, wanted):
            for column in columns:
                name = "native_id" if column == described.native_field else column
                assert f"{name}=?" in plan, (text, plan)
            assert "TEMP B-TREE" not in plan
        assert is_cheap(described, wanted, scoped=True)


@pytest.mark.parametrize("kind", KINDS)
def test_one_by_its_id_is_a_seek(empty: Connection, kind: str) -> None:
    for scoped in (False, True):
        wanted = wish(kind, scoped, filter="id = 01234567-89ab-8def-a123-456789abcdef AND name = x")
        assert is_cheap(KINDS[kind], wanted, scoped=scoped)
        assert "INTEGER PRIMARY KEY (rowid=?)" in plans(empty, wanted)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_sorts_or_scans_goes_to_a_thread(empty: Connection, kind: str) -> None:
    described = KINDS[kind]
    for scoped in (False, True):
        for name in list_of(kind, "all").fields:
            for fields in (
                {"order_by": name},
                {"order_by": f"{name} desc, updated_at"},
                {"filter": f"{name}=unknown"},
                {"filter": f'{name}:"*x*" OR name=y'},
                {"filter": f"NOT {name}=x"},
            ):
                try:
                    wanted = wish(kind, scoped, **fields)
                except CallError:  # no value of this field
                    continue
                if not is_cheap(described, wanted, scoped=scoped):
                    continue
                for plan in plans(empty, wanted):
                    few = any(part in plan for part in ("AND native_id=?)", "rowid=?"))
                    assert few or ("TEMP B-TREE" not in plan and (scoped or "filter" not in fields)), (fields, plan)


@pytest.mark.parametrize("text", ['name = "db-*"', "name > a AND name <= b"])
@pytest.mark.parametrize("order_by", ["name", "name desc"])
def test_a_range_is_walked_from_where_the_page_begins(empty: Connection, text: str, order_by: str) -> None:
    begin, equal, beyond = plans(empty, wish("volume", True, filter=text, order_by=order_by))
    for plan in (begin, beyond):
        assert "volumes_name (storage_no=? AND name>? AND name<?)" in plan
    assert "volumes_name (storage_no=? AND name=? AND rowid" in equal


def test_volumes_of_a_status_and_a_pool_are_found_by_an_index(empty: Connection) -> None:
    wanted = wish("volume", True, filter="native_storage_pool_id = p AND status = normal")
    (first, *_) = plans(empty, wanted)
    assert "volumes_native_storage_pool_id (storage_no=? AND native_storage_pool_id=? AND status=?)" in first
    # Either alone is walked for each value of the other.
    for text, each in (("native_storage_pool_id = p", "status"), ("status = normal", "native_storage_pool_id")):
        wanted = wish("volume", True, filter=text)
        access = access_of(KINDS["volume"], (wanted.condition,), wanted.order)
        assert access.served
        assert access.each == each
