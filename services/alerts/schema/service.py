"""What the service knows about itself."""

from __future__ import annotations

from sqlalchemy import Table

from services.alerts.schema.metadata import metadata
from services.store.columns import bigint, blob, given_number, integer

service = Table(
    "service",
    metadata,
    # One row, whose number is 1.
    given_number("no"),
    # Random, made with the row: what the outside knows this installation by, such as an SNMP engine.
    blob("installation"),
    # Counts the starts of the process, this one included.
    integer("starts"),
    bigint("started_at"),
)
