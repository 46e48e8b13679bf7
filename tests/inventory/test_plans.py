"""Lists and the queue's own questions walk along indexes, however much there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.inventory.jobs import records
from services.inventory.jobs.listing import JOBS
from services.inventory.schema import SCHEMA
from services.inventory.storages.listing import STORAGES
from services.listing.page import ListRequest, _statement, listing
from services.listing.spec import ListSpec
from services.store.engine import Store
from services.store.statement import Statement

SOME_ID = '"11111111-1111-1111-1111-111111111111"'


def plan(folder: Path, statement: Statement) -> str:
    """SQLite's plan of the statement."""
    prepared = statement.prepared("sqlite")
    text, _ = prepared.bind([0] * len(prepared.names))
    store = Store.open(f"sqlite:///{folder / 'store.db'}", SCHEMA)
    connection = store._inline
    assert connection is not None
    rows = connection.execute(f"EXPLAIN QUERY PLAN {text}", [None] * text.count("?")).fetchall()
    store._shut()
    return "; ".join(row[3] for row in rows)


@pytest.mark.parametrize(
    ("spec", "text", "order", "wanted"),
    [
        (STORAGES, "", "", "SCAN storages"),
        (STORAGES, "", "created_at desc", "INDEX storages_created"),
        (STORAGES, f"id = {SOME_ID}", "", "SEARCH storages USING INDEX"),
        (STORAGES, "labels.site = b7", "", "SEARCH storage_labels USING COVERING INDEX storage_labels_value"),
        (JOBS, "", "", "SCAN jobs USING INDEX"),
        (JOBS, f"storage_id = {SOME_ID}", "", "INDEX jobs_storage"),
        (JOBS, f"batch_id = {SOME_ID}", "", "INDEX jobs_batch"),
        (JOBS, "state = failed", "", "INDEX jobs_state"),
    ],
)
def test_a_page_is_a_walk_along_an_index(tmp_path: Path, spec: ListSpec, text: str, order: str, wanted: str) -> None:
    wish = listing(spec, ListRequest(filter=text, order_by=order))
    found = plan(tmp_path, _statement(spec, wish.shape, wish.order, "begin"))
    assert wanted in found
    assert not text or found.count("TEMP B-TREE") <= 1
    assert text or "TEMP B-TREE" not in found


@pytest.mark.parametrize("name", ["_OPEN_OF", "_LAST_OF", "_OPEN", "_BEGIN", "_END", "_CANCEL", "_HOLDS", "_SURPLUS"])
def test_the_queue_asks_along_an_index(tmp_path: Path, name: str) -> None:
    assert "INDEX" in plan(tmp_path, getattr(records, name))
