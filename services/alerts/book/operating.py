"""What operators do to alerts, and what the end of a storage does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from delphis.alert.v1 import alert_pb2 as pb
from services.alerts.book.entries import OPEN, Entries, Entry
from services.calls.errors import CallError
from services.store.connection import Connection
from services.values import times, uuids


class Operation(Protocol):
    """Does something to alerts, and says which it changed: serialised alerts."""

    def __call__(self, connection: Connection, ids: Iterable[str], *, by: str, note: str, at: int) -> list[bytes]:
        """`by` is the caller's name, `at` now."""
        ...


_OPERATOR = pb.ALERT_ORIGIN_OPERATOR
REMOVED = "The storage was removed."


def not_found(id_: str) -> CallError:
    """No alert has the id."""
    return CallError(
        "ALERT_NOT_FOUND",
        f"No alert {id_[:80]} is known; cleared ones are kept for a time. List the alerts.",
        metadata={"alert_id": id_[:80]},
    )


def acknowledge(connection: Connection, ids: Iterable[str], *, by: str, note: str, at: int) -> list[bytes]:
    """Somebody looks after the alerts; those that changed, serialised. ALERT_NOT_FOUND, and nothing is changed."""

    def act(entries: Entries, entry: Entry) -> bool:
        message = entry.message
        if message.state != OPEN or message.acknowledged:
            return False
        message.acknowledged = True
        message.acknowledged_at.CopyFrom(times.stamp(at) or message.acknowledged_at)
        message.acknowledged_by = by
        if note:
            message.note = note
        else:
            message.ClearField("note")
        entries.tell(entry, pb.ALERT_EVENT_TYPE_ACKNOWLEDGED, at, _OPERATOR, by=by, note=note)
        return True

    return _each(connection, ids, act)


def unacknowledge(connection: Connection, ids: Iterable[str], *, by: str, note: str, at: int) -> list[bytes]:
    """Takes acknowledgements back, of alerts that are over, too."""

    def act(entries: Entries, entry: Entry) -> bool:
        message = entry.message
        if not message.acknowledged:
            return False
        message.acknowledged = False
        message.ClearField("acknowledged_at")
        message.ClearField("acknowledged_by")
        message.ClearField("note")
        entries.tell(entry, pb.ALERT_EVENT_TYPE_UNACKNOWLEDGED, at, _OPERATOR, by=by, note=note)
        return True

    return _each(connection, ids, act)


def clear(connection: Connection, ids: Iterable[str], *, by: str, note: str, at: int) -> list[bytes]:
    """Clears alerts here."""

    def act(entries: Entries, entry: Entry) -> bool:
        if entry.message.state != OPEN:
            return False
        entries.clear(entry, at, _OPERATOR, by=by, note=note)
        return True

    return _each(connection, ids, act)


def clear_sequence_number(connection: Connection, storage_id: str, sequence_number: str, *, by: str, at: int) -> int:
    """Clears all open alerts of the array that have the sequence number; how many."""

    def meant(entry: Entry) -> bool:
        return not entry.own and entry.message.sequence_number == sequence_number

    return _clear_of(connection, storage_id, meant, at, _OPERATOR, by=by)


def end_storage(connection: Connection, storage_id: str, *, at: int) -> int:
    """The storage is removed: nobody will ever say that its alerts are over. How many were open."""
    return _clear_of(connection, storage_id, lambda _: True, at, pb.ALERT_ORIGIN_DELPHIS, note=REMOVED)


def _clear_of(
    connection: Connection,
    storage_id: str,
    meant: Callable[[Entry], bool],
    at: int,
    origin: pb.AlertOrigin.ValueType,
    *,
    by: str = "",
    note: str = "",
) -> int:
    entries = Entries(connection)
    entries.load_storage(uuids.parsed(storage_id) or b"?")
    found = [entry for entry in entries.open.values() if meant(entry)]
    for entry in found:
        entries.clear(entry, at, origin, by=by, note=note)
    entries.write()
    return len(found)


def _each(connection: Connection, ids: Iterable[str], act: Callable[[Entries, Entry], bool]) -> list[bytes]:
    entries = Entries(connection)
    found: Sequence[Entry] = [_known(entries, id_) for id_ in dict.fromkeys(ids)]
    changed = [entry for entry in found if act(entries, entry)]
    entries.write()
    return [entry.body() for entry in changed]


def _known(entries: Entries, id_: str) -> Entry:
    entry = entries.find(uuids.parsed(id_) or b"")
    if entry is None:
        raise not_found(id_)
    return entry
