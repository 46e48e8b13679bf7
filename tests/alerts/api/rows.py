"""Alerts of all sorts in a store, and what the tests of lists ask of it."""

from __future__ import annotations

import random

from delphis.alert.v1 import alert_pb2 as pb
from delphis.type.v1 import alert_pb2 as type_pb
from services.alerts.book.operating import acknowledge, clear
from services.alerts.book.reconciling import listed
from services.alerts.book.reporting import report
from services.alerts.book.reports import Report, StorageFacts
from services.store.connection import Connection
from tests.alerts.book.reports import OWN, SECOND, T0, TRAP

VENDORS = ("ACME", "Bolt", "")
SITES: tuple[dict[str, str], ...] = ({"site": "b7", "env": "prod"}, {"site": "b9"}, {"env": ""}, {})
SEVERITIES = tuple(type_pb.Severity.values())


def storage(number: int) -> StorageFacts:
    """One of many, in turn of each vendor and each site."""
    return StorageFacts(
        f"00000000-0000-4000-8000-{number:012d}",
        f"array-{number}",
        VENDORS[number % len(VENDORS)],
        f"Box {number % 2}",
        f"S{number}",
        SITES[number % len(SITES)],
    )


def some_reports(count: int, storages: int, dice: random.Random) -> list[Report]:
    """Reports of many alerts, with few different values in each field."""
    found = []
    for number in range(count):
        where = storage(dice.randrange(storages)) if number % 10 else None
        said = type_pb.Alert(
            match_key=f"k{number}",
            alert_id=dice.choice(["0x1", "0x2", "a*b", "\0x"]),
            alert_name=dice.choice(["Fan failed", "Disk failed", "ä"]),
            severity=dice.choice(SEVERITIES),
            category=dice.choice([type_pb.ALERT_CATEGORY_FAULT, type_pb.ALERT_CATEGORY_EVENT]),
            resource_type=dice.choice(["disk", "port", ""]),
            sequence_number=str(number % 7),
        )
        found.append(Report(where, said, OWN if where is None else TRAP, T0 + dice.randrange(50) * SECOND))
    return found


def fill_some(connection: Connection, count: int = 300, storages: int = 8) -> None:
    """Open ones, cleared ones, repeated ones, acknowledged ones, some of polls."""
    dice = random.Random(7)
    reports = some_reports(count, storages, dice)
    report(connection, [*reports, *dice.sample(reports, count // 5)])
    answer = [type_pb.Alert(match_key=f"p{number}", alert_id="0x3") for number in range(20)]
    listed(connection, storage(1), answer, began_at=T0, at=T0 + 70 * SECOND, complete=False)
    over = [Report(one.storage, one.alert, one.origin, T0 + 60 * SECOND, cleared=True) for one in reports[::3]]
    report(connection, over)
    ids = _ids(connection)
    acknowledge(connection, ids[::4], by="ops", note="", at=T0 + 61 * SECOND)
    clear(connection, ids[1::9], by="ops", note="", at=T0 + 62 * SECOND)


def _ids(connection: Connection) -> list[str]:
    rows = connection.execute("SELECT body FROM alerts ORDER BY seq").fetchall()
    return [pb.Alert.FromString(bytes(row[0])).id for row in rows]
