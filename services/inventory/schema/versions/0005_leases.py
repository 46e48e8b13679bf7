"""Hosts announce themselves: leases, the owners of arrays, and tokens for drivers."""

from __future__ import annotations

from alembic import op

from services.store.migrations.rebuild import rebuild

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TOKENS = """CREATE TABLE tokens (
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    scopes TEXT DEFAULT '' NOT NULL,
    created_at BIGINT DEFAULT 0 NOT NULL,
    expires_at BIGINT DEFAULT 0 NOT NULL,
    last_used_at BIGINT DEFAULT 0 NOT NULL,
    driver TEXT DEFAULT '' NOT NULL,
    serves TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name),
    UNIQUE (secret_hash)
)"""
_NEW = (
    """CREATE TABLE array_evictions (
    server_id {text} NOT NULL,
    storage_id {text} NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    since BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (server_id, storage_id)
)""",
    """CREATE TABLE array_owners (
    storage_id {text} NOT NULL,
    server_id {text} DEFAULT '' NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    since BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (storage_id)
)""",
    "CREATE INDEX array_owners_since ON array_owners (since)",
    """CREATE TABLE driver_leases (
    id {blob} NOT NULL,
    driver {text} NOT NULL,
    endpoint {text} NOT NULL,
    version {text} DEFAULT '' NOT NULL,
    serves {text} DEFAULT '' NOT NULL,
    certificate_sha256 {text} DEFAULT '' NOT NULL,
    server_id {text} DEFAULT '' NOT NULL,
    caller {text} DEFAULT '' NOT NULL,
    first_at BIGINT DEFAULT 0 NOT NULL,
    acquired_at BIGINT DEFAULT 0 NOT NULL,
    expires_at BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
)""",
    "CREATE UNIQUE INDEX driver_leases_place ON driver_leases (driver, endpoint)",
    """CREATE TABLE driver_spawners (
    driver {text} NOT NULL,
    process INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (driver)
)""",
)


def upgrade() -> None:
    bind = op.get_bind()
    sqlite = bind.dialect.name == "sqlite"
    text, blob = ("TEXT", "BLOB") if sqlite else ('TEXT COLLATE "C"', "BYTEA")
    for statement in _NEW:
        bind.exec_driver_sql(statement.format(text=text, blob=blob))
    if sqlite:
        rebuild(bind, "tokens", _TOKENS)
        return
    for column in ("driver", "serves"):
        bind.exec_driver_sql(f"ALTER TABLE tokens ADD COLUMN {column} {text} DEFAULT '' NOT NULL")
