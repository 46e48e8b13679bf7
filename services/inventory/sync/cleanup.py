"""Removing rows outside a sync: what an operator accepts, all of a storage, tombstones that are too old."""

from __future__ import annotations

import time
from functools import cache

from sqlalchemy import Table, bindparam, delete, select

from services.calls.errors import CallError
from services.inventory.changes.recording import ChangeLog
from services.inventory.kinds import KINDS
from services.inventory.schema.resources import members, tombstones
from services.inventory.schema.storages import kind_states
from services.inventory.sync import states
from services.inventory.sync.absent import Absent
from services.inventory.sync.members import Members
from services.inventory.sync.removal import TOMBSTONE_PERIOD
from services.inventory.sync.result import OK, KindResult, StorageGone
from services.inventory.sync.rows import rows_of
from services.inventory.sync.tombstones import Tombstones
from services.store.connection import Connection
from services.store.engine import Store
from services.store.statement import Statement, statement

ROWS = 2000
"""Rows deleted in one transaction, which takes some 10 ms."""
_FLAGGED_KINDS = statement(
    select(kind_states.c.kind).where(kind_states.c.storage_no == bindparam("no"), kind_states.c.missing > 0)
)


def _some_of(table: Table, *key: str) -> Statement:
    columns = [table.c[name] for name in key]
    return statement(select(*columns).where(table.c.storage_no == bindparam("no")).limit(ROWS))


@cache
def _some_rows(kind: str) -> Statement:
    return _some_of(KINDS[kind].table, "seq")


_TOMBSTONES = _some_of(tombstones, "seq")
_DELETE_TOMBSTONES = statement(delete(tombstones).where(tombstones.c.seq.in_(bindparam("seqs", expanding=True))))
_MEMBERS = _some_of(members, "storage_no", "relation", "native_id", "member")
_DELETE_MEMBER = statement(
    delete(members).where(
        members.c.storage_no == bindparam("no"),
        members.c.relation == bindparam("relation"),
        members.c.native_id == bindparam("native_id"),
        members.c.member == bindparam("member"),
    )
)
_DELETE_STATES = statement(delete(kind_states).where(kind_states.c.storage_no == bindparam("no")))
_OLD_TOMBSTONES = statement(select(tombstones.c.seq).where(tombstones.c.removed_at < bindparam("before")).limit(ROWS))


async def remove_resources(store: Store, storage_no: int) -> int:
    """Deletes all resources, tombstones and kind states of a storage that is being removed; how many resources.

    Works in small transactions. The storage must be marked as deleted before: a sync that still runs then writes
    nothing more, since its transaction looks first.
    """
    count = 0
    for name in KINDS:
        count += await _remove_all(store, storage_no, _some_rows(name), rows_of(name).delete)
    await _remove_all(store, storage_no, _TOMBSTONES, _DELETE_TOMBSTONES)
    while await store.write(lambda connection: _remove_members(connection, storage_no)):
        pass
    await store.write(lambda connection: connection.run(_DELETE_STATES, (storage_no,)))
    return count


async def _remove_all(store: Store, storage_no: int, some: Statement, remove: Statement) -> int:
    def work(connection: Connection) -> int:
        seqs = [row[0] for row in connection.all(some, (storage_no,))]
        for begin in range(0, len(seqs), 200):
            connection.run(remove, (seqs[begin : begin + 200],))
        return len(seqs)

    count = 0
    while found := await store.write(work):
        count += found
        if found < ROWS:
            break
    return count


def _remove_members(connection: Connection, storage_no: int) -> int:
    rows = connection.all(_MEMBERS, (storage_no,))
    connection.many(_DELETE_MEMBER, rows)
    return len(rows)


async def accept_removals(store: Store, storage_id: bytes, kind: str = "") -> list[KindResult]:
    """Removes what is marked missing: of one kind, or (empty) of all.

    Raises:
        StorageGone: the storage does not exist.
        CallError: NOTHING_TO_ACCEPT.
    """

    def work(connection: Connection) -> list[KindResult]:
        state = states.read(connection, storage_id, kind or next(iter(KINDS)))
        if state is None or not states.lock_storage(connection, state.storage_no):
            raise StorageGone
        flagged = [row[0] for row in connection.all(_FLAGGED_KINDS, (state.storage_no,))]
        wanted = [name for name in flagged if not kind or name == kind]
        if not wanted:
            what = f"of kind {kind} " if kind else ""
            raise CallError("NOTHING_TO_ACCEPT", f"Nothing {what}is marked missing.", metadata={"kind": kind})
        log = ChangeLog(connection, state.storage_no, storage_id, _now())
        results = [_remove_flagged(connection, storage_id, name, log) for name in wanted]
        log.flush()
        return results

    return await store.write(work)


def _remove_flagged(connection: Connection, storage_id: bytes, name: str, log: ChangeLog) -> KindResult:
    kind, rows, now = KINDS[name], rows_of(name), _now()
    before = states.read(connection, storage_id, name)
    assert before is not None
    no = before.storage_no
    seqs = [row[0] for row in connection.all(rows.flagged, (no,))]
    absent = Absent(connection, kind, log, Tombstones(connection, no, name, now), Members(connection, no, kind))
    absent.delete(seqs)
    result = KindResult(
        kind=name,
        outcome=OK,
        total=before.total - len(seqs),
        removed=len(seqs),
        started_at=now,
        ended_at=now,
        last_success_at=before.last_success_at,
    )
    states.write(connection, no, result, generation=before.generation + 1, loaded=before.loaded)
    return result


async def forget_tombstones(store: Store) -> int:
    """Deletes tombstones that are too old to matter; how many. To be called now and then."""
    before = _now() - TOMBSTONE_PERIOD

    def work(connection: Connection) -> int:
        seqs = [row[0] for row in connection.all(_OLD_TOMBSTONES, (before,))]
        connection.run(_DELETE_TOMBSTONES, (seqs,))
        return len(seqs)

    count = 0
    while found := await store.write(work):
        count += found
    return count


def _now() -> int:
    return time.time_ns() // 1000
