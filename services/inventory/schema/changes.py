"""What appeared, changed and disappeared."""

from __future__ import annotations

from sqlalchemy import Index, Table

from services.inventory.schema.metadata import metadata
from services.store.columns import COUNTED, bigint, blob, integer, row_number, text

change_positions = Table(
    "change_positions",
    metadata,
    # How many changes each storage had. It outlives the storage, until its last change is forgotten.
    integer("storage_no", primary_key=True, default=None, autoincrement=False),
    blob("storage_id"),
    bigint("position"),
)

change_blocks = Table(
    "change_blocks",
    metadata,
    # In order of writing, for retention only: sequence numbers are committed out of order.
    row_number("no"),
    integer("storage_no", default=None),
    # Changes of one kind and one transaction, with the positions first to last: from 1 and without gaps for each
    # storage, given under the lock of its row in change_positions.
    bigint("first", default=None),
    bigint("last", default=None),
    text("kind"),
    bigint("at"),
    # The Changes, each serialised, with the tag and length of field 1 in front: a piece of a ListChangesResponse.
    blob("body"),
    info=COUNTED,
)
Index("change_blocks_last", change_blocks.c.storage_no, change_blocks.c.last, unique=True)
