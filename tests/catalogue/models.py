"""What SODA Delfin's clients know of every model: fields, types, texts of enums, filters. Written out by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

TIMES = ("created_at", "updated_at")
ORDERED = ("name", "wwn", "serial_number", "native_port_group_id", "native_volume_group_id")
STATES = ("normal", "offline", "abnormal", "degraded", "unknown")
SECURITY = ("mixed", "native", "ntfs", "unix", "unknown")


@dataclass(frozen=True)
class Model:
    """A kind of resources. `dead` filters never found anything in Delfin; with us they do, or are refused by name."""

    path: str
    key: str
    not_found: str
    native: str
    texts: tuple[str, ...] = ()
    natives: tuple[str, ...] = ()
    integers: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    """The integers that lists are ordered by."""
    flags: tuple[str, ...] = ()
    enums: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    lists: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    revived: dict[str, str] = field(default_factory=dict[str, str])
    """Dead filters that work with us, by the field that they mean."""
    refused: tuple[str, ...] = ()
    """Filters that did nothing there, and that no list has here."""
    ignored: tuple[str, ...] = ()
    """Documented there, ignored in fact: the answer was the unfiltered list."""
    of_storage: bool = False
    """Listed there below a storage only."""

    @property
    def fields(self) -> set[str]:
        """All fields that Delfin answers with."""
        return {
            *("id", "storage_id", self.native, *TIMES),
            *(*self.texts, *self.natives, *self.integers, *self.flags, *self.enums, *self.lists),
        }

    @property
    def sorts(self) -> set[str]:
        """By what it is ordered, of texts: what is filtered by has an order too."""
        texts = {*self.texts, *self.natives, self.native}
        known = {*self.filters, *self.revived.values(), *self.ignored, *ORDERED}
        return texts & known

    @property
    def unsorted(self) -> set[str]:
        """By what Delfin ordered and we don't: fields that stand in the stored message only."""
        known = {*self.filters, *self.revived.values(), *self.ignored, *self.enums, *ORDERED, *TIMES, *self.sizes}
        return self.fields - known - {"id", "storage_id"} | ({"worm"} & self.fields)

    @property
    def paths(self) -> tuple[str, ...]:
        """Where Delfin lists it, then where only we do."""
        below, plain = f"/v1/storages/{{a}}/{self.path}", f"/v1/{self.path}"
        return (below, plain) if self.of_storage else (plain, below)


CAPACITIES = ("total_capacity", "used_capacity", "free_capacity")

MODELS = (
    Model(
        "storage-pools",
        "storage_pools",
        "StoragePoolNotFound",
        "native_storage_pool_id",
        texts=("name", "description"),
        integers=(*CAPACITIES, "subscribed_capacity"),
        sizes=CAPACITIES,
        enums={"status": STATES, "storage_type": ("block", "file", "unified", "unknown")},
        filters=("name", "status", "id", "storage_id", "native_storage_pool_id"),
    ),
    Model(
        "volumes",
        "volumes",
        "VolumeNotFound",
        "native_volume_id",
        texts=("name", "description", "wwn"),
        natives=("native_storage_pool_id",),
        integers=CAPACITIES,
        sizes=("total_capacity",),
        flags=("compressed", "deduplicated"),
        enums={
            "status": ("available", "error", "normal", "offline", "degraded", "abnormal", "unknown"),
            "type": ("thick", "thin", "unknown"),
        },
        filters=("name", "status", "id", "storage_id", "wwn", "native_volume_id", "native_storage_pool_id"),
    ),
    Model(
        "controllers",
        "controllers",
        "ControllerNotFound",
        "native_controller_id",
        texts=("name", "location", "soft_version", "cpu_info", "mgmt_ip"),
        integers=("cpu_count", "memory_size"),
        enums={"status": ("normal", "offline", "fault", "degraded", "unknown")},
        filters=("name", "status", "id", "storage_id", "native_controller_id"),
    ),
    Model(
        "ports",
        "ports",
        "PortNotFound",
        "native_port_id",
        texts=("name", "location", "wwn", "mac_address", "ipv4", "ipv4_mask", "ipv6", "ipv6_mask"),
        natives=("native_parent_id",),
        integers=("speed", "max_speed"),
        enums={
            "type": (
                *("fc", "iscsi", "ficon", "fcoe", "eth", "sas", "ib", "logic", "cifs", "nfs", "fcache", "combo"),
                *("cna", "rcip", "nfs-cifs", "other", "unknown"),
            ),
            "logical_type": (
                *("frontend", "backend", "service", "management", "internal", "maintenance", "interconnect", "cluster"),
                *("data", "node-mgmt", "intercluster", "cluster-mgmt", "physical", "if-group", "vlan", "other"),
                "unknown",
            ),
            "connection_status": ("connected", "disconnected", "unknown"),
            "health_status": ("normal", "abnormal", "unknown"),
        },
        filters=("name", "id", "storage_id", "wwn", "native_port_id"),
        revived={"status": "health_status", "native_controller_id": "native_parent_id"},
        ignored=("connection_status", "health_status"),
    ),
    Model(
        "disks",
        "disks",
        "DiskNotFound",
        "native_disk_id",
        texts=("name", "location", "serial_number", "manufacturer", "model", "firmware"),
        natives=("native_disk_group_id",),
        integers=("speed", "capacity", "health_score"),
        sizes=("capacity",),
        enums={
            "physical_type": (
                *("sata", "sas", "ssd", "nl-ssd", "fc", "lun", "ata", "flash", "vmdisk", "nl-sas", "ssd-card"),
                *("sas-flash-vp", "hdd", "nvme-ssd", "unknown"),
            ),
            "logical_type": (
                *("free", "member", "hotspare", "cache", "aggregate", "broken", "foreign", "labelmaint"),
                *("maintenance", "shared", "spare", "unassigned", "unsupported", "remote", "mediator", "data"),
                "unknown",
            ),
            "status": ("normal", "abnormal", "degraded", "offline", "unknown"),
        },
        filters=("name", "status", "id", "storage_id", "native_disk_id"),
        ignored=("native_disk_group_id",),
    ),
    Model(
        "filesystems",
        "filesystems",
        "FilesystemNotFound",
        "native_filesystem_id",
        texts=("name",),
        natives=("native_pool_id",),
        integers=CAPACITIES,
        sizes=CAPACITIES,
        flags=("compressed", "deduplicated"),
        enums={
            "status": ("normal", "faulty", "unknown"),
            "type": ("thick", "thin", "unknown"),
            "security_mode": SECURITY,
            "worm": ("non_worm", "audit_log", "compliance", "enterprise", "unknown"),
        },
        filters=("name", "status", "id", "storage_id", "native_filesystem_id"),
        ignored=("security_mode", "native_pool_id"),
    ),
    Model(
        "qtrees",
        "qtrees",
        "QtreeNotFound",
        "native_qtree_id",
        texts=("name", "path"),
        natives=("native_filesystem_id",),
        enums={"security_mode": SECURITY},
        filters=("name", "id", "storage_id", "native_filesystem_id", "native_qtree_id"),
        revived={"state": "state"},
        ignored=("security_mode",),
    ),
    Model(
        "quotas",
        "quotas",
        "QuotaNotFound",
        "native_quota_id",
        texts=("user_group_name",),
        natives=("native_filesystem_id", "native_qtree_id"),
        integers=(
            *("capacity_hard_limit", "capacity_soft_limit", "file_hard_limit", "file_soft_limit"),
            *("file_count", "used_capacity"),
        ),
        enums={"type": ("tree", "user", "group", "unknown")},
        filters=(
            *("id", "storage_id", "type", "native_quota_id", "native_filesystem_id", "native_qtree_id"),
            "user_group_name",
        ),
        revived={"name": "name"},
        refused=("status",),
    ),
    Model(
        "shares",
        "shares",
        "ShareNotFound",
        "native_share_id",
        texts=("name", "path"),
        natives=("native_filesystem_id", "native_qtree_id"),
        enums={"protocol": ("cifs", "nfs", "ftp", "hdfs", "unknown")},
        filters=("name", "id", "storage_id", "native_share_id"),
        refused=("status",),
        ignored=("protocol", "native_filesystem_id", "native_qtree_id"),
    ),
    Model(
        "storage-host-initiators",
        "storage_host_initiators",
        "StorageHostInitiatorNotFound",
        "native_storage_host_initiator_id",
        texts=("name", "description", "alias", "wwn"),
        natives=("native_storage_host_id",),
        enums={
            "status": ("online", "offline", "unknown"),
            "type": ("fc", "iscsi", "roce", "sas", "nvme-of", "unknown"),
        },
        filters=("name", "status", "wwn", "id", "native_storage_host_id", "native_storage_host_initiator_id"),
        refused=("alias", "description"),
        of_storage=True,
    ),
    Model(
        "storage-hosts",
        "storage_hosts",
        "StorageHostNotFound",
        "native_storage_host_id",
        texts=("name", "description", "ip_address"),
        enums={
            "os_type": (
                *("Linux", "Windows", "Solaris", "HP-UX", "AIX", "XenServer", "VMware ESX", "LINUX_VIS"),
                *("Windows Server 2012", "Oracle VM", "Open VMS", "Mac OS", "unknown"),
            ),
            "status": STATES,
        },
        lists=("storage_host_initiators",),
        filters=("name", "status", "id", "native_storage_host_id"),
        ignored=("ip_address", "os_type"),
        of_storage=True,
    ),
    Model(
        "storage-host-groups",
        "storage_host_groups",
        "StorageHostGroupNotFound",
        "native_storage_host_group_id",
        texts=("name", "description"),
        lists=("storage_hosts",),
        filters=("name", "id", "native_storage_host_group_id"),
        of_storage=True,
    ),
    Model(
        "port-groups",
        "port_groups",
        "PortGroupNotFound",
        "native_port_group_id",
        texts=("name", "description"),
        lists=("ports",),
        filters=("name", "id", "native_port_group_id"),
        of_storage=True,
    ),
    Model(
        "volume-groups",
        "volume_groups",
        "VolumeGroupNotFound",
        "native_volume_group_id",
        texts=("name", "description"),
        lists=("volumes",),
        filters=("name", "id", "native_volume_group_id"),
        of_storage=True,
    ),
    Model(
        "masking-views",
        "masking_views",
        "MaskingViewNotFound",
        "native_masking_view_id",
        texts=("name", "description"),
        natives=(
            *("native_storage_host_group_id", "native_volume_group_id", "native_port_group_id"),
            *("native_storage_host_id", "native_volume_id"),
        ),
        filters=(
            *("name", "id", "native_masking_view_id", "native_storage_host_group_id", "native_storage_host_id"),
            "native_volume_id",
        ),
        revived={
            "native_storage_port_group_id": "native_port_group_id",
            "native_storage_volume_group_id": "native_volume_group_id",
        },
        refused=("native_port_id",),
        ignored=("native_volume_group_id", "native_port_group_id"),
        of_storage=True,
    ),
)

STORAGE: dict[str, type] = {
    "id": str, "name": str, "description": str, "location": str, "status": str, "sync_status": str, "vendor": str,
    "model": str, "serial_number": str, "firmware_version": str, "total_capacity": int, "used_capacity": int,
    "free_capacity": int, "raw_capacity": int, "subscribed_capacity": int, "created_at": str, "updated_at": type(None),
    "deleted_at": type(None), "deleted": bool,
}  # fmt: skip
ACCESS_INFO: dict[str, type] = {
    "storage_id": str, "storage_name": str, "vendor": str, "model": str, "rest": dict, "ssh": dict, "cli": dict,
    "smis": dict, "extra_attributes": dict, "created_at": str, "updated_at": type(None),
}  # fmt: skip
