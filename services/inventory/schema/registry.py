"""Hosts of drivers that run elsewhere, what operators decide about drivers, and facts about the database itself."""

from __future__ import annotations

from sqlalchemy import Index, Table

from services.inventory.schema.metadata import metadata
from services.store.columns import bigint, blob, integer, text

driver_preferences = Table(
    "driver_preferences",
    metadata,
    text("vendor", primary_key=True, default=None),
    text("model", primary_key=True, default=None),
    text("driver"),
    bigint("created_at"),
)

driver_leases = Table(
    "driver_leases",
    metadata,
    # Times are the store's: see `store.clock`.
    blob("id", primary_key=True),
    text("driver", default=None),
    text("endpoint", default=None),
    text("version"),
    # A JSON list of [vendor, model].
    text("serves"),
    text("certificate_sha256"),
    text("server_id"),
    # Name of the token that asked for it.
    text("caller"),
    # When the driver was first announced: of several drivers for a pair, the first has it.
    bigint("first_at"),
    bigint("acquired_at"),
    bigint("expires_at"),
)
Index("driver_leases_place", driver_leases.c.driver, driver_leases.c.endpoint, unique=True)

array_owners = Table(
    "array_owners",
    metadata,
    # The host that an array belongs to, of several that share a driver's arrays.
    text("storage_id", primary_key=True, default=None),
    text("server_id"),
    # Grows with each change of the owner.
    bigint("epoch"),
    bigint("since"),
)
Index("array_owners_since", array_owners.c.since)

array_evictions = Table(
    "array_evictions",
    metadata,
    # Hosts that lost an array and were not yet told to log out of it.
    text("server_id", primary_key=True, default=None),
    text("storage_id", primary_key=True, default=None),
    bigint("epoch"),
    bigint("since"),
)

driver_spawners = Table(
    "driver_spawners",
    metadata,
    # The core that starts a driver's hosts, by its number in `store.presence`.
    text("driver", primary_key=True, default=None),
    integer("process"),
)

settings = Table(
    "settings",
    metadata,
    # Single values, such as the id of the key that encrypts credentials.
    text("name", primary_key=True, default=None),
    blob("value"),
)
