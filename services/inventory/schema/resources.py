"""One table a kind of resource, all made alike.

A row is the stored message (`body`, spliced into answers unread) and the columns that people filter, sort and join
by. `seq` is the time of creation in microseconds, times 256, plus the writer's number, and never given twice: the table
lies in order of creation, and so do a storage's rows in each index. The native id and, where the message has it, the
identity that tells a replacement (`wwn`, `serial_number`) are fields 1 and 3 of the message.

Indexes are the write cost (0.3 to 4 µs a row each), so besides the three that every table has there is one for `wwn`
and one for each field that refers to another resource. All begin with the storage, whose rows so lie together; a list
of all storages seeks in each. The id has none: it tells `seq`.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Sequence, Table

from services.inventory.schema.metadata import metadata
from services.store.columns import (
    KEYED,
    bigint,
    blob,
    flag,
    given_number,
    integer,
    ordered_index,
    text,
)

WRITER_NUMBERS = "writer_numbers"
Sequence(WRITER_NUMBERS, metadata=metadata)
"""PostgreSQL only: each process that writes takes a number, the last bits of its rows' `seq`."""


def resource_table(name: str, *columns: Column[int] | Column[str]) -> Table:
    """The table of a kind. Columns with `info={"index": others}` are indexed behind the storage, before the others."""
    table = Table(
        name,
        metadata,
        given_number("seq"),
        integer("storage_no", default=None),
        blob("digest"),
        blob("id"),
        text("native_id", default=None),
        text("name"),
        *columns,
        bigint("updated_at"),
        flag("missing"),
        blob("body"),
        # Room for new versions of rows beside the old ones: then PostgreSQL leaves the indexes alone (HOT).
        info={"postgresql": {"with": {"fillfactor": "75"}}},
    )
    Index(f"{name}_native", table.c.storage_no, table.c.native_id, unique=True)
    ordered_index(f"{name}_storage", table, "storage_no", then="seq")
    ordered_index(f"{name}_name", table, "storage_no", "name", then="seq")
    for column in columns:
        if "index" in column.info:
            ordered_index(f"{name}_{column.name}", table, "storage_no", column.name, *column.info["index"], then="seq")
    return table


def enum(name: str) -> Column[int]:
    """An enum by its number."""
    return integer(name)


def size(name: str) -> Column[int]:
    """Bytes. Each costs a first sync 0.3 µs a row, so there are few."""
    return bigint(name)


def reference(name: str, *others: str) -> Column[str]:
    """The native id of another resource of the same array. `others` are filtered by together with it."""
    return text(name, info={"index": others})


def world_wide(name: str) -> Column[str]:
    """A name that is unique in the world, looked for without knowing the array."""
    return text(name, info={"index": ()})


storage_pools = resource_table(
    "storage_pools",
    enum("status"),
    enum("storage_type"),
    size("total_capacity"),
    size("used_capacity"),
    size("free_capacity"),
)
volumes = resource_table(
    "volumes",
    enum("status"),
    enum("type"),
    world_wide("wwn"),
    reference("native_storage_pool_id", "status"),
    size("total_capacity"),
)
controllers = resource_table("controllers", enum("status"))
ports = resource_table(
    "ports",
    enum("connection_status"),
    enum("health_status"),
    enum("type"),
    enum("logical_type"),
    world_wide("wwn"),
    reference("native_parent_id"),
)
disks = resource_table(
    "disks",
    enum("status"),
    enum("physical_type"),
    enum("logical_type"),
    text("serial_number"),
    text("native_disk_group_id"),
    size("capacity"),
)
filesystems = resource_table(
    "filesystems",
    enum("status"),
    enum("type"),
    enum("security_mode"),
    reference("native_pool_id"),
    size("total_capacity"),
    size("used_capacity"),
    size("free_capacity"),
)
qtrees = resource_table("qtrees", text("state"), enum("security_mode"), reference("native_filesystem_id"))
quotas = resource_table(
    "quotas",
    enum("type"),
    reference("native_filesystem_id"),
    reference("native_qtree_id"),
    text("user_group_name"),
)
shares = resource_table("shares", enum("protocol"), reference("native_filesystem_id"), reference("native_qtree_id"))
storage_host_initiators = resource_table(
    "storage_host_initiators", enum("status"), enum("type"), world_wide("wwn"), reference("native_storage_host_id")
)
storage_hosts = resource_table("storage_hosts", enum("status"), enum("os_type"), text("ip_address"))
storage_host_groups = resource_table("storage_host_groups")
port_groups = resource_table("port_groups")
volume_groups = resource_table("volume_groups")
masking_views = resource_table(
    "masking_views",
    reference("native_storage_host_group_id"),
    reference("native_volume_group_id"),
    reference("native_port_group_id"),
    reference("native_storage_host_id"),
    reference("native_volume_id"),
)

members = Table(
    "members",
    metadata,
    # What repeated fields refer to: a group's members, a pool's disks.
    integer("storage_no", primary_key=True, default=None, autoincrement=False),
    # `kind.field`
    text("relation", primary_key=True, default=None),
    text("native_id", primary_key=True, default=None),
    text("member", primary_key=True, default=None),
    info=KEYED,
)
Index("members_member", members.c.storage_no, members.c.relation, members.c.member, members.c.native_id)

tombstones = Table(
    "tombstones",
    metadata,
    # What was removed keeps its id for 30 days, for alerts and history, and gets it back if it returns.
    given_number("seq"),
    integer("storage_no", default=None),
    text("kind", default=None),
    text("native_id", default=None),
    text("identity"),
    blob("id"),
    text("name"),
    bigint("removed_at"),
)
Index("tombstones_native", tombstones.c.storage_no, tombstones.c.kind, tombstones.c.native_id)
Index("tombstones_id", tombstones.c.id)
Index("tombstones_removed", tombstones.c.removed_at)
