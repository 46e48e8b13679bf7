"""Conditions are reported once and end once, on both databases, whatever restarts in between."""

from __future__ import annotations

import uuid

from sqlalchemy import select

from delphis.alert.v1 import alert_pb2
from delphis.type.v1 import storage_pb2
from services.alerts.own.conditions import Condition, Conditions, key_of
from services.alerts.own.kinds import ARRAY_CAPACITY, CRITICAL, HOST_CRASHING, WARNING
from services.alerts.schema.book import alert_events
from services.fleet.storage import Storage, storage_of
from services.store.engine import Store
from services.store.statement import statement
from tests.alerts.book.conftest import alerts_url, postgres_cluster, store

__all__ = ["alerts_url", "postgres_cluster", "store"]

_EVENTS = statement(select(alert_events.c.type).order_by(alert_events.c.position))
RAISED, CHANGED = alert_pb2.ALERT_EVENT_TYPE_RAISED, alert_pb2.ALERT_EVENT_TYPE_CHANGED
CLEARED = alert_pb2.ALERT_EVENT_TYPE_CLEARED


def array() -> Storage:
    message = storage_pb2.Storage(id=str(uuid.UUID(int=7)), name="cellar", serial_number="S-7")
    return storage_of(message, None, ())


async def events(store: Store) -> list[int]:
    return [row[0] for row in await store.scan(lambda connection: connection.all(_EVENTS))]


async def restarted(store: Store) -> Conditions:
    found = Conditions(store)
    await found.load()
    return found


async def test_once_raised_and_once_cleared(store: Store) -> None:
    conditions = await restarted(store)
    for _ in range(3):
        conditions = await restarted(store)
        await conditions.hold(array(), Condition(ARRAY_CAPACITY, "full", severity=WARNING))
        await conditions.hold(array(), Condition(ARRAY_CAPACITY, "fuller", severity=WARNING))
    assert await events(store) == [RAISED]
    await conditions.hold(array(), Condition(ARRAY_CAPACITY, "full to the brim", severity=CRITICAL))
    assert await events(store) == [RAISED, CHANGED]
    for _ in range(3):
        conditions = await restarted(store)
        await conditions.over(array(), ARRAY_CAPACITY)
    assert await events(store) == [RAISED, CHANGED, CLEARED]


async def test_what_was_never_so_is_not_over(store: Store) -> None:
    conditions = await restarted(store)
    await conditions.over(array(), ARRAY_CAPACITY)
    await conditions.over(None, HOST_CRASHING, "dev.acme.box")
    assert await events(store) == []


async def test_each_detail_and_each_storage_for_itself(store: Store) -> None:
    conditions = await restarted(store)
    for name in ("one", "two"):
        await conditions.hold(None, Condition(HOST_CRASHING, "crashes", detail=name))
    await conditions.hold(array(), Condition(ARRAY_CAPACITY, "full"))
    await conditions.over(None, HOST_CRASHING, "one")
    assert conditions.get("", key_of(HOST_CRASHING, "two")) is not None
    assert conditions.keys(array().id) == ["array_capacity"]
    assert conditions.storages() == {array().id}
    await conditions.forget(array().id)
    assert (await restarted(store)).storages() == set()
