"""What we noticed and reported: each condition is raised once and cleared once, whatever restarts in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select

from delphis.alert.v1 import alert_pb2
from delphis.type.v1 import alert_pb2 as type_pb
from services.alerts.arrays import Array, facts_of
from services.alerts.book.reporting import report
from services.alerts.book.reports import Report
from services.alerts.own.kinds import Kind
from services.alerts.schema.arrays import own_conditions
from services.store.columns import clean
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import StoreFault
from services.store.statement import sql, statement
from services.values import times, uuids

log = logging.getLogger(__name__)

_COLUMNS = (
    own_conditions.c.storage_id,
    own_conditions.c.key,
    own_conditions.c.since,
    own_conditions.c.severity,
)
_ALL = statement(select(*_COLUMNS))
_PUT_TEXT = (
    "INSERT INTO own_conditions (storage_id, key, since, severity) VALUES (:storage_id, :key, :since, :severity) "
    "ON CONFLICT (storage_id, key) DO UPDATE SET severity = excluded.severity"
)
_PUT = sql(sqlite=_PUT_TEXT, postgresql=_PUT_TEXT)
_REMOVE = statement(
    delete(own_conditions).where(
        own_conditions.c.storage_id == bindparam("storage_id"), own_conditions.c.key == bindparam("key")
    )
)
_FORGET = statement(delete(own_conditions).where(own_conditions.c.storage_id == bindparam("storage_id")))


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now."""

    kind: Kind
    description: str
    detail: str = ""
    """What tells it from others of its kind: a pool, a kind of resource, a driver."""
    severity: int = 0
    """0: the kind's."""
    resource_type: str = "storage"
    native_resource_id: str = ""
    location: str = ""

    @property
    def key(self) -> str:
        """What it is known by, with its storage."""
        return key_of(self.kind, self.detail)

    @property
    def level(self) -> int:
        """How bad it is."""
        return self.severity or self.kind.severity


def key_of(kind: Kind, detail: str = "") -> str:
    """What a condition is known by, with its storage."""
    return clean(f"{kind.name}:{detail}" if detail else kind.name)


@dataclass(slots=True)
class Raised:
    """A condition that was reported."""

    since: int
    severity: int


class Conditions:
    """All conditions that are reported and not over."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._raised: dict[tuple[str, str], Raised] = {}
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Reads what was reported before."""
        for storage_id, key, since, severity in await self._store.scan(lambda connection: connection.all(_ALL)):
            self._raised[uuids.text(storage_id), key] = Raised(since, severity)

    def get(self, storage_id: str, key: str) -> Raised | None:
        """The condition, where it was reported and is not over. An empty storage id: about Delphis itself."""
        return self._raised.get((storage_id, key))

    def keys(self, storage_id: str) -> list[str]:
        """What is reported of a storage."""
        return [key for owner, key in self._raised if owner == storage_id]

    def storages(self) -> set[str]:
        """Those of which something is reported."""
        return {storage_id for storage_id, _ in self._raised if storage_id}

    async def hold(self, array: Array | None, condition: Condition) -> None:
        """It is so."""
        await self.settle(array, {condition.key: condition}, (condition.key,))

    async def over(self, array: Array | None, kind: Kind, detail: str = "") -> None:
        """It is not so, or no longer."""
        await self.settle(array, {}, (key_of(kind, detail),))

    async def settle(self, array: Array | None, holding: Mapping[str, Condition], looked_at: Iterable[str]) -> None:
        """Of the keys `looked_at` those in `holding` are so and the others are not: raises and clears what changed."""
        storage_id = "" if array is None else array.id
        keys = tuple(looked_at)
        if not any(self._changed(storage_id, key, holding.get(key)) for key in keys):
            return
        async with self._turn:
            now = times.now()
            changed = [key for key in keys if self._changed(storage_id, key, holding.get(key))]
            reports = [self._report(array, key, holding.get(key), now) for key in changed]

            def work(connection: Connection) -> None:
                report(connection, reports)
                for key in changed:
                    _write(connection, storage_id, key, holding.get(key), now)

            try:
                await self._store.write(work)
            except StoreFault as fault:
                log.error("alerts of our own about %s can't be stored: %s", storage_id or "Delphis", fault)
                return  # the next look finds the same
            for key in changed:
                self._note(storage_id, key, holding.get(key), now)

    async def forget(self, storage_id: str) -> None:
        """The storage was removed; its alerts end with it."""
        async with self._turn:
            keys = [place for place in self._raised if place[0] == storage_id]
            if keys:
                values = {"storage_id": uuids.parsed(storage_id) or b""}
                await self._store.write(lambda connection: connection.run(_FORGET, values))
                for place in keys:
                    del self._raised[place]

    def _changed(self, storage_id: str, key: str, condition: Condition | None) -> bool:
        raised = self._raised.get((storage_id, key))
        if raised is None or condition is None:
            return (raised is None) != (condition is None)
        return raised.severity != condition.level

    def _note(self, storage_id: str, key: str, condition: Condition | None, now: int) -> None:
        if condition is None:
            del self._raised[storage_id, key]
            log.info("over: %s of %s", key, storage_id or "Delphis")
            return
        before = self._raised.get((storage_id, key))
        self._raised[storage_id, key] = Raised(now if before is None else before.since, condition.level)
        log.warning("%s of %s: %s", key, storage_id or "Delphis", condition.description)

    def _report(self, array: Array | None, key: str, condition: Condition | None, now: int) -> Report:
        alert = type_pb.Alert(match_key=key) if condition is None else _alert(condition)
        alert.occur_time.FromMicroseconds(now)
        return Report(
            storage=None if array is None else facts_of(array),
            alert=alert,
            origin=alert_pb2.ALERT_ORIGIN_DELPHIS,
            at=now,
            cleared=condition is None,
        )


def _alert(condition: Condition) -> type_pb.Alert:
    kind = condition.kind
    alert = type_pb.Alert(
        alert_id=kind.id,
        alert_name=kind.title,
        match_key=condition.key,
        category=type_pb.ALERT_CATEGORY_FAULT,
        type=kind.type,  # type: ignore[arg-type]
        severity=condition.level,  # type: ignore[arg-type]
        description=condition.description,
        recovery_advice=kind.advice,
        resource_type=condition.resource_type,
    )
    if kind.sequence_number:
        alert.sequence_number = kind.sequence_number
    if condition.native_resource_id:
        alert.native_resource_id = condition.native_resource_id
    if condition.location:
        alert.location = condition.location
    return alert


def _write(connection: Connection, storage_id: str, key: str, condition: Condition | None, now: int) -> None:
    place = {"storage_id": uuids.parsed(storage_id) or b"", "key": key}
    if condition is None:
        connection.run(_REMOVE, place)
    else:
        connection.run(_PUT, place | {"since": now, "severity": condition.level})
