"""Changes of the storages themselves."""

from __future__ import annotations

from collections.abc import Sequence

from delphis.inventory.v1 import change_pb2
from services.inventory.changes.recording import ChangeLog
from services.inventory.kinds import STORAGE
from services.inventory.storages.rows import StorageRow
from services.store.connection import Connection
from services.values import times, uuids


def note(
    connection: Connection, row: StorageRow, change: change_pb2.ChangeType.ValueType, fields: Sequence[str] = ()
) -> None:
    """Records a change of the storage, in the transaction that makes it."""
    changes = ChangeLog(connection, row.no, row.id, times.now())
    changes.add(change, STORAGE, id_=uuids.text(row.id), native_id=row.serial_number, name=row.name, fields=fields)
    changes.flush()
