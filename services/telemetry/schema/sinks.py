"""Where points go beside the history."""

from __future__ import annotations

from sqlalchemy import Index, Table

from services.store.columns import KEYED, bigint, blob, text
from services.telemetry.schema.metadata import metadata

sinks = Table(
    "sinks",
    metadata,
    blob("id", primary_key=True),
    text("name"),
    # delphis.telemetry.v1.Sink without secrets, and without what the service sets.
    blob("sink"),
    # Its secrets, encrypted: a Sink with nothing else. Empty: it has none.
    blob("secrets"),
    # In the journal: everything up to it was taken, or refused for good, or given up.
    bigint("position"),
    bigint("delivered"),
    bigint("refused"),
    bigint("dropped"),
    # Microseconds.
    bigint("last_success_at"),
    text("refusal"),
    # delphis.telemetry.v1.SinkStatus with nothing but gaps.
    blob("gaps"),
    bigint("created_at"),
    bigint("updated_at"),
    info=KEYED,
)
Index("sinks_by_name", sinks.c.name, unique=True)
