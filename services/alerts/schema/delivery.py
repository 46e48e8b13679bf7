"""Who is told about alerts, how far each has been told, and what is silenced."""

from __future__ import annotations

from sqlalchemy import Index, Table

from services.alerts.schema.metadata import metadata
from services.store.columns import COUNTED, KEYED, bigint, blob, integer, ordered_index, row_number, text

receivers = Table(
    "receivers",
    metadata,
    blob("id", primary_key=True),
    text("name", unique=True),
    # delphis.alert.v1.Receiver without secrets and without what the service sets, serialised.
    blob("receiver"),
    # A Receiver with the secrets alone, serialised and encrypted; empty: it has none.
    blob("secrets"),
    bigint("created_at"),
    bigint("updated_at"),
)

receiver_lanes = Table(
    "receiver_lanes",
    metadata,
    # A lane leads to one address. Most receivers have one, Alertmanager's has one for each member of the cluster.
    row_number("no"),
    blob("receiver_id"),
    integer("ordinal"),
    # The event up to which it was told, or need not be.
    bigint("position"),
    bigint("delivered"),
    bigint("dropped"),
    bigint("last_success_at"),
    info=COUNTED,
)
Index("receiver_lanes_receiver", receiver_lanes.c.receiver_id, receiver_lanes.c.ordinal, unique=True)

told_alerts = Table(
    "told_alerts",
    metadata,
    # Open alerts that a lane was told of, or would have been but for a silence.
    bigint("lane", primary_key=True, autoincrement=False),
    # The alert's `seq`.
    bigint("seq", primary_key=True, autoincrement=False),
    # services.alerts.delivery.standing.Standing
    integer("standing"),
    # By what the receiver knows the alert, where it is not by its id.
    blob("identity"),
    info=KEYED,
)

silences = Table(
    "silences",
    metadata,
    blob("id", primary_key=True),
    # delphis.alert.v1.AlertMatch, serialised.
    blob("match"),
    bigint("starts_at"),
    bigint("ends_at"),
    text("reason"),
    text("created_by"),
    bigint("created_at"),
)
ordered_index("silences_end", silences, "ends_at", then="id")
