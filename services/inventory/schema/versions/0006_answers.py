"""Kinds know the answer that their rows are, so that the same answer is known by its digest."""

from __future__ import annotations

from alembic import op

from services.store.migrations.rebuild import rebuild

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KIND_STATES = """CREATE TABLE kind_states (
    storage_no INTEGER NOT NULL,
    kind TEXT NOT NULL,
    generation BIGINT DEFAULT 0 NOT NULL,
    loaded INTEGER DEFAULT 0 NOT NULL,
    outcome INTEGER DEFAULT 0 NOT NULL,
    total BIGINT DEFAULT 0 NOT NULL,
    added BIGINT DEFAULT 0 NOT NULL,
    changed BIGINT DEFAULT 0 NOT NULL,
    removed BIGINT DEFAULT 0 NOT NULL,
    missing BIGINT DEFAULT 0 NOT NULL,
    missing_answers INTEGER DEFAULT 0 NOT NULL,
    missing_since BIGINT DEFAULT 0 NOT NULL,
    error_code TEXT DEFAULT '' NOT NULL,
    error_msg TEXT DEFAULT '' NOT NULL,
    warnings TEXT DEFAULT '' NOT NULL,
    started_at BIGINT DEFAULT 0 NOT NULL,
    ended_at BIGINT DEFAULT 0 NOT NULL,
    last_success_at BIGINT DEFAULT 0 NOT NULL,
    answer TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (storage_no, kind)
)
 WITHOUT ROWID"""


def upgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        rebuild(bind, "kind_states", _KIND_STATES)
        return
    bind.exec_driver_sql("ALTER TABLE kind_states ADD COLUMN answer TEXT COLLATE \"C\" DEFAULT '' NOT NULL")
