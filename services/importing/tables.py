"""Delfin's tables: which are read, and why the others are not taken."""

from __future__ import annotations

STORAGES = "storages"
ACCESS_INFO = "access_info"
ALERT_SOURCE = "alert_source"

STORAGE_COLUMNS = (
    *("id", "name", "description", "location", "vendor", "model", "serial_number", "firmware_version"),
    *("deleted", "deleted_at", "created_at"),
)
ACCESS_COLUMNS = ("storage_id", "storage_name", "vendor", "model", "rest", "ssh", "cli", "smis", "extra_attributes")
ALERT_COLUMNS = (
    *("storage_id", "host", "version", "community_string", "username", "security_level", "auth_key", "auth_protocol"),
    *("privacy_protocol", "privacy_key", "engine_id", "port", "context_name", "retry_num", "expiration"),
)
NEEDED = {STORAGES: ("id",), ACCESS_INFO: ("storage_id", "vendor", "model")}

ORDER_COLUMN = "created_at"
"""Storages are imported in this order; the value itself stays behind."""

_SYNCED = "the first sync reads it from the arrays"
_LEFT_COLUMNS: dict[str, dict[str, str]] = {
    STORAGES: {
        "status": _SYNCED,
        "sync_status": "it is about Delfin's own syncs",
        "created_at": "the order of registration is kept, the times are those of the import",
        **dict.fromkeys(
            ("total_capacity", "used_capacity", "free_capacity", "raw_capacity", "subscribed_capacity"), _SYNCED
        ),
        "updated_at": "it is about Delfin's own syncs",
    },
    ACCESS_INFO: dict.fromkeys(("created_at", "updated_at"), "the times are those of the import"),
}
_LEFT_TABLES = {
    **dict.fromkeys(
        (
            *("storage_pools", "volumes", "controllers", "ports", "disks", "filesystems", "qtrees", "quota", "shares"),
            *("storage_host_initiators", "storage_hosts", "storage_host_groups", "port_groups", "volume_groups"),
            *("masking_views", "storage_host_grp_host_rels", "port_grp_port_rels", "vol_grp_vol_rels"),
        ),
        f"{_SYNCED}, with new ids",
    ),
    "tasks": "performance collection is set up from what the drivers announce",
    "failed_tasks": "belong to Delfin's own collection",
}
_UNKNOWN = "not a part of Delfin that is known here"


def why_not_table(name: str) -> str:
    """Why a table is not taken."""
    return _LEFT_TABLES.get(name, _UNKNOWN)


def why_not_column(table: str, name: str) -> str:
    """Why a column of a table that is read is not taken."""
    return _LEFT_COLUMNS[table].get(name, _UNKNOWN)
