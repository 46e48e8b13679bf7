"""Sizes have columns, to filter and to sort by. The next sync fills them."""

from __future__ import annotations

from alembic import op

from services.store.migrations.rebuild import rebuild

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SIZES = {
    "storage_pools": ("total_capacity", "used_capacity", "free_capacity"),
    "volumes": ("total_capacity",),
    "disks": ("capacity",),
    "filesystems": ("total_capacity", "used_capacity", "free_capacity"),
}
_TABLES = {
    "storage_pools": """CREATE TABLE storage_pools (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    storage_type INTEGER DEFAULT 0 NOT NULL,
    total_capacity BIGINT DEFAULT 0 NOT NULL,
    used_capacity BIGINT DEFAULT 0 NOT NULL,
    free_capacity BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
)""",
    "volumes": """CREATE TABLE volumes (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    wwn TEXT DEFAULT '' NOT NULL,
    native_storage_pool_id TEXT DEFAULT '' NOT NULL,
    total_capacity BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
)""",
    "disks": """CREATE TABLE disks (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    physical_type INTEGER DEFAULT 0 NOT NULL,
    logical_type INTEGER DEFAULT 0 NOT NULL,
    serial_number TEXT DEFAULT '' NOT NULL,
    native_disk_group_id TEXT DEFAULT '' NOT NULL,
    capacity BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
)""",
    "filesystems": """CREATE TABLE filesystems (
    seq INTEGER NOT NULL,
    storage_no INTEGER NOT NULL,
    digest BLOB NOT NULL,
    id BLOB NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    status INTEGER DEFAULT 0 NOT NULL,
    type INTEGER DEFAULT 0 NOT NULL,
    security_mode INTEGER DEFAULT 0 NOT NULL,
    native_pool_id TEXT DEFAULT '' NOT NULL,
    total_capacity BIGINT DEFAULT 0 NOT NULL,
    used_capacity BIGINT DEFAULT 0 NOT NULL,
    free_capacity BIGINT DEFAULT 0 NOT NULL,
    updated_at BIGINT DEFAULT 0 NOT NULL,
    missing INTEGER DEFAULT 0 NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq)
)""",
}


def upgrade() -> None:
    bind = op.get_bind()
    for table, columns in _SIZES.items():
        if bind.dialect.name == "sqlite":
            rebuild(bind, table, _TABLES[table])
            continue
        for column in columns:
            bind.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column} BIGINT DEFAULT 0 NOT NULL")
