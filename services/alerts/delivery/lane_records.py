"""How far each lane is, and how open alerts stand with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, insert, select, update

from delphis.alert.v1 import alert_pb2
from services.alerts.delivery.standing import Standing
from services.alerts.schema.book import alerts
from services.alerts.schema.delivery import receiver_lanes, told_alerts
from services.store.connection import Connection
from services.store.statement import sql, statement

NOTHING_NEEDED = 2**63 - 1

_LANE_COLUMNS = (
    receiver_lanes.c.no,
    receiver_lanes.c.ordinal,
    receiver_lanes.c.position,
    receiver_lanes.c.delivered,
    receiver_lanes.c.dropped,
    receiver_lanes.c.last_success_at,
)
_LANES = statement(
    select(*_LANE_COLUMNS)
    .where(receiver_lanes.c.receiver_id == bindparam("receiver_id"))
    .order_by(receiver_lanes.c.ordinal)
)
_ADD = statement(
    insert(receiver_lanes).values(
        receiver_id=bindparam("receiver_id"), ordinal=bindparam("ordinal"), position=bindparam("position")
    )
)
_LANE_NO = statement(
    select(receiver_lanes.c.no).where(
        receiver_lanes.c.receiver_id == bindparam("receiver_id"), receiver_lanes.c.ordinal == bindparam("ordinal")
    )
)
_REMOVE = statement(delete(receiver_lanes).where(receiver_lanes.c.no == bindparam("no")))
_FORGET_ALL = statement(delete(told_alerts).where(told_alerts.c.lane == bindparam("lane")))
_ADVANCE = statement(
    update(receiver_lanes)
    .where(receiver_lanes.c.no == bindparam("lane_no"))
    .values(
        position=bindparam("new_position"),
        delivered=receiver_lanes.c.delivered + bindparam("more_delivered"),
        dropped=receiver_lanes.c.dropped + bindparam("more_dropped"),
        last_success_at=bindparam("success_at"),
    )
)
_NEEDED = statement(select(func.min(receiver_lanes.c.position)))
_STANDINGS = statement(
    select(told_alerts.c.seq, told_alerts.c.standing, told_alerts.c.identity).where(
        told_alerts.c.lane == bindparam("lane"), told_alerts.c.seq.in_(bindparam("seqs", expanding=True))
    )
)
_PAGE = statement(
    select(told_alerts.c.seq, told_alerts.c.standing, told_alerts.c.identity)
    .where(told_alerts.c.lane == bindparam("lane"), told_alerts.c.seq > bindparam("after"))
    .order_by(told_alerts.c.seq)
    .limit(bindparam("limit"))
)
_WITHHELD = statement(
    select(told_alerts.c.seq, told_alerts.c.standing, told_alerts.c.identity)
    .where(
        told_alerts.c.lane == bindparam("lane"),
        told_alerts.c.seq > bindparam("after"),
        told_alerts.c.standing >= int(Standing.WITHHELD),
    )
    .order_by(told_alerts.c.seq)
    .limit(bindparam("limit"))
)
_FORGET = statement(
    delete(told_alerts).where(told_alerts.c.lane == bindparam("lane"), told_alerts.c.seq == bindparam("seq"))
)
_SET_TEXT = (
    "INSERT INTO told_alerts (lane, seq, standing, identity) VALUES (:lane, :seq, :standing, :identity)"
    " ON CONFLICT (lane, seq) DO UPDATE SET standing = excluded.standing, identity = excluded.identity"
)
_SET = sql(sqlite=_SET_TEXT, postgresql=_SET_TEXT)
_COPY_TEXT = (
    "INSERT INTO told_alerts (lane, seq, standing, identity)"
    " SELECT :lane, seq, standing, identity FROM told_alerts WHERE lane = :source"
)
_COPY = sql(
    sqlite=_COPY_TEXT,
    postgresql=_COPY_TEXT.replace(":lane,", "CAST(:lane AS bigint),"),
)
_OPEN_SEQS = statement(select(alerts.c.seq).where(alerts.c.state == int(alert_pb2.ALERT_STATE_OPEN)))


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of receiver_lanes."""

    no: int
    ordinal: int
    position: int
    delivered: int
    dropped: int
    last_success_at: int


@dataclass(frozen=True, slots=True)
class Told:
    """How an alert stands with a lane."""

    standing: Standing
    identity: bytes = b""


UNTOLD = Told(Standing.UNTOLD)


def lanes_of(connection: Connection, receiver_id: bytes) -> list[Lane]:
    """The lanes of a receiver, in the order of its addresses."""
    return [Lane(*row) for row in connection.all(_LANES, {"receiver_id": receiver_id})]


def fit(connection: Connection, receiver_id: bytes, count: int, last: int, *, open_too: bool) -> None:
    """Makes the receiver have `count` lanes. A new one begins where the first is.

    Args:
        last: Where the first lane of a new receiver begins.
        open_too: It is told of what is open already, as well.
    """
    there = lanes_of(connection, receiver_id)
    for lane in there[count:]:
        _remove(connection, lane.no)
    for ordinal in range(len(there), count):
        position = there[0].position if there else last
        connection.run(_ADD, {"receiver_id": receiver_id, "ordinal": ordinal, "position": position})
        no = connection.value(_LANE_NO, {"receiver_id": receiver_id, "ordinal": ordinal})
        if there:
            connection.run(_COPY, {"lane": no, "source": there[0].no})
        elif open_too:
            withhold_open(connection, no)


def withhold_open(connection: Connection, no: int) -> None:
    """Has the lane told of every open alert, as if a silence had kept them from it until now."""
    known = {row[0] for row in connection.all(_PAGE, {"lane": no, "after": -1, "limit": NOTHING_NEEDED})}
    rows = [(no, seq, int(Standing.WITHHELD), b"") for (seq,) in connection.all(_OPEN_SEQS) if seq not in known]
    connection.many(_SET, rows)


def remove_all(connection: Connection, receiver_id: bytes) -> None:
    """Removes all lanes of a receiver."""
    for lane in lanes_of(connection, receiver_id):
        _remove(connection, lane.no)


def standings(connection: Connection, lane: int, seqs: Sequence[int]) -> dict[int, Told]:
    """How alerts stand with a lane; those that were not told are left out."""
    found = connection.all(_STANDINGS, {"lane": lane, "seqs": list(seqs)})
    return {seq: Told(Standing(standing), bytes(identity)) for seq, standing, identity in found}


def page(
    connection: Connection, lane: int, after: int, limit: int, *, withheld: bool = False
) -> list[tuple[int, Told]]:
    """The alerts that stand somehow with a lane, or only those of which it is to be told yet, by number."""
    rows = connection.all(_WITHHELD if withheld else _PAGE, {"lane": lane, "after": after, "limit": limit})
    return [(seq, Told(Standing(standing), bytes(identity))) for seq, standing, identity in rows]


def advance(
    connection: Connection,
    lane: int,
    position: int,
    changes: Mapping[int, Told],
    *,
    delivered: int,
    dropped: int,
    success_at: int,
) -> bool:
    """Keeps how far the lane is now, and how alerts stand with it. False: there is no such lane any more."""
    parameters = {
        "lane_no": lane,
        "new_position": position,
        "more_delivered": delivered,
        "more_dropped": dropped,
        "success_at": success_at,
    }
    if not connection.run(_ADVANCE, parameters):
        return False
    kept = [(seq, told) for seq, told in changes.items() if told.standing != Standing.UNTOLD]
    connection.many(_SET, [(lane, seq, int(told.standing), told.identity) for seq, told in kept])
    forget(connection, lane, [seq for seq, told in changes.items() if told.standing == Standing.UNTOLD])
    return True


def forget(connection: Connection, lane: int, seqs: Iterable[int]) -> None:
    """The alerts stand no more with the lane."""
    connection.many(_FORGET, [(lane, seq) for seq in seqs])


def needed_from(connection: Connection) -> int:
    """Events after this position are still to be told to some receiver: they must be kept.

    A receiver that is away, or paused, gives up what is older than its `max_age`, so this does not stand still.
    """
    position = connection.value(_NEEDED)
    return NOTHING_NEEDED if position is None else position


def _remove(connection: Connection, no: int) -> None:
    connection.run(_FORGET_ALL, {"lane": no})
    connection.run(_REMOVE, {"no": no})
