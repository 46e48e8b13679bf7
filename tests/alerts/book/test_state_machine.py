"""Any sequence of traps, polls and operators leaves the book as a plain model of it says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from delphis.alert.v1 import alert_pb2 as pb
from services.alerts.book.operating import acknowledge, clear, end_storage, not_found, unacknowledge
from services.alerts.book.reconciling import listed
from services.alerts.book.reporting import report
from services.alerts.book.reports import Report
from services.alerts.schema import SCHEMA
from services.alerts.schema.metadata import metadata
from services.calls.errors import CallError
from services.store.connection import Connection
from services.store.engine import Store
from tests.alerts.book.reports import OWN, POLL, SECOND, T0, TRAP, alert, all_alerts, all_events, storage

KEYS = st.sampled_from(["a", "b"])
STORAGES = st.sampled_from([1, 2])
# Most reports repeat what is known.
SEVERITIES = st.sampled_from(["MAJOR"] * 5 + ["CRITICAL"])
WORDS = st.sampled_from(["fan"] * 4 + ["disk"])
STEPS = st.sampled_from([0, SECOND // 3, SECOND, 60 * SECOND])
Event = pb.AlertEventType
Write = Callable[[Callable[[Connection], Any]], Any]
"""Writes to an open store, from outside of its event loop."""


@dataclass
class Modelled:
    """An alert, as it should be."""

    storage: int
    key: str
    origin: int
    severity: str
    words: str
    first: int
    last: int
    count: int
    listed: int = 0
    told: int = 0
    cleared: int = 0
    cleared_origin: int = 0
    acknowledged_by: str = ""

    @property
    def own(self) -> bool:
        return self.origin == OWN


@dataclass
class Model:
    """The book, as it should be."""

    alerts: list[Modelled] = field(default_factory=list[Modelled])
    events: list[tuple[int, int, int, bool]] = field(default_factory=list[tuple[int, int, int, bool]])
    """Type, which alert, its count, whether it is over."""

    def open(self, number: int, key: str, *, own: bool) -> Modelled | None:
        found = [
            one for one in self.alerts if (one.storage, one.key, one.own) == (number, key, own) and not one.cleared
        ]
        assert len(found) <= 1
        return found[0] if found else None

    def tell(self, event: int, one: Modelled) -> None:
        self.events.append((event, self.alerts.index(one), one.count, one.cleared > 0))

    def report(self, number: int, key: str, severity: str, words: str, origin: int, at: int, *, over: bool) -> None:
        one = self.open(number, key, own=origin == OWN)
        if over:
            if one is not None:
                self.clear(one, at, origin)
        elif one is None:
            one = Modelled(number, key, origin, severity, words, at, at, 1, told=at)
            self.alerts.append(one)
            self.tell(Event.ALERT_EVENT_TYPE_RAISED, one)
        else:
            same = (one.severity, one.words) == (severity, words)
            worse = one.severity != severity
            one.severity, one.words, one.last = severity, words, at
            one.count += 1
            if worse or at - one.told >= SECOND:
                one.told = at
                self.tell(Event.ALERT_EVENT_TYPE_REPEATED if same else Event.ALERT_EVENT_TYPE_CHANGED, one)

    def poll(
        self, number: int, listed_: dict[str, tuple[str, str]], began: int, at: int, *, complete: bool, all_: bool
    ) -> None:
        late = {one.key for one in self.alerts if one.storage == number and not one.own and one.cleared >= began}
        for key, (severity, words) in listed_.items():
            one = self.open(number, key, own=False)
            if one is None:
                if key not in late:
                    one = Modelled(number, key, POLL, severity, words, at, at, 0, listed=at, told=at)
                    self.alerts.append(one)
                    self.tell(Event.ALERT_EVENT_TYPE_RAISED, one)
                continue
            one.listed = at
            if (one.severity, one.words) != (severity, words):
                one.severity, one.words, one.told = severity, words, at
                self.tell(Event.ALERT_EVENT_TYPE_CHANGED, one)
        if not complete:
            return
        gone = [one for one in self.alerts if one.storage == number and not one.own and not one.cleared]
        for one in sorted(gone, key=lambda one: one.last):
            if one.key not in listed_ and one.last < began and (all_ or one.listed):
                self.clear(one, at, POLL)

    def clear(self, one: Modelled, at: int, origin: int) -> None:
        one.cleared, one.cleared_origin = at, origin
        self.tell(Event.ALERT_EVENT_TYPE_CLEARED, one)


class Machine(RuleBasedStateMachine):
    """Does the same to both."""

    def __init__(self, write: Write) -> None:
        super().__init__()
        self.write = write
        self.model = Model()
        self.now = T0

    @initialize()
    def empty(self) -> None:
        def delete(connection: Connection) -> None:
            for table in metadata.sorted_tables:
                connection.execute(f"DELETE FROM {table.name}")

        self.write(delete)

    @rule(
        step=STEPS,
        said=st.lists(
            st.tuples(STORAGES, KEYS, SEVERITIES, WORDS, st.sampled_from([TRAP, TRAP, OWN]), st.integers(0, 7)),
            min_size=1,
            max_size=6,
        ),
    )
    def reports(self, step: int, said: list[tuple[int, str, str, str, pb.AlertOrigin.ValueType, int]]) -> None:
        self.now += step + 1
        batch: list[Report] = []
        for number, key, severity, words, origin, kind in said:
            self.model.report(number, key, severity, words, origin, self.now, over=kind == 0)
            what = alert(key, severity, description=words)
            batch.append(Report(storage(number), what, origin, self.now, cleared=kind == 0))
        self.write(lambda connection: report(connection, batch))

    @rule(
        number=STORAGES,
        answer=st.dictionaries(KEYS, st.tuples(SEVERITIES, WORDS)),
        took=st.sampled_from([0, 2, 2 * SECOND]),
        complete=st.booleans(),
        all_=st.booleans(),
    )
    def poll(self, number: int, answer: dict[str, tuple[str, str]], took: int, complete: bool, all_: bool) -> None:
        self.now += 1
        began = self.now - took
        self.model.poll(number, answer, began, self.now, complete=complete, all_=all_)
        items = [alert(key, severity, description=words) for key, (severity, words) in answer.items()]
        # What is named twice is one.
        items += items[:1]
        self.write(
            lambda connection: listed(
                connection, storage(number), items, began_at=began, at=self.now, complete=complete, lists_all=all_
            )
        )

    @rule(back=st.integers(0, 5), what=st.sampled_from(["acknowledge", "unacknowledge", "clear"]))
    def operate(self, back: int, what: str) -> None:
        self.now += 1
        works = {"acknowledge": acknowledge, "unacknowledge": unacknowledge, "clear": clear}
        known = self.ids()
        which = len(known) - 1 - back
        if which < 0:
            strange = [*known[:1], "00000000-0000-8000-a000-000000000000"]
            with pytest.raises(CallError, match="No alert") as refusal:
                self.write(lambda connection: works[what](connection, strange, by="ops", note="", at=self.now))
            assert refusal.value.reason == not_found("").reason
            return
        one = self.model.alerts[which]
        if what == "acknowledge" and not one.cleared and not one.acknowledged_by:
            one.acknowledged_by = "ops"
            self.model.tell(Event.ALERT_EVENT_TYPE_ACKNOWLEDGED, one)
        elif what == "unacknowledge" and one.acknowledged_by:
            one.acknowledged_by = ""
            self.model.tell(Event.ALERT_EVENT_TYPE_UNACKNOWLEDGED, one)
        elif what == "clear" and not one.cleared:
            self.model.clear(one, self.now, pb.ALERT_ORIGIN_OPERATOR)
        ids = [known[which]] * 2
        self.write(lambda connection: works[what](connection, ids, by="ops", note="", at=self.now))

    @rule(number=STORAGES, really=st.integers(0, 3))
    def remove_storage(self, number: int, really: int) -> None:
        self.now += 1
        if really:
            return
        for one in sorted(self.model.alerts, key=lambda one: one.last):
            if one.storage == number and not one.cleared:
                self.model.clear(one, self.now, OWN)
        self.write(lambda connection: end_storage(connection, storage(number).id, at=self.now))

    def ids(self) -> list[str]:
        return [one.id for one in self.write(all_alerts)]

    @invariant()
    def same(self) -> None:
        found, told = self.write(lambda connection: (all_alerts(connection), all_events(connection)))
        assert [plain(one) for one in found] == [expected(one) for one in self.model.alerts]
        place = {one.id: place for place, one in enumerate(found)}
        assert [
            (
                event.type,
                place[event.alert.id],
                event.alert.count,
                event.alert.state == pb.ALERT_STATE_CLEARED,
            )
            for event in told
        ] == self.model.events
        positions = [event.position for event in told]
        assert positions == sorted(set(positions))
        latest = {event.alert.id: event.alert for event in told}
        for one in found:
            if one.state == pb.ALERT_STATE_CLEARED and latest[one.id].state == pb.ALERT_STATE_CLEARED:
                assert one.cleared_at == latest[one.id].cleared_at


def plain(one: pb.Alert) -> tuple[object, ...]:
    return (
        one.storage_id,
        one.match_key,
        one.origin,
        one.severity,
        one.description,
        one.first_raised_at.ToMicroseconds(),
        one.last_raised_at.ToMicroseconds(),
        one.count,
        one.last_listed_at.ToMicroseconds(),
        one.cleared_at.ToMicroseconds(),
        one.cleared_origin,
        one.state == pb.ALERT_STATE_CLEARED,
        one.acknowledged_by,
        one.acknowledged,
    )


def expected(one: Modelled) -> tuple[object, ...]:
    return (
        storage(one.storage).id,
        one.key,
        one.origin,
        alert("", one.severity).severity,
        one.words,
        one.first,
        one.last,
        one.count,
        one.listed,
        one.cleared,
        one.cleared_origin,
        one.cleared > 0,
        one.acknowledged_by,
        bool(one.acknowledged_by),
    )


@pytest.fixture
def write(alerts_url: str) -> Iterator[Write]:
    loop = asyncio.new_event_loop()
    store = Store.open(alerts_url, SCHEMA)
    yield lambda work: loop.run_until_complete(store.write(work))
    loop.run_until_complete(store.close())
    loop.close()


def test_the_book_is_as_a_plain_model_says(write: Write, alerts_url: str) -> None:
    run_state_machine_as_test(
        partial(Machine, write),  # type: ignore[arg-type]
        settings=settings(
            max_examples=50 if alerts_url.startswith("sqlite") else 15,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
