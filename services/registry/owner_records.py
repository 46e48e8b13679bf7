"""Which host an array belongs to, in the store. All functions run inside a transaction of the caller's."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, delete, insert, select, update

from services.inventory.schema.registry import array_evictions as evictions
from services.inventory.schema.registry import array_owners as owners
from services.store import clock
from services.store.connection import Connection
from services.store.errors import DuplicateKey
from services.store.statement import statement

CHANGED = "array-owners"
"""The topic that is signalled when an array got another owner."""
_SECOND = 1_000_000
_MOST_EVICTIONS = 1000
_EVICTIONS_KEPT = 86_400 * _SECOND


class OwnerRecord(NamedTuple):
    """The owner of an array. Times are the store's, in microseconds."""

    storage_id: str
    server_id: str
    epoch: int
    since: int


class Eviction(NamedTuple):
    """A host that may still be logged in to an array that it lost."""

    server_id: str
    storage_id: str
    epoch: int


_COLUMNS = tuple(owners.c[name] for name in OwnerRecord._fields)
_OF = statement(select(*_COLUMNS).where(owners.c.storage_id == bindparam("storage_id")))
_SINCE = statement(select(*_COLUMNS).where(owners.c.since >= bindparam("since")))
_INSERT = statement(insert(owners).values({name: bindparam(name) for name in OwnerRecord._fields}))
_CLAIM = statement(
    update(owners)
    .where(owners.c.storage_id == bindparam("of"), owners.c.epoch == bindparam("before"))
    .values(server_id=bindparam("server_id"), epoch=bindparam("epoch"), since=bindparam("since"))
)
_FORGET = statement(delete(owners).where(owners.c.storage_id == bindparam("storage_id")))
_EVICT = statement(
    insert(evictions).values({name: bindparam(name) for name in ("server_id", "storage_id", "epoch", "since")})
)
_EVICTIONS = statement(
    select(evictions.c.server_id, evictions.c.storage_id, evictions.c.epoch)
    .order_by(evictions.c.server_id, evictions.c.storage_id)
    .limit(_MOST_EVICTIONS)
)
_EVICTED = statement(
    delete(evictions).where(
        evictions.c.server_id == bindparam("server_id"),
        evictions.c.storage_id == bindparam("storage_id"),
        evictions.c.epoch <= bindparam("epoch"),
    )
)
_EVICTIONS_OF = statement(delete(evictions).where(evictions.c.storage_id == bindparam("storage_id")))
_PRUNE = statement(delete(evictions).where(evictions.c.since < bindparam("before")))


def of(connection: Connection, storage_id: str) -> tuple[OwnerRecord | None, int]:
    """The array's owner, and the time."""
    row = connection.one(_OF, {"storage_id": storage_id})
    return (OwnerRecord._make(row) if row is not None else None), clock.now(connection)


def changed_since(connection: Connection, since: int) -> tuple[list[OwnerRecord], int]:
    """The arrays that got another owner, and the time."""
    return [OwnerRecord._make(row) for row in connection.all(_SINCE, {"since": since})], clock.now(connection)


def claim(connection: Connection, storage_id: str, server_id: str, known: OwnerRecord | None) -> OwnerRecord | None:
    """Gives the array to a host, with the next epoch. None: meanwhile it has another owner than the known one.

    The host that had it is to be told, which `evicted` confirms.
    """
    now = clock.now(connection)
    record = OwnerRecord(storage_id, server_id, known.epoch + 1 if known is not None else 1, now)
    if known is None:
        try:
            connection.run(_INSERT, record._asdict())
        except DuplicateKey:
            return None
    else:
        values = {
            "of": storage_id,
            "before": known.epoch,
            "server_id": server_id,
            "epoch": record.epoch,
            "since": now,
        }
        if not connection.run(_CLAIM, values):
            return None
        every = record.epoch
        evicted(connection, Eviction(server_id, storage_id, every))
        evicted(connection, Eviction(known.server_id, storage_id, every))
        connection.run(
            _EVICT, {"server_id": known.server_id, "storage_id": storage_id, "epoch": record.epoch, "since": now}
        )
    connection.signal(CHANGED)
    return record


def waiting_evictions(connection: Connection) -> list[Eviction]:
    """Hosts that were not yet told."""
    return [Eviction._make(row) for row in connection.all(_EVICTIONS)]


def evicted(connection: Connection, eviction: Eviction) -> None:
    """The host is logged out."""
    connection.run(_EVICTED, eviction._asdict())


def forget(connection: Connection, storage_id: str) -> None:
    """The storage was removed."""
    connection.run(_FORGET, {"storage_id": storage_id})
    connection.run(_EVICTIONS_OF, {"storage_id": storage_id})


def prune(connection: Connection) -> None:
    """Forgets hosts that never came back."""
    connection.run(_PRUNE, {"before": clock.now(connection) - _EVICTIONS_KEPT})
