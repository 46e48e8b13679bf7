"""The alerts that one transaction changes: read once, changed as messages, written at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from google.protobuf.message import Message
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy import text as sql_text

from delphis.alert.v1 import alert_pb2 as pb
from delphis.type.v1 import alert_pb2 as type_pb
from services.alerts.book.reports import StorageFacts
from services.alerts.schema.book import alert_events, alerts
from services.store.columns import clean
from services.store.connection import Connection, Row
from services.store.minting import id_prefix, mint, seq_of
from services.store.statement import Statement, statement
from services.store.wire import timestamp_field, varint
from services.values import times, uuids

TOPIC = "alerts"
"""What a store's `signals` call a commit with events."""
OPEN = pb.ALERT_STATE_OPEN
CLEARED = pb.ALERT_STATE_CLEARED
TELL_AFTER = times.SECOND
"""So often an event says that an alert was repeated, at most."""
MAX_WORDS = 16_384
"""Characters of a text of a report that are kept."""
MAX_NATIVE_KEYS = 32
MAX_NATIVE_BYTES = 4096
_BATCH = 500
_NOBODY = b""
_LISTED = b"\x72"  # Alert.last_listed_at
_ALERT = b"\x3a"  # AlertEvent.alert

_STATE_OPEN = sql_text("state = 2")
_READ = (alerts.c.seq, alerts.c.key, alerts.c.last_listed_at, alerts.c.last_told_at, alerts.c.body)
_BY_KEY = statement(select(*_READ).where(_STATE_OPEN, alerts.c.key.in_(bindparam("keys", expanding=True))))
_OF_STORAGE = statement(
    select(*_READ)
    .where(_STATE_OPEN, alerts.c.storage_id == bindparam("storage_id"))
    .order_by(alerts.c.last_raised_at, alerts.c.seq)
)
_BY_ID = statement(select(*_READ).where(alerts.c.seq == bindparam("seq"), alerts.c.id == bindparam("id")))

_GIVEN = ("seq", "id", "storage_id", "key", "origin", "first_raised_at")
_TEXTS = ("vendor", "model", "alert_id", "alert_name", "sequence_number", "resource_type", "native_resource_id")
_CHANGING = (
    *("state", "severity", "category", "type", "acknowledged", "count", *_TEXTS),
    *("last_raised_at", "cleared_at", "occurred_at", "last_listed_at", "last_told_at", "body"),
)
_EVENT = ("alert_seq", "storage_id", "type", "at", "body")
# The first name in the order of a statement's parameters is the first of a row: so the key of updates comes last.
_INSERT = statement(insert(alerts).values({name: bindparam(name) for name in (*_GIVEN, *_CHANGING)}))
_UPDATE = statement(
    update(alerts).where(alerts.c.seq == bindparam("row")).values({name: bindparam(name) for name in _CHANGING})
)
_LIST_AGAIN = statement(
    update(alerts).where(alerts.c.seq == bindparam("row")).values(last_listed_at=bindparam("listed"))
)
_LOG = statement(insert(alert_events).values({name: bindparam(name) for name in _EVENT}))

_REPORTED = (
    *("alert_id", "alert_name", "sequence_number", "description", "recovery_advice"),
    *("resource_type", "location", "native_resource_id"),
)
_ENUMS = ("severity", "category", "type")


@dataclass(slots=True)
class Entry:
    """One alert."""

    seq: int
    id: bytes
    key: bytes
    message: pb.Alert
    """Without `last_listed_at`."""
    listed_at: int = 0
    told_at: int = 0
    new: bool = False

    @property
    def storage_id(self) -> bytes:
        """The storage's id; empty for Delphis itself."""
        return uuids.parsed(self.message.storage_id) or _NOBODY

    @property
    def last_raised_at(self) -> int:
        """Microseconds since 1970."""
        return times.of_stamp(self.message.last_raised_at)

    @property
    def own(self) -> bool:
        """Delphis itself reported it."""
        return self.message.origin == pb.ALERT_ORIGIN_DELPHIS

    def body(self) -> bytes:
        """The alert as callers see it."""
        return with_listed(self.message.SerializeToString(), self.listed_at)


def with_listed(body: bytes, listed_at: int) -> bytes:
    """A stored message with the time at which a poll last listed the alert."""
    return body + timestamp_field(_LISTED, listed_at) if listed_at else body


class Entries:
    """What one transaction does to alerts. `write` must be called at its end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.open: dict[bytes, Entry] = {}
        """Open alerts that were asked for, by key; those that were asked for and are not here are not open."""
        self._changed: dict[int, Entry] = {}
        self._listed: dict[int, int] = {}
        self._events: list[tuple[int, bytes, int, int, bytes]] = []

    def load(self, keys: Iterable[bytes]) -> None:
        """Reads the open alerts with the keys."""
        wanted = iter(set(keys))
        while batch := list(islice(wanted, _BATCH)):
            self._take(self._connection.all(_BY_KEY, (batch,)))

    def load_storage(self, storage_id: bytes) -> None:
        """Reads the open alerts of a storage."""
        self._take(self._connection.all(_OF_STORAGE, (storage_id,)))

    def _take(self, rows: Iterable[Row]) -> None:
        for row in rows:
            entry = _entry(row)
            self.open[entry.key] = entry

    def find(self, id_: bytes) -> Entry | None:
        """The alert with an id, open or not."""
        row = self._connection.one(_BY_ID, (seq_of(id_), id_)) if len(id_) == 16 else None
        return None if row is None else self._changed.get(row[0]) or _entry(row)

    def add(self, key: bytes, message: pb.Alert, *, listed_at: int = 0) -> Entry:
        """A new alert, open; its id is put into the message."""
        storage_id = uuids.parsed(message.storage_id) or _NOBODY
        (seq,) = self._connection.sequence.take(self._connection, 1)
        ((message.id, id_),) = mint(id_prefix(storage_id), [seq])
        entry = Entry(seq, id_, key, message, listed_at=listed_at, new=True)
        self.open[key] = self._changed[seq] = entry
        return entry

    def change(self, entry: Entry) -> None:
        """The entry's message, or its times, are no longer what is stored."""
        self._changed[entry.seq] = entry

    def list_again(self, entry: Entry, at: int) -> None:
        """A poll listed the alert."""
        entry.listed_at = self._listed[entry.seq] = at

    def clear(self, entry: Entry, at: int, origin: pb.AlertOrigin.ValueType, *, by: str = "", note: str = "") -> None:
        """The alert is over."""
        message = entry.message
        message.state = CLEARED
        message.cleared_at.CopyFrom(times.stamp(at) or message.cleared_at)
        message.cleared_origin = origin
        if by:
            message.cleared_by = by
        self.open.pop(entry.key, None)
        self.tell(entry, pb.ALERT_EVENT_TYPE_CLEARED, at, origin, by=by, note=note)

    def tell(
        self,
        entry: Entry,
        event: pb.AlertEventType.ValueType,
        at: int,
        origin: pb.AlertOrigin.ValueType,
        *,
        by: str = "",
        note: str = "",
    ) -> None:
        """Notes what happened, with the alert as it is now."""
        self._changed[entry.seq] = entry
        if event in {pb.ALERT_EVENT_TYPE_RAISED, pb.ALERT_EVENT_TYPE_REPEATED, pb.ALERT_EVENT_TYPE_CHANGED}:
            entry.told_at = at
        head = pb.AlertEvent(type=event, at=times.stamp(at), origin=origin, by=by or None, note=note or None)
        alert = entry.body()
        body = b"".join((head.SerializeToString(), _ALERT, varint(len(alert)), alert))
        self._events.append((entry.seq, entry.storage_id, event, at, body))

    def write(self) -> None:
        """Writes everything; old rows first, since a new one may have the key of one that is over now."""
        changed = self._changed.values()
        self._connection.many(_UPDATE, [self._row(_UPDATE, entry) for entry in changed if not entry.new])
        self._connection.many(_INSERT, [self._row(_INSERT, entry) for entry in changed if entry.new])
        listed = [{"row": seq, "listed": at} for seq, at in self._listed.items() if seq not in self._changed]
        self._connection.many(_LIST_AGAIN, listed)
        self._connection.many(_LOG, [dict(zip(_EVENT, event, strict=True)) for event in self._events])
        if self._events:
            self._connection.signal(TOPIC)

    def _row(self, statement: Statement, entry: Entry) -> Sequence[object]:
        values = _values(entry)
        return [values[name] for name in statement.prepared(self._connection.dialect).names]


def _entry(row: Row) -> Entry:
    seq, key, listed_at, told_at, body = row
    message = pb.Alert.FromString(bytes(body))
    return Entry(seq, uuids.parsed(message.id) or b"", bytes(key), message, listed_at=listed_at, told_at=told_at)


def _values(entry: Entry) -> dict[str, object]:
    message = entry.message
    first_raised_at = times.of_stamp(message.first_raised_at)
    values: dict[str, object] = {name: clean(getattr(message, name)) for name in _TEXTS}
    values |= {name: getattr(message, name) for name in (*_ENUMS, "state", "origin", "count")}
    return values | {
        "seq": entry.seq,
        "row": entry.seq,
        "id": entry.id,
        "storage_id": entry.storage_id,
        "key": entry.key,
        "acknowledged": int(message.acknowledged),
        "first_raised_at": first_raised_at,
        "last_raised_at": entry.last_raised_at,
        "cleared_at": times.of_stamp(message.cleared_at),
        "occurred_at": message.occur_time if message.HasField("occur_time") else first_raised_at // 1000,
        "last_listed_at": entry.listed_at,
        "last_told_at": entry.told_at,
        "body": message.SerializeToString(),
    }


def fill(message: pb.Alert, alert: type_pb.Alert, storage: StorageFacts | None, controller_name: str) -> bool:
    """Puts into an alert what was reported of it; whether the severity or the description is another one now."""
    before = message.severity, message.description
    for name in _REPORTED:
        _copy(alert, message, name, getattr(alert, name)[:MAX_WORDS])
    for name in _ENUMS:
        _copy(alert, message, name, getattr(alert, name))
    message.ClearField("occur_time")
    if alert.HasField("occur_time"):
        message.occur_time = alert.occur_time.seconds * 1000 + alert.occur_time.nanos // 1_000_000
    message.ClearField("native")
    message.native.update(_bounded(alert.native))
    if controller_name:
        message.controller_name = controller_name
    else:
        message.ClearField("controller_name")
    if storage is not None:
        facts = {"storage_name": storage.name, "vendor": storage.vendor, "model": storage.model}
        for name, value in {**facts, "serial_number": storage.serial_number}.items():
            if value:
                setattr(message, name, value)
            else:
                message.ClearField(name)  # type: ignore[arg-type]
        message.ClearField("labels")
        message.labels.update(storage.labels)
    return (message.severity, message.description) != before


def _bounded(native: Mapping[str, str]) -> dict[str, str]:
    """What a driver may say in its own words, and no more."""
    found: dict[str, str] = {}
    room = MAX_NATIVE_BYTES
    for key, value in islice(native.items(), MAX_NATIVE_KEYS):
        room -= len(key.encode()) + len(value.encode())
        if room >= 0:
            found[key] = value
    return found


def _copy(source: Message, target: Message, name: str, value: object) -> None:
    if source.HasField(name):
        setattr(target, name, value)
    else:
        target.ClearField(name)
