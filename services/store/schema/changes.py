"""What appeared, changed and disappeared."""

from __future__ import annotations

from sqlalchemy import Index, Table

from services.store.schema.columns import bigint, blob, integer, metadata, row_number, text

changes = Table(
    "changes",
    metadata,
    # In order of writing, for retention only: sequence numbers are committed out of order.
    row_number("no"),
    integer("storage_no", default=None),
    # From 1 and without gaps for each storage, given under the lock of the storage's row.
    bigint("position", default=None),
    text("kind"),
    bigint("at"),
    # The Change, serialised.
    blob("body"),
    sqlite_autoincrement=True,
)
Index("changes_position", changes.c.storage_no, changes.c.position, unique=True)
