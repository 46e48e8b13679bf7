"""What one report does."""

from __future__ import annotations

import pytest

from delphis.alert.v1 import alert_pb2 as pb
from delphis.type.v1 import alert_pb2 as type_pb
from services.alerts.book.reconciling import listed
from services.alerts.book.reporting import Outcome, report
from services.alerts.book.reports import Report, key_of, match_key_of
from services.store.engine import Store
from tests.alerts.book.reports import SECOND, T0, TRAP, alert, all_alerts, all_events, own, storage, trap


@pytest.mark.parametrize(
    ("said", "key"),
    [
        (type_pb.Alert(match_key="m", alert_id="1"), "m"),
        (type_pb.Alert(alert_id="1", sequence_number="7"), "1|7||"),
        (type_pb.Alert(alert_id="1", resource_type="disk", native_resource_id="d3", location="x"), "1||disk|d3"),
        (type_pb.Alert(alert_id="1", resource_type="disk", location="slot 3"), "1||disk|slot 3"),
        (type_pb.Alert(alert_id="a|b", location="\\"), "a\\|b|||\\\\"),
        (type_pb.Alert(alert_name="fan", description="broken"), "|||fan"),
        (type_pb.Alert(description="broken"), "|||broken"),
    ],
    ids=["driver", "sequence", "resource", "location", "escaped", "name", "description"],
)
def test_what_joins_reports(said: type_pb.Alert, key: str) -> None:
    assert match_key_of(said) == key


def test_keys_differ_by_storage_and_by_who_speaks() -> None:
    keys = {
        key_of(where, key, own=mine)
        for where in (None, storage(1), storage(2))
        for key in "ab"
        for mine in (True, False)
    }
    assert len(keys) == 12


async def test_an_alert_is_told_as_it_was_reported(store: Store) -> None:
    said = type_pb.Alert(
        alert_id="0x2",
        alert_name="Fan failed",
        sequence_number="17",
        severity=type_pb.SEVERITY_CRITICAL,
        category=type_pb.ALERT_CATEGORY_FAULT,
        type=type_pb.ALERT_TYPE_EQUIPMENT_ALARM,
        description="\0 strange words" + "x" * 20_000,
        recovery_advice="Replace it.",
        resource_type="controller",
        location="rear",
        native_resource_id="c1",
        native={f"k{number:03d}": "v" * 200 for number in range(60)},
    )
    said.occur_time.FromMilliseconds(1_700_000_000_123)
    one = Report(storage(1, site="b7"), said, TRAP, T0, controller_name="Controller A")
    assert await store.write(lambda connection: report(connection, [one])) == Outcome(raised=1)
    (found,) = await store.read(all_alerts)
    assert found.id
    assert (found.storage_name, found.vendor, found.model, found.serial_number) == ("array-1", "ACME", "Box 1", "S1")
    assert dict(found.labels) == {"site": "b7"}
    assert (found.state, found.count, found.origin) == (pb.ALERT_STATE_OPEN, 1, TRAP)
    assert (found.alert_id, found.alert_name, found.sequence_number) == ("0x2", "Fan failed", "17")
    assert (found.severity, found.category, found.type) == (said.severity, said.category, said.type)
    assert found.occur_time == 1_700_000_000_123
    assert found.description.startswith("\0 strange")
    assert len(found.description) == 16_384
    assert 0 < len(found.native) <= 32
    assert found.controller_name == "Controller A"
    (event,) = await store.read(all_events)
    assert (event.type, event.alert, event.position > 0) == (pb.ALERT_EVENT_TYPE_RAISED, found, True)


async def test_a_recovery_clears_and_leaves_what_was_wrong(store: Store) -> None:
    over = trap(severity="INFORMATIONAL", at=T0 + 1, category=type_pb.ALERT_CATEGORY_RECOVERY, description="fine again")
    again = trap(at=T0 + 2)
    outcome = await store.write(lambda connection: report(connection, [trap(), over, over, again]))
    assert outcome == Outcome(raised=2, cleared=1, without_alert=1)
    first, second = await store.read(all_alerts)
    assert (first.state, first.severity, first.description) == (pb.ALERT_STATE_CLEARED, type_pb.SEVERITY_MAJOR, "")
    assert (first.cleared_origin, first.cleared_at.ToMicroseconds()) == (TRAP, T0 + 1)
    assert (second.state, second.match_key) == (pb.ALERT_STATE_OPEN, first.match_key)
    assert second.id != first.id


async def test_a_recovery_counts_however_old_its_array_says_it_is(store: Store) -> None:
    over = trap(at=T0 + 1, cleared=True)
    over.alert.occur_time.FromMilliseconds(5)
    await store.write(lambda connection: report(connection, [trap(), over]))
    (found,) = await store.read(all_alerts)
    assert found.state == pb.ALERT_STATE_CLEARED


async def test_a_storm_is_counted_and_told_by_the_second(store: Store) -> None:
    storm = [trap(at=T0 + step * SECOND // 100) for step in range(1001)]
    outcome = await store.write(lambda connection: report(connection, storm))
    assert (outcome.raised, outcome.repeated) == (1, 1000)
    (found,) = await store.read(all_alerts)
    assert (found.count, found.last_raised_at.ToMicroseconds()) == (1001, T0 + 10 * SECOND)
    told = await store.read(all_events)
    assert [event.alert.count for event in told] == [1, *range(101, 1002, 100)]


async def test_how_bad_it_is_is_told_at_once(store: Store) -> None:
    storm = [trap(severity=name, at=T0 + place) for place, name in enumerate(["MINOR", "MAJOR", "MAJOR", "MINOR"])]
    outcome = await store.write(lambda connection: report(connection, storm))
    assert outcome == Outcome(raised=1, repeated=1, changed=2)
    told = await store.read(all_events)
    assert [event.alert.severity for event in told] == [storm[place].alert.severity for place in (0, 1, 3)]


async def test_no_poll_clears_what_delphis_noticed(store: Store) -> None:
    await store.write(lambda connection: report(connection, [own("delphis.unreachable"), trap("delphis.unreachable")]))
    await store.write(
        lambda connection: listed(connection, storage(), [], began_at=T0 + 1, at=T0 + 2, complete=True, lists_all=True)
    )
    states = {one.origin: one.state for one in await store.read(all_alerts)}
    assert states == {pb.ALERT_ORIGIN_DELPHIS: pb.ALERT_STATE_OPEN, TRAP: pb.ALERT_STATE_CLEARED}


async def test_a_poll_that_says_that_it_is_over(store: Store) -> None:
    await store.write(lambda connection: report(connection, [trap("a"), trap("b", at=T0 + 5)]))
    answer = [alert("a", cleared=True), alert("b", cleared=True), alert("c", cleared=True)]
    outcome = await store.write(
        lambda connection: listed(connection, storage(), answer, began_at=T0 + 3, at=T0 + 6, complete=False)
    )
    assert (outcome.listed, outcome.raised, outcome.cleared) == (0, 0, 1)
    assert [one.state for one in await store.read(all_alerts)] == [pb.ALERT_STATE_CLEARED, pb.ALERT_STATE_OPEN]


async def test_alerts_of_delphis_itself_have_no_storage(store: Store) -> None:
    one = Report(None, alert("delphis.spool"), pb.ALERT_ORIGIN_DELPHIS, T0)
    await store.write(lambda connection: report(connection, [one]))
    (found,) = await store.read(all_alerts)
    assert (found.storage_id, found.HasField("vendor")) == ("", False)


async def test_many_keys_at_once(store: Store) -> None:
    many = [trap(f"k{number}") for number in range(1200)]
    assert (await store.write(lambda connection: report(connection, many))).raised == 1200
    assert (await store.write(lambda connection: report(connection, many))).repeated == 1200
    assert len({one.id for one in await store.read(all_alerts)}) == 1200
