"""The kinds of resources, one line each: all that the command line knows about them beside the contract.

This module is loaded for `delphis --help` too, so it imports nothing of the contract.
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of resources."""

    command: str
    """Its commands' name."""
    message: str
    """Its message; methods and fields of the contract are named after it."""
    plural: str
    """In words."""
    columns: tuple[str, ...]
    """What a table shows between the name and the storage's id."""

    @property
    def help(self) -> str:
        return f"List and show {self.plural}."


_USED = ("total_capacity", "used_capacity")

KINDS = (
    Kind("storage-pools", "StoragePool", "pools", ("status", "storage_type", *_USED, "free_capacity")),
    Kind("volumes", "Volume", "volumes", ("status", "type", *_USED, "native_storage_pool_id", "wwn")),
    Kind(
        "controllers", "Controller", "controllers", ("status", "location", "soft_version", "cpu_count", "memory_size")
    ),
    Kind("ports", "Port", "ports", ("type", "connection_status", "health_status", "speed", "wwn", "native_parent_id")),
    Kind("disks", "Disk", "disks", ("status", "physical_type", "capacity", "manufacturer", "model", "location")),
    Kind("filesystems", "Filesystem", "filesystems", ("status", "type", *_USED, "native_pool_id")),
    Kind("qtrees", "Qtree", "qtrees", ("path", "native_filesystem_id", "security_mode", "state")),
    Kind(
        *("quotas", "Quota", "quotas"),
        ("type", "native_filesystem_id", "capacity_hard_limit", "capacity_soft_limit", "used_capacity"),
    ),
    Kind("shares", "Share", "shares", ("protocol", "path", "native_filesystem_id", "native_qtree_id")),
    Kind("storage-hosts", "StorageHost", "hosts", ("status", "os_type", "ip_address")),
    Kind("initiators", "StorageHostInitiator", "initiators", ("status", "type", "wwn", "native_storage_host_id")),
    Kind("host-groups", "StorageHostGroup", "groups of hosts", ("storage_hosts",)),
    Kind("port-groups", "PortGroup", "groups of ports", ("ports",)),
    Kind("volume-groups", "VolumeGroup", "groups of volumes", ("volumes",)),
    Kind(
        *("masking-views", "MaskingView", "masking views"),
        (
            *("native_storage_host_id", "native_storage_host_group_id", "native_volume_id"),
            *("native_volume_group_id", "native_port_group_id"),
        ),
    ),
)
BY_COMMAND = {kind.command: kind for kind in KINDS}
