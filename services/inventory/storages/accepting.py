"""An operator's word that an array with another serial number is the registered one."""

from __future__ import annotations

from delphis.inventory.v1 import change_pb2, inventory_pb2
from delphis.type.v1 import storage_pb2
from services.calls.errors import CallError
from services.inventory import times
from services.inventory.storages import messages, rows
from services.inventory.storages.duplicates import refuse_serial
from services.inventory.storages.history import note
from services.inventory.storages.syncing import Started, start_sync
from services.registry.manifest import Pair
from services.store.connection import Connection


def accept_serial(
    connection: Connection, request: inventory_pb2.AcceptSerialRequest, requested_by: str
) -> Started | None:
    """Takes the waiting serial number for the registered one; the sync that follows, unless one runs or may not."""
    row = rows.get(connection, request.storage_id)
    if not row.pending_serial_number or row.pending_serial_number != request.serial_number:
        waiting = f"it is {row.pending_serial_number!r}" if row.pending_serial_number else "none waits"
        raise CallError(
            "NOTHING_TO_ACCEPT",
            f"The serial number {request.serial_number!r} does not wait to be accepted: {waiting}.",
            metadata={"storage_id": request.storage_id, "pending_serial_number": row.pending_serial_number},
        )
    rows.lock_registration(connection)
    serial, now = row.pending_serial_number, times.now()
    refuse_serial(connection, Pair(row.driver_vendor, row.driver_model), serial, but=row.no)
    said = storage_pb2.Storage.FromString(row.driver_part)
    said.serial_number = serial
    rows.change(
        connection,
        row.no,
        serial_number=serial,
        pending_serial_number="",
        driver_part=messages.driver_part(said),
        updated_at=now,
    )
    note(connection, row._replace(serial_number=serial), change_pb2.CHANGE_TYPE_CHANGED, ("serial_number",))
    if row.sync_status == rows.SYNCING or row.is_paused(now):
        return None
    return start_sync(connection, row, requested_by)
