"""What is forgotten, and what is not."""

from __future__ import annotations

import pytest

from delphis.alert.v1 import alert_pb2 as pb
from services.alerts.book import events, retention
from services.alerts.book import settings as alert_settings
from services.alerts.book.operating import end_storage
from services.alerts.book.reporting import report
from services.alerts.book.reports import Report
from services.alerts.schema.book import alert_labels, alert_storages
from services.calls.errors import CallError
from services.store.engine import Store
from services.values import times
from tests.alerts.book.reports import T0, TRAP, alert, all_alerts, all_events, storage, trap


async def count(store: Store, table: object) -> int:
    found = await store.read(lambda connection: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    return int(found)


async def test_what_was_cleared_long_ago_is_forgotten_with_all_that_happened(store: Store) -> None:
    at = T0
    labelled = Report(storage(3, site="b7"), alert("old"), TRAP, at)
    await store.write(lambda connection: report(connection, [trap("old"), labelled, trap("open", of=2)]))
    await store.write(lambda connection: report(connection, [trap("old", cleared=True), trap("new", at=at + 1)]))
    await store.write(lambda connection: end_storage(connection, storage(3).id, at=at))
    later = at + 90 * times.DAY + 1
    await store.write(lambda connection: report(connection, [trap("new", cleared=True, at=later)]))
    before = await store.read(all_events)
    assert await retention.forget(store, at=later) == 2
    assert [one.match_key for one in await store.read(all_alerts)] == ["open", "new"]
    left = await store.read(all_events)
    assert [event.alert.match_key for event in left] == ["open", "new", "new"]
    gone = max(event.position for event in before if event not in left)
    assert await store.read(events.forgotten) == gone
    assert await store.read(events.head) == before[-1].position
    assert (await count(store, alert_storages), await count(store, alert_labels)) == (2, 0)
    assert await retention.forget(store, at=later) == 0


async def test_no_more_cleared_alerts_are_kept_than_wanted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 7)
    await store.write(lambda connection: alert_settings.change(connection, pb.AlertSettings(max_cleared=1000)))
    many = [trap(f"k{number:04d}") for number in range(1030)]
    over = [trap(one.alert.match_key, cleared=True) for one in many]
    await store.write(lambda connection: report(connection, [*many, trap("open"), *over]))
    assert await retention.forget(store, at=T0 + 1) == 30
    left = await store.read(all_alerts)
    assert [one.match_key for one in left] == [*(f"k{number:04d}" for number in range(30, 1030)), "open"]
    assert await store.read(lambda connection: events.after(connection, 0, 1))


async def test_old_repeats_of_what_is_open_are_forgotten(store: Store) -> None:
    days = [trap(at=T0 + day * times.DAY) for day in range(100)]
    await store.write(lambda connection: report(connection, days))
    now = T0 + 99 * times.DAY
    assert await retention.forget(store, at=now) == 0
    left = await store.read(all_events)
    assert left[0].type == pb.ALERT_EVENT_TYPE_RAISED
    assert [event.at.ToMicroseconds() for event in left[1:]] == [T0 + day * times.DAY for day in range(9, 100)]
    await retention.forget(store, at=now + times.DAY)
    assert len(await store.read(all_events)) == len(left) - 1


async def test_the_log_goes_on_where_it_was_when_all_is_forgotten(store: Store) -> None:
    await store.write(lambda connection: report(connection, [trap(), trap(cleared=True)]))
    head = await store.read(events.head)
    assert await retention.forget(store, at=T0 + 91 * times.DAY) == 1
    assert await store.read(all_events) == []
    assert (await store.read(events.head), await store.read(events.forgotten)) == (head, head)
    await store.write(lambda connection: report(connection, [trap()]))
    assert await store.read(events.head) > head


async def test_settings_hold_what_was_set_over_the_defaults(store: Store) -> None:
    assert await store.read(alert_settings.read) == alert_settings.DEFAULTS
    given = pb.AlertSettings(capacity_warning=0, max_kept_traps=0)
    given.poll_interval.FromSeconds(5)
    found = await store.write(lambda connection: alert_settings.change(connection, given))
    assert (found.capacity_warning, found.HasField("capacity_warning"), found.max_kept_traps) == (0, True, 0)
    assert found.poll_interval.ToSeconds() == 5
    assert found.retention == alert_settings.DEFAULTS.retention
    assert await store.read(alert_settings.read) == found


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (pb.AlertSettings(max_cleared=999), "max_cleared"),
        (pb.AlertSettings(max_kept_traps=-1), "max_kept_traps"),
        (pb.AlertSettings(sync_failures=0), "sync_failures"),
        (pb.AlertSettings(capacity_critical=1.01), "capacity_critical"),
        (pb.AlertSettings(capacity_critical=float("nan")), "capacity_critical"),
        (pb.AlertSettings(capacity_critical=0.5), "capacity_critical"),
        (pb.AlertSettings(capacity_warning=0.96), "capacity_warning"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_settings_out_of_their_range_are_refused(store: Store, given: pb.AlertSettings, field: str) -> None:
    with pytest.raises(CallError) as refusal:
        await store.write(lambda connection: alert_settings.change(connection, given))
    assert refusal.value.metadata["field"] == field
    assert await store.read(alert_settings.read) == alert_settings.DEFAULTS


@pytest.mark.parametrize("seconds", [4, 86_401])
async def test_spans_out_of_their_range_are_refused(store: Store, seconds: int) -> None:
    given = pb.AlertSettings()
    given.poll_interval.FromSeconds(seconds)
    with pytest.raises(CallError, match=r"poll_interval.*5 s to 86400 s"):
        await store.write(lambda connection: alert_settings.change(connection, given))
