"""Capacities by day, for forecasts."""

from __future__ import annotations

from sqlalchemy import Table

from services.store.columns import KEYED, bigint, blob, integer, text
from services.telemetry.schema.metadata import metadata

capacities = Table(
    "capacities",
    metadata,
    blob("storage_id", primary_key=True),
    # `storage` or `storage_pool`.
    text("kind", primary_key=True),
    text("native_id", primary_key=True),
    # Days since 1970 UTC.
    integer("day", primary_key=True, autoincrement=False),
    # The last values of the day, in bytes.
    bigint("used"),
    bigint("total"),
    info=KEYED,
)
