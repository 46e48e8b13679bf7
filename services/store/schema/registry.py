"""What operators decide about drivers, and facts about the database itself."""

from __future__ import annotations

from sqlalchemy import Table

from services.store.schema.columns import bigint, blob, metadata, text

driver_preferences = Table(
    "driver_preferences",
    metadata,
    text("vendor", primary_key=True, default=None),
    text("model", primary_key=True, default=None),
    text("driver"),
    bigint("created_at"),
)

settings = Table(
    "settings",
    metadata,
    # Single values, such as the id of the key that encrypts credentials.
    text("name", primary_key=True, default=None),
    blob("value"),
)
