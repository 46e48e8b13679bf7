"""How far the collection of each kind of each array is, in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from delphis.telemetry.v1 import telemetry_pb2
from delphis.type.v1 import metric_pb2
from services.store.columns import clean
from services.store.connection import Connection
from services.store.statement import sql, statement
from services.telemetry.collection import plan
from services.telemetry.collection.plan import Gap, Pace
from services.telemetry.schema.collection import collections, kinds
from services.telemetry.window import Window

MAX_GAPS = 20

_COLLECTIONS = statement(
    select(collections.c.storage_id, collections.c.settings, collections.c.capabilities, collections.c.asked_at)
)
_KINDS = statement(
    select(
        kinds.c.storage_id,
        kinds.c.kind,
        kinds.c.watermark,
        kinds.c.newest,
        kinds.c.last_success_at,
        kinds.c.points,
        kinds.c.failures,
        kinds.c.failed_at,
        kinds.c.failing_since,
        kinds.c.error_code,
        kinds.c.error_msg,
        kinds.c.gaps,
    )
)
_UPSERT = (
    "INSERT INTO collections (storage_id, settings, capabilities, asked_at) "
    "VALUES (:storage_id, :settings, :capabilities, :asked_at) ON CONFLICT (storage_id) DO UPDATE SET {}"
)
_SET_SETTINGS = sql(
    sqlite=_UPSERT.format("settings = excluded.settings"), postgresql=_UPSERT.format("settings = excluded.settings")
)
_TOLD = "capabilities = excluded.capabilities, asked_at = excluded.asked_at"
_SET_CAPABILITIES = sql(sqlite=_UPSERT.format(_TOLD), postgresql=_UPSERT.format(_TOLD))
_NEW_KIND = statement(insert(kinds))
_KIND = statement(
    update(kinds)
    .where(kinds.c.storage_id == bindparam("of"), kinds.c.kind == bindparam("named"))
    .values({column: bindparam(column.name) for column in kinds.c if column.name not in ("storage_id", "kind")})
)
_FORGET_KINDS = statement(delete(kinds).where(kinds.c.storage_id == bindparam("storage_id")))
_FORGET = statement(delete(collections).where(collections.c.storage_id == bindparam("storage_id")))


@dataclass(frozen=True, slots=True)
class KindState:
    """How far one kind is."""

    watermark: int = 0
    """Milliseconds: everything before it was asked for."""
    newest: int = 0
    """Milliseconds: the newest sample."""
    last_success_at: int = 0
    points: int = 0
    failures: int = 0
    failed_at: int = 0
    failing_since: int = 0
    error_code: str = ""
    error_msg: str = ""
    gaps: bytes = b""

    def with_gap(self, gap: Gap | None) -> KindState:
        """With one more gap; of many the newest are kept. One that goes on is the same gap."""
        if gap is None:
            return self
        kept = telemetry_pb2.KindCollection.FromString(self.gaps)
        if kept.gaps and kept.gaps[-1].end_time.ToMilliseconds() == gap.begin and kept.gaps[-1].reason == gap.reason:
            kept.gaps[-1].end_time.FromMilliseconds(gap.end)
        else:
            added = kept.gaps.add(reason=gap.reason)
            added.begin_time.FromMilliseconds(gap.begin)
            added.end_time.FromMilliseconds(gap.end)
            del kept.gaps[:-MAX_GAPS]
        return replace(self, gaps=kept.SerializeToString(), watermark=max(self.watermark, gap.end))

    def failed(self, at: int, code: str, message: str, *, since: int) -> KindState:
        """After a window that failed, and was asked for since a time. In microseconds."""
        return replace(
            self,
            failures=self.failures + 1,
            failed_at=at,
            failing_since=self.failing_since if self.failures else since,
            error_code=clean(code),
            error_msg=clean(message),
        )

    def succeeded(self, at: int, watermark: int, windows: Sequence[Window]) -> KindState:
        """After a window that was collected."""
        return replace(
            self,
            watermark=watermark,
            newest=max((window.last for window in windows), default=self.newest),
            last_success_at=at,
            points=sum(window.points for window in windows),
            failures=0,
            failing_since=0,
            error_code="",
            error_msg="",
        )

    def missed(self, interval: int) -> int:
        """Windows in a row that failed. `interval` in milliseconds."""
        return plan.missed(interval * 1000, self.failing_since, self.failed_at) if self.failures else 0

    def set_back(self, now: int) -> KindState:
        """After a clock was set back to `now`, in milliseconds: on from the newest sample that is not in the future."""
        watermark = self.newest + 1 if 0 < self.newest <= now else 0
        kept = telemetry_pb2.KindCollection.FromString(self.gaps)
        # What was called a gap may be had after all: all after the new watermark is asked for again.
        past = [gap for gap in kept.gaps if watermark and gap.end_time.ToMilliseconds() <= watermark]
        return replace(
            self,
            watermark=watermark,
            newest=self.newest if watermark else 0,
            gaps=telemetry_pb2.KindCollection(gaps=past).SerializeToString(),
        )


Paces = tuple[metric_pb2.Capabilities, telemetry_pb2.CollectionSettings, dict[str, Pace]]


@dataclass(slots=True)
class Collection:
    """What is known of the collection from one array."""

    settings: telemetry_pb2.CollectionSettings
    capabilities: metric_pb2.Capabilities | None
    """None: it was not asked yet."""
    asked_at: int
    kinds: dict[str, KindState]
    paces: Paces | None = None
    """What follows from the first two, and from which it did."""


def load(connection: Connection) -> dict[bytes, Collection]:
    """All collections, by the storages' ids."""
    found: dict[bytes, Collection] = {}
    for storage_id, settings, capabilities, asked_at in connection.all(_COLLECTIONS):
        found[bytes(storage_id)] = Collection(
            telemetry_pb2.CollectionSettings.FromString(bytes(settings)),
            metric_pb2.Capabilities.FromString(bytes(capabilities)) if asked_at else None,
            asked_at,
            {},
        )
    for storage_id, kind, *state in connection.all(_KINDS):
        collection = found.setdefault(bytes(storage_id), new())
        state[-1] = bytes(state[-1])
        collection.kinds[kind] = KindState(*state)
    return found


def new() -> Collection:
    """Of an array that nothing is known of."""
    return Collection(telemetry_pb2.CollectionSettings(), None, 0, {})


def save_settings(connection: Connection, storage_id: bytes, settings: telemetry_pb2.CollectionSettings) -> None:
    """Keeps what an operator set."""
    row = {"storage_id": storage_id, "settings": settings.SerializeToString(), "capabilities": b"", "asked_at": 0}
    connection.run(_SET_SETTINGS, row)


def save_capabilities(connection: Connection, storage_id: bytes, told: metric_pb2.Capabilities, at: int) -> None:
    """Keeps what an array measures."""
    row = {"storage_id": storage_id, "settings": b"", "capabilities": told.SerializeToString(), "asked_at": at}
    connection.run(_SET_CAPABILITIES, row)


def save_kind(connection: Connection, storage_id: bytes, kind: str, state: KindState) -> None:
    """Keeps how far a kind is; in the transaction that keeps its points."""
    values: dict[str, Any] = {name: getattr(state, name) for name in KindState.__slots__}
    if not connection.run(_KIND, {"of": storage_id, "named": kind, **values}):
        connection.run(_NEW_KIND, {"storage_id": storage_id, "kind": kind, **values})


def forget(connection: Connection, storage_id: bytes) -> None:
    """The array is gone."""
    connection.run(_FORGET_KINDS, {"storage_id": storage_id})
    connection.run(_FORGET, {"storage_id": storage_id})


def gaps_of(state: KindState) -> list[telemetry_pb2.CollectionGap]:
    """The newest gaps, oldest first."""
    return list(telemetry_pb2.KindCollection.FromString(state.gaps).gaps)
