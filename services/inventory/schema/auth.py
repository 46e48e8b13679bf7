"""Tokens and the audit log."""

from __future__ import annotations

from sqlalchemy import Index, Table

from services.inventory.schema.metadata import metadata
from services.store.columns import COUNTED, bigint, blob, row_number, text

tokens = Table(
    "tokens",
    metadata,
    blob("id", primary_key=True),
    text("name", unique=True, default=None),
    # A hash of the secret, by which it is looked up.
    blob("secret_hash", unique=True),
    # Names of scopes, joined by commas.
    text("scopes"),
    bigint("created_at"),
    bigint("expires_at"),
    bigint("last_used_at"),
    # Whose hosts its bearer may announce: a driver's name, and a JSON list of [vendor, model].
    text("driver"),
    text("serves"),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    row_number("no"),
    bigint("at"),
    text("caller"),
    text("method"),
    text("resource_id"),
    text("code"),
    text("reason"),
    text("request_id"),
    text("peer"),
    info=COUNTED,
)
Index("audit_entries_at", audit_entries.c.at)
