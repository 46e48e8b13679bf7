"""Jobs: syncs and removals."""

from __future__ import annotations

from sqlalchemy import Index, Table

from services.inventory.schema.metadata import metadata
from services.store.columns import bigint, blob, flag, integer, text

jobs = Table(
    "jobs",
    metadata,
    blob("id", primary_key=True),
    integer("type"),
    integer("state"),
    integer("storage_no"),
    blob("storage_id"),
    blob("batch_id"),
    # Counts its starts. What writes for the job checks it in the same transaction.
    integer("attempt"),
    flag("cancelled"),
    bigint("created_at"),
    bigint("started_at"),
    bigint("ended_at"),
    text("requested_by"),
    text("error_code"),
    text("error_msg"),
    # KindStates of an ended job: a serialised Job with nothing but `kinds`.
    blob("kinds"),
    # Cores that ended while it ran, and were not stopped.
    integer("deaths"),
    # The core that runs it or has it in its queue, by its number in `store.presence`; 0: none.
    integer("owner"),
)
Index("jobs_storage", jobs.c.storage_no, jobs.c.created_at)
Index("jobs_state", jobs.c.state, jobs.c.created_at)
Index("jobs_batch", jobs.c.batch_id, jobs.c.created_at)
Index("jobs_created", jobs.c.created_at)
