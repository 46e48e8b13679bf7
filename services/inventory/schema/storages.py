"""Storages, how they are reached, and how their syncs ended."""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql_text

from services.inventory.schema.metadata import metadata
from services.store.columns import (
    COUNTED,
    KEYED,
    bigint,
    blob,
    flag,
    integer,
    ordered_index,
    row_number,
    text,
)

storages = Table(
    "storages",
    metadata,
    row_number("no"),
    blob("id", unique=True),
    text("driver_vendor"),
    text("driver_model"),
    # The registered identity; a serial number that differs waits in pending_serial_number.
    text("serial_number"),
    text("pending_serial_number"),
    # Columns of what the array says of itself, for filters and sorting; driver_part has all of it, serialised.
    text("name"),
    text("vendor"),
    text("model"),
    text("firmware_version"),
    integer("status"),
    blob("driver_part"),
    # The operator's settings; labels are in a table of their own, and here as the message's map.
    text("display_name"),
    bigint("sync_interval"),
    text("pause_reason"),
    bigint("pause_since"),
    bigint("pause_until"),
    flag("paused"),
    blob("labels"),
    # Syncs.
    integer("sync_status"),
    integer("sync_outcome"),
    text("sync_error"),
    bigint("last_success_at"),
    bigint("next_sync_at"),
    bigint("created_at"),
    bigint("updated_at"),
    # Not 0: being removed, and gone from all answers. The row goes last.
    bigint("deleted_at"),
    info=COUNTED,
)
Index("storages_serial", storages.c.driver_vendor, storages.c.driver_model, storages.c.serial_number)
ordered_index("storages_created", storages, "created_at", then="no")
_REMOVED = sql_text("deleted_at > 0")
Index("storages_deleted", storages.c.no, info={"sqlite": {"where": _REMOVED}, "postgresql": {"where": _REMOVED}})

storage_labels = Table(
    "storage_labels",
    metadata,
    integer("storage_no", primary_key=True, default=None, autoincrement=False),
    text("key", primary_key=True, default=None),
    text("value"),
    info=KEYED,
)
Index("storage_labels_value", storage_labels.c.key, storage_labels.c.value, storage_labels.c.storage_no)

access_infos = Table(
    "access_infos",
    metadata,
    integer("storage_no", primary_key=True, default=None, autoincrement=False),
    bigint("revision"),
    # The whole AccessInfo, encrypted, and the id of the key that does it.
    text("key_id"),
    blob("ciphertext"),
    # The same without secrets, serialised.
    blob("plain"),
    bigint("created_at"),
    bigint("updated_at"),
)

access_endpoints = Table(
    "access_endpoints",
    metadata,
    integer("storage_no", primary_key=True, default=None, autoincrement=False),
    # rest, ssh, cli or smis
    text("block", primary_key=True, default=None),
    text("host"),
    integer("port"),
    # A digest of the attributes that select one of several arrays behind the address.
    text("selector"),
    info=KEYED,
)
Index("access_endpoints_address", access_endpoints.c.host, access_endpoints.c.port)

kind_states = Table(
    "kind_states",
    metadata,
    integer("storage_no", primary_key=True, default=None, autoincrement=False),
    text("kind", primary_key=True, default=None),
    # Grows with each write to the kind's rows: a sync that read another generation starts over.
    bigint("generation"),
    # Whether a complete answer was stored once.
    flag("loaded"),
    integer("outcome"),
    bigint("total"),
    bigint("added"),
    bigint("changed"),
    bigint("removed"),
    bigint("missing"),
    integer("missing_answers"),
    bigint("missing_since"),
    text("error_code"),
    text("error_msg"),
    # A JSON list of texts.
    text("warnings"),
    bigint("started_at"),
    bigint("ended_at"),
    bigint("last_success_at"),
    # Digest of the answer that the rows are, all of them and nothing else; empty: there is none.
    text("answer"),
    info=KEYED,
)

request_ids = Table(
    "request_ids",
    metadata,
    text("request_id", primary_key=True, default=None),
    # Digest of the request, to tell a repeat from another request.
    blob("digest"),
    blob("storage_id"),
    bigint("created_at"),
)
Index("request_ids_created", request_ids.c.created_at)
