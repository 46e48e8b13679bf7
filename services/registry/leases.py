"""Leases in the store: hosts that announced themselves. All functions run inside a transaction of the caller's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, update

from services.calls.errors import CallError
from services.inventory.schema.registry import driver_leases as table
from services.registry.manifest import Pair
from services.store import clock
from services.store.connection import Connection
from services.store.statement import statement

CHANGED = "driver-leases"
"""The topic that is signalled when a host came or went."""
_SECOND = 1_000_000


class Announcement(NamedTuple):
    """What a host says of itself."""

    driver: str
    endpoint: str
    version: str
    serves: tuple[Pair, ...]
    certificate_sha256: str
    server_id: str


class StoredLease(NamedTuple):
    """A lease. Times are the store's, in microseconds."""

    id: uuid.UUID
    announced: Announcement
    caller: str
    first_at: int
    expires_at: int


_COLUMNS = (
    *("id", "driver", "endpoint", "version", "serves", "certificate_sha256", "server_id"),
    *("caller", "first_at", "acquired_at", "expires_at"),
)
_SELECT = select(*(table.c[name] for name in _COLUMNS))
_ALL = statement(_SELECT.order_by(table.c.first_at, table.c.driver, table.c.endpoint))
_AT = statement(_SELECT.where(table.c.driver == bindparam("driver"), table.c.endpoint == bindparam("endpoint")))
_BY_ID = statement(_SELECT.where(table.c.id == bindparam("id")))
_FIRST = statement(select(func.min(table.c.first_at)).where(table.c.driver == bindparam("driver")))
_INSERT = statement(insert(table).values({name: bindparam(name) for name in _COLUMNS}))
_RENEW = statement(
    update(table)
    .where(table.c.id == bindparam("lease_id"))
    .values(
        version=bindparam("version"),
        serves=bindparam("serves"),
        caller=bindparam("caller"),
        expires_at=bindparam("expires_at"),
    )
)
_END = statement(update(table).where(table.c.id == bindparam("lease_id")).values(expires_at=bindparam("at")))
_DELETE = statement(delete(table).where(table.c.id == bindparam("id")))
_PRUNE = statement(delete(table).where(table.c.expires_at < bindparam("before")))


def acquire(connection: Connection, asked: Announcement, caller: str, ttl: float) -> StoredLease:
    """Keeps an announcement, a new one or one that is there. CallError NOT_AUTHORIZED where it isn't the caller's."""
    now = clock.now(connection)
    expires_at = now + int(ttl * _SECOND)
    row = connection.one(_AT, {"driver": asked.driver, "endpoint": asked.endpoint})
    known = _lease(row) if row is not None else None
    if known is not None and known.announced.server_id == asked.server_id:
        _refuse_other(known, asked, caller, now)
        connection.run(
            _RENEW,
            {
                "lease_id": known.id.bytes,
                "version": asked.version,
                "serves": json.dumps(asked.serves),
                "caller": caller,
                "expires_at": expires_at,
            },
        )
        if known.expires_at <= now or known.announced != asked:
            connection.signal(CHANGED)
        return known._replace(announced=asked, caller=caller, expires_at=expires_at)
    if known is not None:
        connection.run(_DELETE, {"id": known.id.bytes})
    first = known.first_at if known is not None else connection.value(_FIRST, {"driver": asked.driver}) or now
    lease = StoredLease(uuid.uuid4(), asked, caller, first, expires_at)
    connection.run(
        _INSERT,
        {
            **asked._asdict(),
            "id": lease.id.bytes,
            "serves": json.dumps(asked.serves),
            "caller": caller,
            "first_at": first,
            "acquired_at": now,
            "expires_at": expires_at,
        },
    )
    connection.signal(CHANGED)
    return lease


def release(connection: Connection, lease_id: str, caller: str) -> str:
    """Ends a lease; the driver's name, empty where there is none. CallError where it isn't the caller's."""
    try:
        parsed = uuid.UUID(lease_id)
    except ValueError:
        return ""
    row = connection.one(_BY_ID, {"id": parsed.bytes})
    if row is None:
        return ""
    lease = _lease(row)
    if lease.caller != caller:
        raise CallError("NOT_AUTHORIZED", "Another token asked for this lease.", metadata={"lease_id": lease_id})
    now = clock.now(connection)
    if lease.expires_at > now:
        connection.run(_END, {"lease_id": parsed.bytes, "at": now})
        connection.signal(CHANGED)
    return lease.announced.driver


def load(connection: Connection) -> tuple[list[StoredLease], int]:
    """All leases, the driver first that was announced first, and the time."""
    return [_lease(row) for row in connection.all(_ALL)], clock.now(connection)


def prune(connection: Connection, kept: float) -> None:
    """Forgets leases that ended `kept` seconds ago."""
    connection.run(_PRUNE, {"before": clock.now(connection) - int(kept * _SECOND)})


def _refuse_other(known: StoredLease, asked: Announcement, caller: str, now: int) -> None:
    if known.caller != caller and known.expires_at > now:
        problem = "another token asked for the lease of this host"
    elif known.announced.certificate_sha256 != asked.certificate_sha256:
        problem = (
            f"the host announced the certificate with SHA-256 {known.announced.certificate_sha256} before, "
            f"and now {asked.certificate_sha256}"
        )
    else:
        return
    raise CallError(
        "NOT_AUTHORIZED",
        f"The lease is refused: {problem}. A host that starts anew has a new server_id.",
        metadata={"driver": asked.driver, "endpoint": asked.endpoint},
    )


def _lease(row: Iterable[object]) -> StoredLease:
    values = dict(zip(_COLUMNS, row, strict=True))
    serves = tuple(Pair(vendor, model) for vendor, model in json.loads(str(values["serves"])))
    announced = Announcement(
        str(values["driver"]),
        str(values["endpoint"]),
        str(values["version"]),
        serves,
        str(values["certificate_sha256"]),
        str(values["server_id"]),
    )
    lease_id, first_at, expires_at = values["id"], values["first_at"], values["expires_at"]
    assert isinstance(lease_id, bytes | memoryview)
    assert isinstance(first_at, int)
    assert isinstance(expires_at, int)
    return StoredLease(uuid.UUID(bytes=bytes(lease_id)), announced, str(values["caller"]), first_at, expires_at)
