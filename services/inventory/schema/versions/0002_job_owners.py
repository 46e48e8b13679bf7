"""Jobs know which core has them, and how many cores ended while they ran."""

from __future__ import annotations

from alembic import op

from services.store.migrations.rebuild import rebuild

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_JOBS = """CREATE TABLE jobs (
    id BLOB NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    state INTEGER DEFAULT 0 NOT NULL,
    storage_no INTEGER DEFAULT 0 NOT NULL,
    storage_id BLOB NOT NULL,
    batch_id BLOB NOT NULL,
    attempt INTEGER DEFAULT 0 NOT NULL,
    cancelled INTEGER DEFAULT 0 NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    ended_at BIGINT DEFAULT 0 NOT NULL,
    requested_by TEXT DEFAULT '' NOT NULL,
    error_code TEXT DEFAULT '' NOT NULL,
    error_msg TEXT DEFAULT '' NOT NULL,
    kinds BLOB NOT NULL,
    deaths INTEGER DEFAULT 0 NOT NULL,
    owner INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
)"""


def upgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        rebuild(bind, "jobs", _JOBS)
        return
    for column in ("deaths", "owner"):
        bind.exec_driver_sql(f"ALTER TABLE jobs ADD COLUMN {column} INTEGER DEFAULT 0 NOT NULL")
