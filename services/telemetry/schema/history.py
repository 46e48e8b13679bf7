"""The points of the last day."""

from __future__ import annotations

from sqlalchemy import Index, Table

from services.store.columns import KEYED, bigint, blob, integer, row_number, text
from services.telemetry.schema.metadata import metadata

slots = Table(
    "slots",
    metadata,
    # Where a resource's numbers are: its place among all of its kind of one array, for as long as it is there.
    blob("storage_id", primary_key=True),
    text("kind", primary_key=True),
    text("native_id", primary_key=True),
    integer("slot"),
    # Milliseconds since 1970 UTC: when a window first lacked it; 0: the last one has it.
    bigint("gone_at"),
    info=KEYED,
)

chunks = Table(
    "chunks",
    metadata,
    row_number("no"),
    blob("storage_id"),
    text("kind"),
    # The resources of slots block × 16 to block × 16 + 15.
    integer("block"),
    # Numbers of the catalogue, a byte each.
    blob("metrics"),
    # Milliseconds since 1970 UTC.
    bigint("begin"),
    bigint("step"),
    integer("steps"),
    # Numbers by time, metric and slot: 32-bit floats, 64-bit ones where `wide`.
    integer("wide"),
    blob("numbers"),
)
Index(
    "chunks_of_block",
    chunks.c.storage_id,
    chunks.c.kind,
    chunks.c.block,
    chunks.c.begin,
    chunks.c.metrics,
    # An answer may have windows that differ in their steps alone.
    chunks.c.step,
    chunks.c.steps,
    unique=True,
)
Index("chunks_by_age", chunks.c.begin)
