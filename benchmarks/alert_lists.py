"""Lists of 1,000,000 alerts of 200 arrays, over REST: the filters that docs/alerts.md calls quick, and others."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.lists import milliseconds
from benchmarks.measure import Row
from services.alerts.book.reporting import report
from services.alerts.book.reports import Report
from services.alerts.schema import SCHEMA
from services.alerts.schema.book import alerts
from services.store.connection import Connection
from services.store.engine import Store
from tests.alerts.api.rows import some_reports, storage
from tests.support.up import up

ALERTS = 1_000_000
MADE = 10_000
STORAGES = 200
PAGE = 100


def fill(connection: Connection) -> None:
    """Some by the book, the others as copies with numbers, keys and times of their own; nine of ten are cleared."""
    made = some_reports(MADE, STORAGES, random.Random(3))
    report(connection, made)
    over = [one for place, one in enumerate(made) if place % 10]
    report(connection, [Report(one.storage, one.alert, one.origin, one.at + 1_000_000, cleared=True) for one in over])
    differing = {
        "seq": "seq + :shift * :span",
        "id": "randomblob(16)",
        "key": "randomblob(16)",
        "last_raised_at": "last_raised_at + :shift * 7000003",
        "cleared_at": "CASE cleared_at WHEN 0 THEN 0 ELSE cleared_at + :shift * 7000003 END",
    }
    names = [column.name for column in alerts.columns]
    taken = ", ".join(differing.get(name, name) for name in names)
    copy = f"INSERT INTO alerts ({', '.join(names)}) SELECT {taken} FROM alerts WHERE seq <= :last"
    first, last = connection.execute("SELECT min(seq), max(seq) FROM alerts").fetchone()
    for shift in range(1, ALERTS // MADE):
        connection.execute(copy, {"shift": shift, "span": last - first + 1, "last": last})


async def filled(file: Path) -> None:
    """A database with all of them."""
    opened = Store.open(f"sqlite:///{file}", SCHEMA)
    await opened.write(fill, bulk=True)
    await opened.close()


def run(folder: Path) -> Iterator[Row]:
    """The rows."""
    data = folder / "data"
    data.mkdir(parents=True, mode=0o700)
    began = time.monotonic()
    asyncio.run(filled(data / "alerts.db"))
    yield Row(f"{ALERTS:,} alerts made in", time.monotonic() - began, "s")
    one = storage(7).id
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(up(folder))
        for words in (
            "",
            "state=open",
            "state=cleared",
            "severity=critical",
            "state=open&severity=critical",
            f"storage_id={one}",
            f"storage_id={one}&state=open",
            "vendor=Bolt",
            "alert_id=0x2&state=open",
            "labels.site=b7",
            f"storage_id={one}&severity=critical&acknowledged=false",
            "vendor=Bolt&severity=critical&state=open",
            f"storage_id={one}&alert_name=Nothing",
        ):
            path = f"/v1/alerts?limit={PAGE}" + (f"&{words}" if words else "")
            reply = running.ask("GET", path)
            assert reply.status == 200, (path, reply)
            spent = milliseconds(lambda path=path: running.ask("GET", path))  # type: ignore[misc]
            yield Row(f"  {PAGE} of 1,000,000 alerts: {words or 'newest'}", spent, "ms", goal="< 50")
