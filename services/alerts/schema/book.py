"""Alerts, what happened to them, and the storages that they are about."""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql_text

from services.alerts.schema.metadata import metadata
from services.store.columns import (
    COUNTED,
    KEYED,
    bigint,
    blob,
    flag,
    given_number,
    integer,
    ordered_index,
    row_number,
    text,
)

_OPEN = sql_text("state = 2")
_CLEARED = sql_text("state = 3")

alerts = Table(
    "alerts",
    metadata,
    # The order in which they were raised first; part of the id, by which a row is found.
    given_number("seq"),
    blob("id"),
    # Empty: about Delphis itself.
    blob("storage_id"),
    # Digest of storage and match key; that of alerts of our own differs from an array's.
    blob("key"),
    # Columns of what the message has, for filters and orders.
    integer("state"),
    integer("severity"),
    integer("category"),
    integer("type"),
    integer("origin"),
    flag("acknowledged"),
    bigint("count"),
    text("vendor"),
    text("model"),
    text("alert_id"),
    text("alert_name"),
    text("sequence_number"),
    text("resource_type"),
    text("native_resource_id"),
    bigint("first_raised_at"),
    bigint("last_raised_at"),
    bigint("cleared_at"),
    # Milliseconds, by the array's clock; where the array does not say it, when it was first reported.
    bigint("occurred_at"),
    # Not in the message that is stored: each poll changes it.
    bigint("last_listed_at"),
    # When an event last told that it was repeated or described otherwise.
    bigint("last_told_at"),
    # delphis.alert.v1.Alert.
    blob("body"),
)
Index("alerts_key", alerts.c.key, unique=True, info={"sqlite": {"where": _OPEN}, "postgresql": {"where": _OPEN}})
# All begin with the state, of which there are two, and end with the time, by which alerts are listed.
ordered_index("alerts_state", alerts, "state", "last_raised_at", then="seq")
ordered_index("alerts_severity", alerts, "state", "severity", "last_raised_at", then="seq")
ordered_index("alerts_storage", alerts, "state", "storage_id", "last_raised_at", then="seq")
ordered_index("alerts_vendor", alerts, "state", "vendor", "last_raised_at", then="seq")
ordered_index("alerts_alert_id", alerts, "state", "alert_id", "last_raised_at", then="seq")
Index(
    "alerts_cleared",
    alerts.c.cleared_at,
    info={"sqlite": {"where": _CLEARED}, "postgresql": {"where": _CLEARED}},
)

alert_events = Table(
    "alert_events",
    metadata,
    # One sequence for all alerts, in the order of commits: one process, one thread writes. With gaps.
    row_number("position"),
    bigint("alert_seq"),
    blob("storage_id"),
    integer("type"),
    bigint("at"),
    # delphis.alert.v1.AlertEvent without its position.
    blob("body"),
    info=COUNTED,
)
ordered_index("alert_events_alert", alert_events, "alert_seq", then="position")

alert_log = Table(
    "alert_log",
    metadata,
    # One row, whose number is 1.
    given_number("no"),
    # The last position that is no longer kept.
    bigint("forgotten"),
    # Up to here old repeats of alerts that are open were removed.
    bigint("swept"),
)

alert_storages = Table(
    "alert_storages",
    metadata,
    blob("storage_id", primary_key=True),
    text("name"),
    text("vendor"),
    text("model"),
    text("serial_number"),
    # The labels as JSON with sorted keys; each is in the next table, too.
    text("labels"),
)

alert_labels = Table(
    "alert_labels",
    metadata,
    blob("storage_id", primary_key=True),
    text("key", primary_key=True, default=None),
    text("value"),
    info=KEYED,
)
Index("alert_labels_value", alert_labels.c.key, alert_labels.c.value, alert_labels.c.storage_id)

alert_settings = Table(
    "alert_settings",
    metadata,
    # One row, whose number is 1.
    given_number("no"),
    # delphis.alert.v1.AlertSettings: what was ever set.
    blob("body"),
)
