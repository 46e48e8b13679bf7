"""Reading the log of events, and alerts as they are now, for receivers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, func, select

from delphis.alert.v1 import alert_pb2
from services.alerts.delivery.message import LoggedEvent
from services.alerts.schema.book import alert_events, alerts
from services.store.connection import Connection, Row
from services.store.statement import statement

MAX_BACKLOG = 1_000_000
MAX_POSITION = 2**63 - 1

_AFTER = statement(
    select(alert_events.c.position, alert_events.c.alert_seq, alert_events.c.at, alert_events.c.body)
    .where(alert_events.c.position > bindparam("position"))
    .order_by(alert_events.c.position)
    .limit(bindparam("limit"))
)
_COUNT = statement(
    select(func.count()).select_from(
        select(alert_events.c.position)
        .where(alert_events.c.position > bindparam("position"), alert_events.c.position <= bindparam("until"))
        .limit(bindparam("limit"))
        .subquery()
    )
)
_OLDEST = statement(
    select(alert_events.c.at)
    .where(alert_events.c.position > bindparam("position"))
    .order_by(alert_events.c.position)
    .limit(1)
)
_OPEN = statement(
    select(alerts.c.seq, alerts.c.body).where(
        alerts.c.seq.in_(bindparam("seqs", expanding=True)), alerts.c.state == alert_pb2.ALERT_STATE_OPEN
    )
)
_EVENTS_OF = statement(
    select(alert_events.c.alert_seq, func.max(alert_events.c.position), func.max(alert_events.c.at))
    .where(alert_events.c.alert_seq.in_(bindparam("seqs", expanding=True)))
    .group_by(alert_events.c.alert_seq)
)


class EventLog:
    """Events by position. What several receivers read is parsed, and becomes JSON, once."""

    def __init__(self, kept: int = 2_000) -> None:
        self._kept: OrderedDict[int, LoggedEvent] = OrderedDict()
        self._limit = kept

    def parsed(self, rows: Sequence[Row]) -> list[LoggedEvent]:
        """The events of rows that `rows_after` gave. For one thread."""
        return [self._event(*row) for row in rows]

    def _event(self, position: int, seq: int, at: int, body: bytes) -> LoggedEvent:
        found = self._kept.get(position)
        if found is None:
            event = alert_pb2.AlertEvent.FromString(body)
            event.position = position
            found = self._kept[position] = LoggedEvent(position, seq, at, event)
            if len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        return found


def rows_after(connection: Connection, position: int, limit: int) -> list[Row]:
    """Rows of the events after a position, in order."""
    return connection.all(_AFTER, {"position": position, "limit": limit})


def backlogs(connection: Connection, positions: Iterable[int]) -> dict[int, int]:
    """How many events there are after each position, counted to a million. The log is gone through once."""
    counts: dict[int, int] = {}
    until, counted = MAX_POSITION, 0
    for position in sorted(set(positions), reverse=True):
        if counted < MAX_BACKLOG:
            parameters = {"position": position, "until": until, "limit": MAX_BACKLOG - counted}
            counted += connection.value(_COUNT, parameters)
        counts[position] = counted
        until = position
    return counts


def oldest_after(connection: Connection, position: int) -> int:
    """When the first event after a position happened; 0: there is none."""
    return connection.value(_OLDEST, {"position": position}) or 0


def open_alerts(connection: Connection, seqs: Sequence[int]) -> dict[int, alert_pb2.Alert]:
    """Those of the alerts that are open, as they are now."""
    found = connection.all(_OPEN, {"seqs": list(seqs)})
    return {seq: alert_pb2.Alert.FromString(body) for seq, body in found}


def newest_events(connection: Connection, seqs: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Position and time of the newest event of each alert."""
    return {seq: (position, at) for seq, position, at in connection.all(_EVENTS_OF, {"seqs": list(seqs)})}
