"""What is reported once: traps, and what Delphis itself notices.

Reports of an array are taken in the order in which they came: clocks of arrays are not to be trusted, so a recovery is
one, however old the array says it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from delphis.alert.v1 import alert_pb2 as pb
from services.alerts.book.entries import OPEN, TELL_AFTER, Entries, Entry, fill
from services.alerts.book.facts import keep_facts
from services.alerts.book.reports import Report, match_key_of
from services.store.connection import Connection
from services.values import times


@dataclass(slots=True)
class Outcome:
    """What came of reports, each of which is counted once."""

    raised: int = 0
    repeated: int = 0
    """Without those that are `changed`."""
    changed: int = 0
    """Repeated with another severity or description."""
    cleared: int = 0
    without_alert: int = 0
    """Said that something is over that was not open: nothing is changed."""


def report(connection: Connection, reports: Sequence[Report]) -> Outcome:
    """Raises, repeats and clears alerts, in the order of the reports."""
    entries, outcome = Entries(connection), Outcome()
    keys = [one.key for one in reports]
    entries.load(keys)
    for one, key in zip(reports, keys, strict=True):
        entry = entries.open.get(key)
        if one.over:
            if entry is None:
                outcome.without_alert += 1
            else:
                entries.clear(entry, one.at, one.origin)
                outcome.cleared += 1
        elif entry is None:
            _raise(entries, one, key)
            outcome.raised += 1
        elif _repeat(entries, entry, one):
            outcome.changed += 1
        else:
            outcome.repeated += 1
    keep_facts(connection, [one.storage for one in reports if one.storage is not None])
    entries.write()
    return outcome


def _raise(entries: Entries, report: Report, key: bytes) -> None:
    message = new_alert(report)
    fill(message, report.alert, report.storage, report.controller_name)
    message.count = 1
    entry = entries.add(key, message)
    entries.tell(entry, pb.ALERT_EVENT_TYPE_RAISED, report.at, report.origin)


def new_alert(report: Report) -> pb.Alert:
    """An alert that the report raises, without what was reported."""
    at = times.stamp(report.at)
    return pb.Alert(
        storage_id=report.storage.id if report.storage is not None else "",
        state=OPEN,
        match_key=match_key_of(report.alert),
        origin=report.origin,
        first_raised_at=at,
        last_raised_at=at,
    )


def _repeat(entries: Entries, entry: Entry, report: Report) -> bool:
    message = entry.message
    severity = message.severity
    changed = fill(message, report.alert, report.storage, report.controller_name)
    message.count += 1
    if report.at > entry.last_raised_at:
        message.last_raised_at.CopyFrom(times.stamp(report.at) or message.last_raised_at)
    # A storm must not bury what else happens: how bad it is is told at once, the rest by the second.
    if message.severity != severity or report.at - entry.told_at >= TELL_AFTER:
        event = pb.ALERT_EVENT_TYPE_CHANGED if changed else pb.ALERT_EVENT_TYPE_REPEATED
        entries.tell(entry, event, report.at, report.origin)
    else:
        entries.change(entry)
    return changed
