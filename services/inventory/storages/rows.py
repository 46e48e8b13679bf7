"""Storages in the store. All functions run inside a transaction of the caller's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, update

from delphis.type.v1 import storage_pb2
from services.calls.errors import CallError
from services.inventory.schema.storages import access_endpoints, access_infos, storage_labels, storages
from services.store.connection import Connection, Row
from services.store.statement import Statement, sql, statement
from services.values import times, uuids

SYNCED = storage_pb2.SYNC_STATUS_SYNCED
SYNCING = storage_pb2.SYNC_STATUS_SYNCING


class StorageRow(NamedTuple):
    """A storage as stored. Times are microseconds since 1970; 0: never, unset."""

    no: int
    id: bytes
    driver_vendor: str
    driver_model: str
    serial_number: str
    pending_serial_number: str = ""
    name: str = ""
    vendor: str = ""
    model: str = ""
    firmware_version: str = ""
    status: int = 0
    driver_part: bytes = b""
    display_name: str = ""
    sync_interval: int = 0
    pause_reason: str = ""
    pause_since: int = 0
    pause_until: int = 0
    paused: int = 0
    labels: bytes = b""
    sync_status: int = SYNCED
    sync_outcome: int = storage_pb2.SYNC_OUTCOME_NEVER
    sync_error: str = ""
    last_success_at: int = 0
    next_sync_at: int = 0
    created_at: int = 0
    updated_at: int = 0
    deleted_at: int = 0

    def is_paused(self, now: int) -> bool:
        """Whether a pause is there and has not ended by itself."""
        return bool(self.paused) and not 0 < self.pause_until <= now


COLUMNS = tuple(storages.c[name] for name in StorageRow._fields)
_INSERTED = StorageRow._fields[1:]
_LIVE = storages.c.deleted_at == 0

_INSERT = statement(insert(storages).values({name: bindparam(name) for name in _INSERTED}).inline())
_NO_OF = statement(select(storages.c.no).where(storages.c.id == bindparam("id")))
_BY_ID = statement(select(*COLUMNS).where(storages.c.id == bindparam("id"), _LIVE))
_BY_NO = statement(select(*COLUMNS).where(storages.c.no == bindparam("no"), _LIVE))
_ALL = statement(select(*COLUMNS).where(_LIVE).order_by(storages.c.no))
_LIVE_NUMBERS = statement(select(storages.c.no).where(_LIVE).order_by(storages.c.no))
_DELETED = statement(select(storages.c.no, storages.c.id).where(storages.c.deleted_at > 0))
_BY_SERIAL = statement(
    select(storages.c.no, storages.c.id)
    .where(storages.c.driver_vendor == bindparam("vendor"), storages.c.driver_model == bindparam("model"))
    .where(storages.c.serial_number == bindparam("serial"), _LIVE)
)
_BY_ENDPOINT = statement(
    select(storages.c.no, storages.c.id)
    .select_from(access_endpoints.join(storages, storages.c.no == access_endpoints.c.storage_no))
    .where(access_endpoints.c.host == bindparam("host"), access_endpoints.c.port == bindparam("port"))
    .where(access_endpoints.c.selector == bindparam("selector"), _LIVE)
    .where(storages.c.driver_vendor == bindparam("vendor"), storages.c.driver_model == bindparam("model"))
)
_DELETE_LABELS = statement(delete(storage_labels).where(storage_labels.c.storage_no == bindparam("no")))
_INSERT_LABEL = statement(insert(storage_labels))
_MARK_DELETED = statement(
    update(storages).where(storages.c.no == bindparam("row"), _LIVE).values(deleted_at=bindparam("now"))
)
_OPEN_SYNCS = statement(select(storages.c.no).where(storages.c.sync_status == SYNCING, _LIVE))
_COUNT = statement(select(func.count()).select_from(storages).where(_LIVE))
# Two cores on one database must not register the same array at the same time; SQLite has one writer anyway.
_REGISTRATION_LOCK = sql(sqlite="SELECT 1", postgresql="SELECT pg_advisory_xact_lock(7233183901389514)")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a storage was registered with, as far as it tells arrays apart."""

    block: str
    host: str
    port: int
    selector: str


def _row(row: Row | None) -> StorageRow | None:
    return StorageRow._make(row) if row is not None else None


def find(connection: Connection, storage_id: bytes | None) -> StorageRow | None:
    """The storage with the id, unless it is being removed."""
    return _row(connection.one(_BY_ID, {"id": storage_id})) if storage_id is not None else None


def get(connection: Connection, storage_id: str) -> StorageRow:
    """The storage with the id, or STORAGE_NOT_FOUND."""
    row = find(connection, uuids.parsed(storage_id))
    if row is None:
        raise not_found(storage_id)
    return row


def by_no(connection: Connection, no: int) -> StorageRow | None:
    """The storage with the number, unless it is being removed."""
    return _row(connection.one(_BY_NO, {"no": no}))


def all_live(connection: Connection) -> list[StorageRow]:
    """All storages, oldest first."""
    return list(map(StorageRow._make, connection.all(_ALL)))


def live_numbers(connection: Connection) -> list[int]:
    """Numbers of all storages."""
    return [row[0] for row in connection.all(_LIVE_NUMBERS)]


def deleted(connection: Connection) -> list[tuple[int, bytes]]:
    """Numbers and ids of the storages that are being removed."""
    return [(row[0], bytes(row[1])) for row in connection.all(_DELETED)]


def syncing(connection: Connection) -> list[int]:
    """Numbers of the storages that say they are syncing."""
    return [row[0] for row in connection.all(_OPEN_SYNCS)]


def count(connection: Connection) -> int:
    """How many there are."""
    return int(connection.value(_COUNT))


def lock_registration(connection: Connection) -> None:
    """Until the transaction ends no other core looks for duplicates."""
    connection.one(_REGISTRATION_LOCK)


def with_serial(connection: Connection, vendor: str, model: str, serial: str) -> list[tuple[int, bytes]]:
    """Storages of that driver with that serial number: number and id."""
    rows = connection.all(_BY_SERIAL, {"vendor": vendor, "model": model, "serial": serial})
    return [(row[0], bytes(row[1])) for row in rows]


def with_endpoint(connection: Connection, vendor: str, model: str, endpoint: Endpoint) -> list[tuple[int, bytes]]:
    """Storages of that driver that were registered with that endpoint: number and id."""
    rows = connection.all(
        _BY_ENDPOINT,
        {
            "vendor": vendor,
            "model": model,
            "host": endpoint.host,
            "port": endpoint.port,
            "selector": endpoint.selector,
        },
    )
    return [(row[0], bytes(row[1])) for row in rows]


def add(connection: Connection, row: StorageRow) -> int:
    """Stores a new storage, whose `no` is not looked at; the number that it got."""
    connection.run(_INSERT, {name: getattr(row, name) for name in _INSERTED})
    return int(connection.value(_NO_OF, {"id": row.id}))


def change(connection: Connection, no: int, **values: object) -> None:
    """Writes some columns of a storage."""
    names = tuple(sorted(values))
    connection.run(_update_of(names), {**values, "row": no})


def set_labels(connection: Connection, no: int, labels: Mapping[str, str]) -> None:
    """Replaces the rows by which storages are filtered by label."""
    connection.run(_DELETE_LABELS, {"no": no})
    if labels:
        connection.many(_INSERT_LABEL, [(no, key, value) for key, value in labels.items()])


def mark_deleted(connection: Connection, no: int) -> bool:
    """Takes the storage, and its access info, from all answers. False: it was gone already."""
    if not connection.run(_MARK_DELETED, {"row": no, "now": times.now()}):
        return False
    for table in (access_infos, access_endpoints, storage_labels):
        connection.run(_deletion(table.name), {"no": no})
    return True


def not_found(storage_id: str) -> CallError:
    """The error that no storage has the id."""
    shown = storage_id[:80]
    return CallError(
        "STORAGE_NOT_FOUND", f"No storage has the id {shown!r}; list the storages.", metadata={"storage_id": shown}
    )


_updates: dict[tuple[str, ...], Statement] = {}
_deletions = {
    table.name: statement(delete(table).where(table.c.storage_no == bindparam("no")))
    for table in (access_infos, access_endpoints, storage_labels)
}


def _update_of(names: tuple[str, ...]) -> Statement:
    found = _updates.get(names)
    if found is None:
        found = _updates[names] = statement(
            update(storages).where(storages.c.no == bindparam("row")).values({name: bindparam(name) for name in names})
        )
    return found


def _deletion(table: str) -> Statement:
    return _deletions[table]
