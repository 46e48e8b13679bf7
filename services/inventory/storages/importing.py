"""Takes over storages that another system knows, under the ids they have there. No array is asked."""

from __future__ import annotations

from typing import NamedTuple

from delphis.driver.v1 import storage_driver_pb2
from delphis.inventory.v1 import change_pb2, inventory_pb2
from delphis.type.v1 import access_pb2, storage_pb2
from services.calls.errors import CallError, invalid
from services.calls.method import Call
from services.inventory.access import infos
from services.inventory.access.identity import any_attribute_selects, endpoint_of, plain_keys
from services.inventory.access.infos import AccessInfos, Sealed
from services.inventory.finishing import to_the_end
from services.inventory.jobs.schedule import next_due
from services.inventory.kinds import CORE_FIELDS
from services.inventory.storages import messages, rows
from services.inventory.storages.array import MAX_SERIAL, MAX_STORAGE_BYTES, Arrays
from services.inventory.storages.candidate import checked, sync_interval
from services.inventory.storages.duplicates import refuse_endpoint, refuse_serial
from services.inventory.storages.history import note
from services.inventory.storages.rows import Endpoint, StorageRow
from services.inventory.storages.settings import DEFAULT_INTERVAL
from services.inventory.storages.syncing import Syncs
from services.registry.manifest import Pair
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import DuplicateKey
from services.values import times, uuids

# A driver may be installed, or mended, after the storages that need it were taken over.
_NO_DRIVER = (
    "STORAGE_DRIVER_NOT_FOUND",
    "DRIVER_CONFLICT",
    "DRIVER_HOST_START_FAILED",
    "DRIVER_HOST_UNAVAILABLE",
    "DRIVER_LOAD_FAILED",
)


class _New(NamedTuple):
    """A storage as it goes to the store."""

    row: StorageRow
    labels: dict[str, str]
    sealed: Sealed
    endpoint: Endpoint


class Imports:
    """Makes storages without a login."""

    def __init__(self, store: Store, arrays: Arrays, access: AccessInfos, syncs: Syncs) -> None:
        self._store = store
        self._arrays = arrays
        self._access = access
        self._syncs = syncs

    async def import_storage(
        self, request: inventory_pb2.ImportStorageRequest, call: Call
    ) -> inventory_pb2.ImportStorageResponse:
        """The storage, new or as it was there already."""
        storage_id = uuids.parsed(request.storage_id)
        if storage_id is None:
            raise invalid("storage_id", "It must be a UUID of 36 characters.")
        call.resource_id = uuids.text(storage_id)
        access = checked(request)
        _check_array(request.array)
        pair = Pair(access.vendor, access.model)
        known = await self._store.read(lambda connection: _existing(connection, storage_id, pair))
        if known is not None:
            return inventory_pb2.ImportStorageResponse(storage=messages.message(known, times.now()))
        info, warnings = await self._driver_info(pair)
        new = self._new(storage_id, pair, request, access, info)
        if request.validate_only:
            await self._store.read(lambda connection: _refuse(connection, new))
            stored, imported = new.row._replace(created_at=0), True
        else:
            stored, imported = await to_the_end(self._store_all(new))
        return inventory_pb2.ImportStorageResponse(
            storage=messages.message(stored, times.now()), imported=imported, warnings=warnings if imported else ()
        )

    async def _driver_info(self, pair: Pair) -> tuple[storage_driver_pb2.GetDriverInfoResponse | None, list[str]]:
        """What the driver wants to know; None, and why, where it can't be asked now."""
        try:
            info = await self._arrays.driver_info(pair)
        except CallError as error:
            if error.reason not in _NO_DRIVER:
                raise
            return None, [f"No sync succeeds yet: {error.message}"]
        if info.load_error:
            return None, [f"No sync succeeds yet: the driver of {pair} can't be loaded."]
        return info, []

    def _new(
        self,
        storage_id: bytes,
        pair: Pair,
        request: inventory_pb2.ImportStorageRequest,
        access: access_pb2.AccessInfo,
        info: storage_driver_pb2.GetDriverInfoResponse | None,
    ) -> _New:
        fields = info.access_fields if info is not None else any_attribute_selects(access)
        interval, now = sync_interval(request), times.now()
        row = StorageRow(
            no=0,
            id=storage_id,
            driver_vendor=pair.vendor,
            driver_model=pair.model,
            serial_number=request.array.serial_number,
            display_name=request.storage_name,
            sync_interval=interval,
            labels=messages.labels_part(request.labels),
            next_sync_at=next_due(storage_id, interval or DEFAULT_INTERVAL, now),
            created_at=now,
            **messages.columns(request.array),
        )
        sealed = self._access.seal(storage_id, access, plain_keys(info.access_fields) if info is not None else ())
        return _New(row, dict(request.labels), sealed, endpoint_of(access, fields, self._access.vault))

    async def _store_all(self, new: _New) -> tuple[StorageRow, bool]:
        pair = Pair(new.row.driver_vendor, new.row.driver_model)

        def write(connection: Connection) -> tuple[StorageRow, bool]:
            rows.lock_registration(connection)
            known = _existing(connection, new.row.id, pair)
            if known is not None:
                return known, False
            _refuse(connection, new)
            no = rows.add(connection, new.row)
            rows.set_labels(connection, no, new.labels)
            infos.add(connection, no, new.sealed, new.endpoint)
            stored = rows.by_no(connection, no)
            assert stored is not None
            note(connection, stored, change_pb2.CHANGE_TYPE_REGISTERED)
            return stored, True

        try:
            stored, imported = await self._store.write(write)
        except DuplicateKey as error:
            raise CallError(
                "TOO_MANY_REQUESTS", f"The same import runs elsewhere ({error}); try again.", retry_after=1.0
            ) from None
        if imported:
            self._syncs.expect(stored)
        return stored, imported


def _existing(connection: Connection, storage_id: bytes, pair: Pair) -> StorageRow | None:
    """The storage with the id. STORAGE_ALREADY_EXISTS where the id stands for something else."""
    row = rows.find(connection, storage_id)
    if row is not None and (row.driver_vendor, row.driver_model) == (pair.vendor, pair.model):
        return row
    text = uuids.text(storage_id)
    if row is not None:
        other = Pair(row.driver_vendor, row.driver_model)
        raise CallError(
            "STORAGE_ALREADY_EXISTS",
            f"The storage {text} is one of {other} here, not of {pair}. Remove it first if it is the wrong one.",
            metadata={"storage_id": text, "driver_vendor": row.driver_vendor, "driver_model": row.driver_model},
        )
    if any(gone == storage_id for _, gone in rows.deleted(connection)):
        raise CallError(
            "STORAGE_ALREADY_EXISTS",
            f"The storage {text} is being removed here; import it again when its removal has ended.",
            metadata={"storage_id": text},
        )
    return None


def _refuse(connection: Connection, new: _New) -> None:
    pair = Pair(new.row.driver_vendor, new.row.driver_model)
    if new.row.serial_number:
        refuse_serial(connection, pair, new.row.serial_number)
    refuse_endpoint(connection, pair, new.endpoint)


def _check_array(array: storage_pb2.Storage) -> None:
    for field, _ in array.ListFields():
        if field.number >= CORE_FIELDS:
            raise invalid(f"array.{field.name}", "The inventory sets it; leave it out.")
    if len(array.serial_number) > MAX_SERIAL:
        raise invalid("array.serial_number", f"It must have at most {MAX_SERIAL} characters.")
    if array.HasField("serial_number") and (not array.serial_number.strip() or "\0" in array.serial_number):
        raise invalid("array.serial_number", "It must be a serial number, or left out where it is not known.")
    if array.ByteSize() > MAX_STORAGE_BYTES:
        raise invalid("array", f"It must have at most {MAX_STORAGE_BYTES} bytes, serialised.")
