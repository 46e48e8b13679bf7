"""Forgetting alerts that are over, and repeats of those that are not, in pieces that hold nobody up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy import text as sql_text

from delphis.alert.v1 import alert_pb2 as pb
from services.alerts.book import settings
from services.alerts.schema.book import alert_events, alert_labels, alert_log, alert_storages, alerts
from services.store.connection import Connection
from services.store.engine import Store
from services.store.statement import sql, statement
from services.values import times

CHUNK = 200
"""Alerts, or events, that one piece removes."""
_EVERYTHING = 2**63 - 1

_event = alert_events.c
_STATE_CLEARED = sql_text("state = 3")
_CLEARED = statement(select(func.count()).select_from(alerts).where(_STATE_CLEARED))
_OLD = statement(
    select(alerts.c.seq)
    .where(_STATE_CLEARED, alerts.c.cleared_at <= bindparam("cut"))
    .order_by(alerts.c.cleared_at, alerts.c.seq)
    .limit(bindparam("count"))
)
_LAST_OF = statement(
    select(_event.position).where(_event.alert_seq == bindparam("alert_seq")).order_by(_event.position.desc()).limit(1)
)
_DELETE_EVENTS = statement(delete(alert_events).where(_event.alert_seq.in_(bindparam("seqs", expanding=True))))
_DELETE = statement(delete(alerts).where(alerts.c.seq.in_(bindparam("seqs", expanding=True))))
_SWEEP = statement(
    select(_event.position, _event.at, _event.type)
    .where(_event.position > bindparam("position"))
    .order_by(_event.position)
    .limit(CHUNK)
)
_DELETE_SWEPT = statement(delete(alert_events).where(_event.position.in_(bindparam("positions", expanding=True))))
_SWEPT = statement(select(alert_log.c.swept).where(alert_log.c.no == 1))
_FORGET_TEXT = (
    "INSERT INTO alert_log (no, forgotten, swept) VALUES (1, :forgotten, :swept) ON CONFLICT (no) DO UPDATE SET"
    " forgotten = CASE WHEN excluded.forgotten > alert_log.forgotten THEN excluded.forgotten"
    " ELSE alert_log.forgotten END,"
    " swept = CASE WHEN excluded.swept > alert_log.swept THEN excluded.swept ELSE alert_log.swept END"
)
_FORGET = sql(sqlite=_FORGET_TEXT, postgresql=_FORGET_TEXT)
_STRANGERS = (
    select(alert_storages.c.storage_id)
    .where(
        ~select(alerts.c.seq)
        .where(
            sql_text("alerts.state IN (2, 3)"),
            alerts.c.storage_id == alert_storages.c.storage_id,
        )
        .exists()
    )
    .limit(CHUNK)
)
_NO_LONGER_NAMED = statement(_STRANGERS)
_DELETE_LABELS = statement(delete(alert_labels).where(alert_labels.c.storage_id.in_(bindparam("ids", expanding=True))))
_DELETE_FACTS = statement(
    delete(alert_storages).where(alert_storages.c.storage_id.in_(bindparam("ids", expanding=True)))
)


Needed = Callable[[Connection], int]
"""The position after which events must be kept, whatever the settings say: somebody has not been told of them yet."""


async def forget(store: Store, *, at: int | None = None, needed: Needed = lambda connection: _EVERYTHING) -> int:
    """Removes what is too old or too much, as the settings say; how many alerts. To be called now and then."""
    now = at or times.now()

    def look(connection: Connection) -> tuple[int, int]:
        wanted = settings.read(connection)
        return now - wanted.retention.ToMicroseconds(), connection.value(_CLEARED) - wanted.max_cleared

    old, surplus = await store.scan(look)
    count = 0
    while removed := await store.write(partial(_remove_some, cut=old, most=CHUNK, needed=needed), bulk=True):
        count += removed
    while (most := min(CHUNK, surplus - count)) > 0:
        removed = await store.write(partial(_remove_some, cut=now, most=most, needed=needed), bulk=True)
        if not removed:
            break
        count += removed
    while await store.write(partial(_sweep_some, old=old, needed=needed), bulk=True):
        pass
    if count:
        while await store.write(_remove_facts, bulk=True):
            pass
    return count


def _remove_some(connection: Connection, cut: int, most: int, needed: Needed) -> int:
    """Removes those that were cleared first, and not after `cut`."""
    limit = needed(connection)
    lasts = {row[0]: connection.value(_LAST_OF, (row[0],)) or 0 for row in connection.all(_OLD, (cut, most))}
    seqs = [seq for seq, position in lasts.items() if position <= limit]
    if seqs:
        last = max(lasts[seq] for seq in seqs)
        connection.run(_DELETE_EVENTS, (seqs,))
        connection.run(_DELETE, (seqs,))
        connection.run(_FORGET, {"forgotten": last, "swept": 0})
    return len(seqs)


def _sweep_some(connection: Connection, old: int, needed: Needed) -> bool:
    """Removes repeats from before `old`, one piece further than last time; whether there may be more."""
    begin = connection.value(_SWEPT) or 0
    limit = needed(connection)
    rows = [row for row in connection.all(_SWEEP, (begin,)) if row[1] < old and row[0] <= limit]
    if not rows:
        return False
    repeats = [row[0] for row in rows if row[2] == pb.ALERT_EVENT_TYPE_REPEATED]
    connection.run(_DELETE_SWEPT, (repeats,))
    connection.run(_FORGET, {"forgotten": max(repeats, default=0), "swept": rows[-1][0]})
    return len(rows) == CHUNK


def _remove_facts(connection: Connection) -> int:
    ids = [row[0] for row in connection.all(_NO_LONGER_NAMED)]
    connection.run(_DELETE_LABELS, (ids,))
    connection.run(_DELETE_FACTS, (ids,))
    return len(ids)
