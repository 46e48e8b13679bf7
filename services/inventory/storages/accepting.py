"""An operator's word that an array with another serial number is the registered one."""

from __future__ import annotations

from delphis.inventory.v1 import inventory_pb2
from services.calls.errors import CallError
from services.inventory import times
from services.inventory.storages import rows
from services.inventory.storages.serials import set_serial
from services.inventory.storages.syncing import Started, start_sync
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
    set_serial(connection, row, row.pending_serial_number)
    if row.sync_status == rows.SYNCING or row.is_paused(times.now()):
        return None
    return start_sync(connection, row, requested_by)
