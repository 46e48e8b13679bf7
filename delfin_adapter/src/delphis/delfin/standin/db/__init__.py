"""`delfin.db`: a driver host has no database. What its drivers look up there is made so that it stays the same."""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.UUID("5a0c3a52-90c5-5a51-9f0f-2f6a2f1f8f53")


class StorageRow(dict[str, str]):
    """A row whose columns are attributes, too."""

    def __getattr__(self, name: str) -> str:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def storage_get(context: object, storage_id: str) -> StorageRow:
    """The storage's row: a generated array takes its serial number from it, which must survive a restart."""
    serial_number = str(uuid.uuid5(_NAMESPACE, str(storage_id)))
    return StorageRow(id=str(storage_id), storage_id=str(storage_id), serial_number=serial_number)
