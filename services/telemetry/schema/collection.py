"""How far the collection from each array is."""

from __future__ import annotations

from sqlalchemy import Table

from services.store.columns import COUNTED, KEYED, bigint, blob, given_number, integer, row_number, text
from services.telemetry.schema.metadata import metadata

service = Table(
    "service",
    metadata,
    # One row, whose number is 1.
    given_number("no"),
    # Counts the starts of the process, this one included.
    integer("starts"),
    bigint("started_at"),
)

collections = Table(
    "collections",
    metadata,
    blob("storage_id", primary_key=True),
    # delphis.telemetry.v1.CollectionSettings.
    blob("settings"),
    # delphis.type.v1.Capabilities, as the array last told them; empty: it was not asked yet.
    blob("capabilities"),
    # Microseconds; 0: it was not asked yet.
    bigint("asked_at"),
    info=KEYED,
)

kinds = Table(
    "kinds",
    metadata,
    blob("storage_id", primary_key=True),
    text("kind", primary_key=True),
    # Milliseconds: the end of the newest window; 0: none was collected yet.
    bigint("watermark"),
    # Milliseconds: the newest sample; 0: there is none.
    bigint("newest"),
    # Microseconds.
    bigint("last_success_at"),
    bigint("points"),
    integer("failures"),
    bigint("failed_at"),
    # Microseconds: when the first of those failed.
    bigint("failing_since"),
    text("error_code"),
    text("error_msg"),
    # delphis.telemetry.v1.KindCollection with nothing but gaps.
    blob("gaps"),
    info=KEYED,
)

journal = Table(
    "journal",
    metadata,
    # What was collected and is still to be sent, in the order in which it was committed.
    row_number("position"),
    blob("storage_id"),
    text("kind"),
    # Microseconds.
    bigint("collected_at"),
    # Milliseconds: the times of its first and last samples.
    bigint("first"),
    bigint("last"),
    bigint("points"),
    integer("size"),
    # The sizes of all entries up to this one, as far back as there were entries all the time: what lies between two
    # of them follows from these alone.
    bigint("ending"),
    # delphis.type.v1.MetricBatch.
    blob("body"),
    info=COUNTED,
)
