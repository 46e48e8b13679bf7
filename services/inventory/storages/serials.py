"""The serial number under which an array is registered: how it becomes another, and that no two have the same."""

from __future__ import annotations

from delphis.inventory.v1 import change_pb2
from delphis.type.v1 import storage_pb2
from services.inventory.storages import messages, rows
from services.inventory.storages.duplicates import refuse_serial
from services.inventory.storages.history import note
from services.inventory.storages.rows import StorageRow
from services.registry.manifest import Pair
from services.store.connection import Connection
from services.values import times


def set_serial(connection: Connection, row: StorageRow, serial: str) -> None:
    """Registers the storage under the serial number. STORAGE_ALREADY_EXISTS where another storage has it."""
    rows.lock_registration(connection)
    refuse_serial(connection, Pair(row.driver_vendor, row.driver_model), serial, but=row.no)
    said = storage_pb2.Storage.FromString(row.driver_part)
    said.serial_number = serial
    rows.change(
        connection,
        row.no,
        serial_number=serial,
        pending_serial_number="",
        driver_part=messages.driver_part(said),
        updated_at=times.now(),
    )
    note(connection, row._replace(serial_number=serial), change_pb2.CHANGE_TYPE_CHANGED, ("serial_number",))
