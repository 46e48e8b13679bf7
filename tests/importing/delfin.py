"""A database as Delfin leaves it behind, built here from what is known of its tables."""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    insert,
)

PASSWORD = "sentinel-81d2-pässword"
SECRET_ATTRIBUTE = "sentinel-5e0c-attribute"

metadata = MetaData()


def _table(name: str, *columns: Column[Any], key: str = "id") -> Table:
    return Table(
        name,
        metadata,
        Column(key, String(36), primary_key=True),
        *columns,
        Column("created_at", DateTime),
        Column("updated_at", DateTime),
    )


def _texts(*names: str) -> list[Column[Any]]:
    return [Column(name, String(255)) for name in names]


def _sizes(*names: str) -> list[Column[Any]]:
    return [Column(name, BigInteger) for name in names]


_CAPACITIES = ("total_capacity", "used_capacity", "free_capacity", "raw_capacity", "subscribed_capacity")
storages = _table(
    "storages",
    *_texts("name", "description", "location", "status", "vendor", "model", "serial_number", "firmware_version"),
    *_sizes(*_CAPACITIES),
    Column("sync_status", Integer),
    Column("deleted_at", DateTime),
    Column("deleted", Boolean),
)
access_info = _table(
    "access_info",
    *_texts("storage_name", "vendor", "model"),
    *(Column(name, JSON(none_as_null=True)) for name in ("rest", "ssh", "cli", "smis", "extra_attributes")),
    key="storage_id",
)
volumes = _table("volumes", *_texts("native_volume_id", "name", "storage_id", "wwn"), *_sizes("total_capacity"))
alert_source = _table(
    "alert_source",
    *_texts("host", "version", "community_string", "username", "auth_key"),
    Column("port", Integer),
    key="storage_id",
)
tasks = Table("tasks", metadata, Column("id", Integer, primary_key=True), *_texts("storage_id", "method"))
# What is there, and empty.
for _name in ("storage_pools", "controllers", "ports", "disks", "quota", "failed_tasks", "vol_grp_vol_rels"):
    _table(_name, *_texts("storage_id"))


class Delfin:
    """A Delfin database that is being filled."""

    def __init__(self, engine: Engine, *, without: Sequence[Table] = ()) -> None:
        self.engine = engine
        metadata.create_all(engine, tables=[table for table in metadata.sorted_tables if table not in without])
        self.at = dt.datetime(2024, 2, 14, 9, 30, tzinfo=dt.UTC).replace(tzinfo=None)  # Delfin keeps UTC so

    def storage(self, storage_id: str | None = None, **values: Any) -> str:
        """A row of `storages`; its id."""
        storage_id = storage_id or str(uuid.uuid4())
        self.at += dt.timedelta(seconds=1)
        row = {"id": storage_id, "name": "fake_driver", "vendor": "fake_vendor", "model": "fake_model",
               "status": "normal", "total_capacity": 1500, "sync_status": 0, "created_at": self.at}  # fmt: skip
        self.add(storages, {**row, **values})
        return storage_id

    def access(self, storage_id: str, **values: Any) -> None:
        """A row of `access_info`."""
        row = {"storage_id": storage_id, "vendor": "fake_storage", "model": "fake_driver", "created_at": self.at}
        self.add(access_info, {**row, **values})

    def array(self, port: int, **values: Any) -> str:
        """A generated array with its access info; the storage's id."""
        storage_id = self.storage()
        self.access(storage_id, **{"rest": rest(port), **values})
        return storage_id

    def add(self, table: Table, *rows: dict[str, Any]) -> None:
        """Rows of any table."""
        with self.engine.begin() as connection:
            connection.execute(insert(table), list(rows))


def encoded(password: str = PASSWORD) -> str:
    """A password as Delfin's own cryptor leaves it."""
    return base64.b64encode(password.encode()).decode()


def rest(port: int | str | None, **values: Any) -> dict[str, Any]:
    """A block for REST."""
    block = {"host": "127.31.0.1", "port": port, "username": "admin", "password": encoded()}
    return {**block, **values}


def ssh_key(key_type: str = "ssh-ed25519") -> str:
    """A host key as known_hosts has it, without its type."""
    blob = len(key_type).to_bytes(4, "big") + key_type.encode() + (32).to_bytes(4, "big") + bytes(range(32))
    return base64.b64encode(blob).decode()
