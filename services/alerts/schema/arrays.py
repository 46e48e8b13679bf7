"""How the polls of the arrays go, and which alerts of our own are up."""

from __future__ import annotations

from sqlalchemy import Table

from services.alerts.schema.metadata import metadata
from services.store.columns import KEYED, bigint, blob, integer, text

alert_polls = Table(
    "alert_polls",
    metadata,
    blob("storage_id", primary_key=True),
    # 0: nobody knows, 1: it can list alerts, 2: it can't.
    integer("supported"),
    # The driver, with its version, that said so.
    text("driver"),
    bigint("started_at"),
    bigint("ended_at"),
    bigint("last_success_at"),
    bigint("next_at"),
    bigint("listed"),
    integer("failures"),
    text("error_code"),
    text("error_msg"),
    # Lines.
    text("warnings"),
)

own_conditions = Table(
    "own_conditions",
    metadata,
    # What we noticed and reported as an alert of our own, so that it is raised once and cleared once.
    blob("storage_id", primary_key=True),
    text("key", primary_key=True, default=None),
    bigint("since"),
    # How bad it was when it was reported last.
    integer("severity"),
    info=KEYED,
)
