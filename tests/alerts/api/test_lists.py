"""What a list finds is what a look at each alert finds, on any filter and order; and it is found by an index."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delphis.alert.v1 import alert_pb2 as pb
from services.alerts.api import walks
from services.alerts.api.listing import ALERTS, DEFAULT_ORDER, OPEN_OF_STORAGE, list_by
from services.alerts.api.matching import matches
from services.alerts.api.walks import page_of
from services.alerts.schema import SCHEMA
from services.calls.errors import CallError
from services.listing import page
from services.listing.conditions import conjuncts
from services.listing.page import Listing, ListRequest, UnknownMarker, listing
from services.store.connection import Connection
from services.store.engine import Store
from tests.alerts.api.rows import fill_some, storage
from tests.alerts.book.reports import all_alerts

TERMS = [
    *("state = open", "state = cleared", "state = CLEARED", "state = unknown", "state:*"),
    *("severity = critical", "severity = Major", "severity != minor", "severity:*"),
    *("vendor = ACME", 'vendor = ""', "vendor:o", 'vendor = "A*"', "vendor > B", "model = 'Box 1'"),
    *(f"storage_id = {storage(1).id}", 'storage_id = ""', "storage_id = nonsense", "storage_id:*"),
    *("alert_id = 0x1", 'alert_id = "a\\*b"', 'alert_id = "a*"', "alert_id = 0x9", 'alert_id = "\\u0000x"'),
    *("alert_name = ä", "alert_name:failed", "sequence_number = 3", "resource_type = disk", "resource_type:*"),
    *("category = fault", "type = notspecified", "origin = delphis", "origin = poll", "native_resource_id:*"),
    *("acknowledged = true", "acknowledged = false", "acknowledged:*", "count = 2", "count >= 1", "count < 1"),
    *("labels.env = prod", "labels.env:*", "labels:site", "labels.site = b*", 'labels.env = ""', "labels.no = x"),
    *("labels.site != b7", "labels.site > b7", "labels:*"),
    *("last_raised_at > 2026-09-21T14:13:40Z", "last_raised_at <= 2026-09-21T14:13:40Z"),
    *("last_raised_at = 2026-09-21T14:13:40Z", "first_raised_at < 2026-09-21T14:13:30Z", "cleared_at:*"),
    *("cleared_at > 2026-09-21T14:14:21Z", "id = nonsense", "id:*"),
]
ORDERS = ["", DEFAULT_ORDER, "last_raised_at", "severity, last_raised_at desc", "count desc", "id", "vendor desc"]
QUICK = settings(
    max_examples=20,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def filters() -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(TERMS),
        lambda part: st.one_of(
            st.tuples(part, part).map(lambda two: f"({two[0]}) AND ({two[1]})"),
            st.tuples(part, part).map(lambda two: f"({two[0]}) OR ({two[1]})"),
            part.map(lambda one: f"NOT ({one})"),
        ),
        max_leaves=5,
    )


def wish(text: str = "", order_by: str = "", **fields: Any) -> Listing:
    return listing(ALERTS, ListRequest(filter=text, order_by=order_by or DEFAULT_ORDER, **fields))


def found(connection: Connection, wanted: Listing) -> list[str]:
    return [pb.Alert.FromString(bytes(row[0])).id for row in page_of(connection, wanted).rows]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Connection, list[pb.Alert]]]:
    """A store of many alerts, for reading in this thread."""

    async def fill() -> None:
        store = Store.open(url, SCHEMA)
        await store.write(fill_some)
        await store.close()

    url = f"sqlite:///{tmp_path_factory.mktemp('lists')}/alerts.db"
    asyncio.run(fill())
    store = Store.open(url, SCHEMA)
    assert store._inline is not None
    yield store._inline, all_alerts(store._inline)
    store._shut()


@QUICK
@given(text=filters(), order=st.sampled_from(ORDERS), size=st.sampled_from([1, 7, 1000]))
def test_lists_and_single_looks_agree(
    filled: tuple[Connection, list[pb.Alert]], text: str, order: str, size: int
) -> None:
    connection, alerts = filled
    wanted = wish(text, order, include_total=True)
    expected = {one.id for one in alerts if matches(wanted.condition, one)}
    ids = found(connection, wanted)
    assert len(ids) == len(set(ids))
    assert set(ids) == expected
    whole = page_of(connection, wanted)
    assert whole.total == len(expected)
    # Pages make the whole list.
    paged: list[str] = []
    token = ""
    while len(paged) <= len(ids):
        part = page_of(connection, wish(text, order, page_size=size, page_token=token))
        paged += [pb.Alert.FromString(bytes(row[0])).id for row in part.rows]
        token = part.next_page_token
        if not token or (size == 1 and len(paged) > 10):
            break
    assert paged == ids[: len(paged)]
    assert token or len(paged) == len(ids)


@QUICK
@given(text=filters())
def test_what_few_rows_allow_is_what_an_index_has(filled: tuple[Connection, list[pb.Alert]], text: str) -> None:
    """Where only few rows may be read, the answer is the same or a refusal."""
    connection, _ = filled
    expected = found(connection, wish(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walks, "MAX_READ", 30)
        try:
            few = found(connection, wish(text))
        except CallError as refusal:
            few, reason = expected, refusal.reason
        else:
            reason = ""
    assert (few, reason or "QUERY_TOO_BROAD") == (expected, "QUERY_TOO_BROAD")


@pytest.mark.parametrize(
    "text",
    [
        *("", "state = open", "severity = critical", "vendor = ACME AND state = cleared"),
        *("alert_id = 0x1 OR alert_id = 0x2", f"storage_id = {storage(1).id}"),
        *("labels.env = prod", "labels.env = prod AND state = open"),
        "state = open AND last_raised_at > 2026-09-21T14:13:40Z",
        "state = open AND (severity = major OR severity = fatal)",
    ],
)
def test_what_an_index_has_is_never_too_much(filled: tuple[Connection, list[pb.Alert]], text: str) -> None:
    connection, _ = filled
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walks, "MAX_READ", 0)
        for order in ("", "last_raised_at"):
            found(connection, wish(text, order))


@pytest.mark.parametrize(
    ("text", "order"),
    [("count > 1", ""), ("alert_name:fan", ""), ("", "severity"), ("NOT vendor = ACME", ""), ("state != open", "")],
)
def test_what_no_index_has_is_refused_where_it_is_too_much(
    filled: tuple[Connection, list[pb.Alert]], monkeypatch: pytest.MonkeyPatch, text: str, order: str
) -> None:
    connection, _ = filled
    monkeypatch.setattr(walks, "MAX_READ", 30)
    with pytest.raises(CallError, match="more than 30 alerts") as refusal:
        found(connection, wish(text, order))
    assert refusal.value.reason == "QUERY_TOO_BROAD"


def test_one_by_its_id_is_read_however_many_there_are(
    filled: tuple[Connection, list[pb.Alert]], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, alerts = filled
    monkeypatch.setattr(walks, "MAX_READ", 0)
    first, last = alerts[0].id, alerts[-1].id
    assert set(found(connection, wish(f"id = {first} OR id = {last}"))) == {first, last}
    assert found(connection, wish(f"id = {first} AND count > 100")) == []


def test_the_list_goes_on_behind_an_alert(filled: tuple[Connection, list[pb.Alert]]) -> None:
    connection, _ = filled
    ids = found(connection, wish("state = open"))
    behind = found(connection, wish("state = open", page_token=f"after:{ids[3]}", page_size=5))
    assert behind == ids[4:9]
    with pytest.raises(UnknownMarker):
        found(connection, wish(page_token="after:11111111-1111-4111-8111-111111111111"))


@pytest.mark.parametrize("where", ["begin", "equal", "beyond"])
@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("state = open", "alerts_state (state=?"),
        ("state = open AND severity = major", "alerts_severity (state=? AND severity=?"),
        (f"state = cleared AND storage_id = {storage(1).id}", "alerts_storage (state=? AND storage_id=?"),
        ("state = open AND vendor = ACME", "alerts_vendor (state=? AND vendor=?"),
        ("state = open AND alert_id = 0x1", "alerts_alert_id (state=? AND alert_id=?"),
        ("state = open AND vendor = ACME AND severity = major", "alerts_vendor (state=? AND vendor=?"),
        ("state = open AND severity = major AND count = 1", "alerts_severity (state=? AND severity=?"),
    ],
    ids=["state", "severity", "storage", "vendor", "alert-id", "vendor-of-two", "with-a-rest"],
)
def test_a_page_is_a_walk_along_an_index(
    filled: tuple[Connection, list[pb.Alert]], text: str, index: str, where: page.Where
) -> None:
    connection, _ = filled
    wanted = wish(text)
    way = walks._candidates(connection, conjuncts(wanted.condition))[0]
    for walk in way.walks():
        narrowed = wanted.narrowed(list_by(way.field), walk)
        prepared = page._statement(narrowed.spec, narrowed.shape, narrowed.order, where).prepared("sqlite")
        query, values = prepared.bind([1] * len(prepared.names))
        rows = connection.execute(f"EXPLAIN QUERY PLAN {query}", [1] * len(values)).fetchall()
        plan = " | ".join(row[3] for row in rows)
        assert f"SEARCH alerts USING INDEX {index}" in plan
        assert "TEMP B-TREE" not in plan


async def test_open_ones_of_a_storage_by_the_time_at_which_they_occurred(store: Store) -> None:
    await store.write(fill_some)
    facts = storage(1)
    wanted = listing(OPEN_OF_STORAGE, ListRequest(order_by=DEFAULT_ORDER, scope=facts.id))
    scope = {"storage_id": facts.id_bytes, "begin": 1_790_000_010_000, "end": 1_790_000_040_000}
    rows = (await store.scan(lambda connection: wanted.run(connection, scope))).rows
    expected = [
        one.id
        for one in sorted(await store.scan(all_alerts), key=lambda one: -one.last_raised_at.ToMicroseconds())
        if one.storage_id == facts.id
        and one.state == pb.ALERT_STATE_OPEN
        and 10_000 <= one.first_raised_at.ToMilliseconds() - 1_790_000_000_000 < 40_000
    ]
    assert rows
    assert {pb.Alert.FromString(bytes(row[0])).id for row in rows} == set(expected)


@pytest.mark.postgres
@pytest.mark.parametrize("alerts_url", ["postgresql"], indirect=True)
async def test_postgresql_finds_the_same(store: Store, tmp_path: Path) -> None:
    await store.write(fill_some)

    def look(connection: Connection) -> None:
        alerts = all_alerts(connection)
        for text in TERMS:
            for order in ORDERS[:4]:
                wanted = wish(text, order)
                expected = {one.id for one in alerts if matches(wanted.condition, one)}
                assert set(found(connection, wanted)) == expected, (text, order)

    await store.scan(look)
