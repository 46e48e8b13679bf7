"""Traps in the store: those that wait for the driver of their array, and those that became no alert."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy import text as sql_text

from delphis.alert.v1 import trap_pb2
from delphis.type.v1 import alert_pb2
from services.alerts.schema.traps import engine_clocks, spool_reads, traps
from services.snmp import EngineClock
from services.store.columns import clean
from services.store.connection import Connection
from services.store.statement import sql, statement
from services.values import times, uuids

WAITING = trap_pb2.TRAP_STATE_WAITING

_NAMES = (
    *("seq", "state", "source_address", "received_at", "storage_id", "candidates", "asked", "problem", "size", "trap"),
)
COLUMNS = tuple(traps.c[name] for name in _NAMES)
_INSERT = statement(insert(traps).values({name: bindparam(name) for name in _NAMES}))
_WAITS = (traps.c.storage_id == bindparam("storage_id"), traps.c.state == WAITING)
_NEXT = statement(
    select(traps.c.seq, traps.c.received_at, traps.c.candidates, traps.c.asked, traps.c.size, traps.c.trap)
    .where(*_WAITS)
    .order_by(traps.c.seq)
    .limit(bindparam("count"))
)
_COUNTS = statement(
    select(traps.c.storage_id, func.count()).where(traps.c.state == WAITING).group_by(traps.c.storage_id)
)
_REMOVE = statement(delete(traps).where(traps.c.seq.in_(bindparam("seqs", expanding=True))))
_KEEP = statement(
    update(traps)
    .where(traps.c.seq == bindparam("key"))
    .values(state=bindparam("state"), storage_id=bindparam("storage_id"), problem=bindparam("problem"))
)
_MOVE = statement(
    update(traps)
    .where(traps.c.seq == bindparam("key"))
    .values(storage_id=bindparam("storage_id"), asked=bindparam("asked"))
)
_RELEASE = statement(
    update(traps).where(*_WAITS).values(state=trap_pb2.TRAP_STATE_UNMATCHED, problem=bindparam("problem"))
)
_EXCESS = (
    "DELETE FROM traps WHERE state > 2 AND seq <= "
    "(SELECT seq FROM traps WHERE state > 2 ORDER BY seq DESC LIMIT 1 OFFSET :keep)"
)
_TRIM = sql(sqlite=_EXCESS, postgresql=_EXCESS)
_OLD_WAITING = (
    "DELETE FROM traps WHERE seq IN (SELECT seq FROM traps WHERE storage_id = :storage_id AND state = 2 "
    "ORDER BY seq LIMIT :count)"
)
_DROP_FIRST = sql(sqlite=_OLD_WAITING, postgresql=_OLD_WAITING)
_DROP_OLD = statement(
    delete(traps).where(traps.c.state == WAITING, traps.c.seq < bindparam("seq")),
)
_POSITION = statement(select(spool_reads.c.position).where(spool_reads.c.spool == bindparam("spool")))
_PUT_POSITION_TEXT = (
    "INSERT INTO spool_reads (spool, position) VALUES (:spool, :position) "
    "ON CONFLICT (spool) DO UPDATE SET position = excluded.position"
)
_PUT_POSITION = sql(sqlite=_PUT_POSITION_TEXT, postgresql=_PUT_POSITION_TEXT)
_PUT_CLOCK_TEXT = (
    "INSERT INTO engine_clocks (engine_id, owner, boots, time, received_at) "
    "VALUES (:engine_id, :owner, :boots, :time, :received_at) ON CONFLICT (engine_id, owner) DO UPDATE SET "
    "boots = excluded.boots, time = excluded.time, received_at = excluded.received_at"
)
_PUT_CLOCK = sql(sqlite=_PUT_CLOCK_TEXT, postgresql=_PUT_CLOCK_TEXT)
_CLOCKS = statement(select(*engine_clocks.c).order_by(sql_text("received_at")))


class NewTrap(NamedTuple):
    """A trap as it comes from the intake. Times are microseconds."""

    state: int
    source_address: str
    received_at: int
    size: int
    trap: bytes
    """Serialised; empty where it could not be read."""
    storage_id: str = ""
    candidates: tuple[str, ...] = ()
    problem: str = ""


class WaitingTrap(NamedTuple):
    """A trap that its driver is to be asked about."""

    seq: int
    received_at: int
    candidates: tuple[str, ...]
    """All arrays that are possible; none: it is surely the array's that it waits for."""
    asked: int
    size: int
    trap: alert_pb2.Trap


class Kept(NamedTuple):
    """What becomes of a trap that made no alert."""

    seq: int
    state: int
    storage_id: str
    problem: str


def add(connection: Connection, found: Sequence[NewTrap]) -> None:
    """Adds traps in their order."""
    numbers = connection.sequence.take(connection, len(found))
    rows = [
        (
            *(seq, trap.state, clean(trap.source_address), trap.received_at, _id(trap.storage_id)),
            *(b"".join(map(_id, trap.candidates)), 0, clean(trap.problem), trap.size, trap.trap),
        )
        for seq, trap in zip(numbers, found, strict=True)
    ]
    connection.many(_INSERT, [dict(zip(_NAMES, row, strict=True)) for row in rows])


def waiting(connection: Connection, storage_id: str, count: int) -> list[WaitingTrap]:
    """The first traps that wait for an array's driver."""
    return [
        WaitingTrap(seq, at, ids(bytes(candidates)), asked, size, alert_pb2.Trap.FromString(bytes(trap)))
        for seq, at, candidates, asked, size, trap in connection.all(
            _NEXT, {"storage_id": _id(storage_id), "count": count}
        )
    ]


def counts(connection: Connection) -> dict[str, int]:
    """How many traps wait, by array."""
    return {uuids.text(storage_id): count for storage_id, count in connection.all(_COUNTS)}


def remove(connection: Connection, seqs: Iterable[int]) -> None:
    """Removes traps that are alerts now."""
    found = list(seqs)
    for begin in range(0, len(found), 500):
        connection.run(_REMOVE, {"seqs": found[begin : begin + 500]})


def keep(connection: Connection, found: Iterable[Kept]) -> None:
    """They wait no longer, and are kept with what is said about them."""
    connection.many(
        _KEEP,
        [
            {"key": one.seq, "state": one.state, "storage_id": _id(one.storage_id), "problem": clean(one.problem)}
            for one in found
        ],
    )


def move(connection: Connection, seq: int, storage_id: str, asked: int) -> None:
    """The trap waits for the driver of another candidate."""
    connection.run(_MOVE, {"key": seq, "storage_id": _id(storage_id), "asked": asked})


def release(connection: Connection, storage_id: str, problem: str) -> int:
    """The array is gone: its traps wait for nobody. How many there were."""
    return connection.run(_RELEASE, {"storage_id": _id(storage_id), "problem": problem})


def trim(connection: Connection, keep_most: int) -> int:
    """Forgets the oldest traps that became no alert, beyond so many."""
    return connection.run(_TRIM, {"keep": keep_most})


def drop_first(connection: Connection, storage_id: str, count: int) -> int:
    """Forgets the oldest traps that wait for an array's driver."""
    return connection.run(_DROP_FIRST, {"storage_id": _id(storage_id), "count": count})


def drop_before(connection: Connection, at: int) -> int:
    """Forgets the traps that have waited since before a time, in microseconds."""
    return connection.run(_DROP_OLD, {"seq": at << 8})


def position(connection: Connection, spool: str) -> bytes:
    """How far the spool was read; empty: not at all."""
    found = connection.value(_POSITION, {"spool": spool})
    return b"" if found is None else bytes(found)


def put_position(connection: Connection, spool: str, at: bytes) -> None:
    """Notes how far the spool was read."""
    connection.run(_PUT_POSITION, {"spool": spool, "position": at})


def clocks(connection: Connection) -> list[EngineClock]:
    """What is known of the clocks of SNMPv3 engines."""
    return [
        EngineClock(bytes(engine_id), owner, boots, time, at / times.SECOND)
        for engine_id, owner, boots, time, at in connection.all(_CLOCKS)
    ]


def put_clocks(connection: Connection, found: Iterable[EngineClock]) -> None:
    """Notes the clocks that moved."""
    connection.many(
        _PUT_CLOCK,
        [
            {
                "engine_id": clock.engine_id,
                "owner": clock.owner,
                "boots": clock.boots,
                "time": clock.time,
                "received_at": int(clock.received_at * times.SECOND),
            }
            for clock in found
        ],
    )


def ids(joined: bytes) -> tuple[str, ...]:
    """The storages that stand in a column, 16 bytes each."""
    return tuple(uuids.text(joined[at : at + 16]) for at in range(0, len(joined), 16))


def _id(storage_id: str) -> bytes:
    return uuids.parsed(storage_id) or b""
