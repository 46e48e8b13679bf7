"""What a poll listed, and what it no longer lists.

A poll's answer is as old as its beginning. What was raised, or cleared, since then is not touched by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy import text as sql_text

from delphis.alert.v1 import alert_pb2 as pb
from delphis.type.v1 import alert_pb2 as type_pb
from services.alerts.book.entries import Entries, Entry, fill
from services.alerts.book.facts import keep_facts
from services.alerts.book.reporting import new_alert
from services.alerts.book.reports import Report, StorageFacts, is_over
from services.alerts.schema.book import alerts
from services.store.connection import Connection
from services.store.statement import statement

_POLL = pb.ALERT_ORIGIN_POLL
_CLEARED_SINCE = statement(
    select(alerts.c.key).where(
        sql_text("state = 3"),
        alerts.c.cleared_at >= bindparam("began_at"),
        alerts.c.storage_id == bindparam("storage_id"),
    )
)


@dataclass(slots=True)
class Listed:
    """What came of a poll."""

    listed: int = 0
    """Different alerts in the answer."""
    raised: int = 0
    changed: int = 0
    cleared: int = 0


def listed(
    connection: Connection,
    storage: StorageFacts,
    answer: Iterable[type_pb.Alert],
    *,
    began_at: int,
    at: int,
    complete: bool,
    lists_all: bool = False,
) -> Listed:
    """Takes the answer of a poll.

    Args:
        connection: The writing connection.
        storage: The array.
        answer: The alerts that it listed.
        began_at: When the poll began.
        at: Now.
        complete: The answer has all alerts that are open on the array: it ended well and was asked for no times. Only
            then is anything cleared.
        lists_all: The array lists whatever it sends traps for (`Capabilities.lists_all_alerts`): what it does not list
            is over even if no poll ever listed it.
    """
    entries, outcome = Entries(connection), Listed()
    storage_id = storage.id_bytes
    entries.load_storage(storage_id)
    late: frozenset[bytes] | None = None
    seen: set[bytes] = set()
    for alert in answer:
        report = Report(storage, alert, _POLL, at)
        key = report.key
        if key in seen:
            continue
        entry = entries.open.get(key)
        if is_over(alert):
            if entry is not None and entry.last_raised_at < began_at:
                entries.clear(entry, at, _POLL)
                outcome.cleared += 1
            continue
        seen.add(key)
        if entry is not None:
            outcome.changed += _refresh(entries, entry, report)
            continue
        if late is None:
            late = frozenset(bytes(row[0]) for row in connection.all(_CLEARED_SINCE, (began_at, storage_id)))
        if key not in late:
            _raise(entries, report, key)
            outcome.raised += 1
    outcome.listed = len(seen)
    if complete:
        for entry in [entry for key, entry in entries.open.items() if key not in seen]:
            if _is_over(entry, began_at, lists_all=lists_all):
                entries.clear(entry, at, _POLL)
                outcome.cleared += 1
    keep_facts(connection, [storage])
    entries.write()
    return outcome


def _is_over(entry: Entry, began_at: int, *, lists_all: bool) -> bool:
    """Whether an alert that a complete answer lacks is over."""
    if entry.own or entry.last_raised_at >= began_at:
        return False
    return lists_all or entry.listed_at > 0


def _raise(entries: Entries, report: Report, key: bytes) -> None:
    message = new_alert(report)
    fill(message, report.alert, report.storage, "")
    entry = entries.add(key, message, listed_at=report.at)
    entries.tell(entry, pb.ALERT_EVENT_TYPE_RAISED, report.at, _POLL)


def _refresh(entries: Entries, entry: Entry, report: Report) -> bool:
    """Notes that the alert was listed; whether it is another one now."""
    entries.list_again(entry, report.at)
    message = entry.message
    before = message.SerializeToString(deterministic=True)
    # Which controller sent the trap is more than a list says.
    if fill(message, report.alert, report.storage, message.controller_name):
        entries.tell(entry, pb.ALERT_EVENT_TYPE_CHANGED, report.at, _POLL)
        return True
    if message.SerializeToString(deterministic=True) != before:
        entries.change(entry)
    return False
