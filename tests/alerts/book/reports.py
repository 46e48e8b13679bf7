"""Reports for tests, and what the book has."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from delphis.alert.v1 import alert_pb2 as pb
from delphis.type.v1 import alert_pb2 as type_pb
from services.alerts.book import events
from services.alerts.book.reports import Report, StorageFacts
from services.alerts.schema.book import alerts
from services.store.connection import Connection
from services.store.statement import statement

T0 = 1_790_000_000_000_000
SECOND = 1_000_000
TRAP, POLL, OWN = pb.ALERT_ORIGIN_TRAP, pb.ALERT_ORIGIN_POLL, pb.ALERT_ORIGIN_DELPHIS

_ALL = statement(select(alerts.c.body, alerts.c.last_listed_at).order_by(alerts.c.seq))


def storage(number: int = 1, **labels: str) -> StorageFacts:
    """One of the storages of tests."""
    return StorageFacts(
        f"00000000-0000-4000-8000-{number:012d}", f"array-{number}", "ACME", f"Box {number}", f"S{number}", labels
    )


def alert(key: str = "k", severity: str = "MAJOR", **fields: Any) -> type_pb.Alert:
    """What a driver says."""
    return type_pb.Alert(
        match_key=key, alert_id=f"id-{key}", severity=type_pb.Severity.Value(f"SEVERITY_{severity}"), **fields
    )


def trap(
    key: str = "k", severity: str = "MAJOR", *, at: int = T0, of: int = 1, cleared: bool = False, **fields: Any
) -> Report:
    """A trap of an array."""
    return Report(storage(of), alert(key, severity, **fields), TRAP, at, cleared=cleared)


def own(key: str, *, at: int = T0, of: int = 1, cleared: bool = False) -> Report:
    """Something that Delphis noticed about an array."""
    return Report(storage(of), alert(key), OWN, at, cleared=cleared)


def all_alerts(connection: Connection) -> list[pb.Alert]:
    """All alerts, in the order in which they were raised."""
    found = []
    for body, listed_at in connection.all(_ALL):
        message = pb.Alert.FromString(bytes(body))
        if listed_at:
            message.last_listed_at.FromMicroseconds(listed_at)
        found.append(message)
    return found


def all_events(connection: Connection) -> list[pb.AlertEvent]:
    """All events, in order."""
    return [pb.AlertEvent.FromString(row.message()) for row in events.after(connection, 0, 100_000)]
