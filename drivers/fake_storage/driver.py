"""The driver of generated arrays: `fake_storage fake_driver`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from google.protobuf.message import Message

from delphis.sdk import (
    AccessInfo,
    Alert,
    AlertSource,
    Capabilities,
    Context,
    Controller,
    Disk,
    Filesystem,
    MaskingView,
    MetricBatch,
    Port,
    PortGroup,
    Qtree,
    Quota,
    ResourceMetrics,
    Share,
    Storage,
    StorageDriver,
    StorageHost,
    StorageHostGroup,
    StorageHostInitiator,
    StoragePool,
    Trap,
    TrapConfig,
    Volume,
    VolumeGroup,
    errors,
)

from . import alerts, faults, files, hardware, hosts, pools, settings, trouble, volumes
from .access_fields import ACCESS_FIELDS
from .array import Array, Snapshot
from .memory import Memory
from .performance import Performance

M = TypeVar("M", bound=Message)

_REFUSED = "wrong"
_RECEIVERS = "trap_receivers"


class FakeStorageDriver(StorageDriver):
    """An array that exists only as arithmetic on its address. The README lists what can be set."""

    access_fields = ACCESS_FIELDS

    def __init__(self, access_info: AccessInfo) -> None:
        super().__init__(access_info)
        self._settings = settings.read(access_info)
        self._array = Array(self._settings)
        key = (access_info.storage_id, str(access_info.revision), self._settings.identity.serial_number)
        self._trouble = trouble.Trouble(self._settings.faults, key, self._array.dice("faults"))
        self._performance = Performance(self._array)
        self._memory = Memory(*key)
        self._receivers = Memory(access_info.storage_id, self._settings.identity.serial_number)

    def connect(self, context: Context) -> None:
        trouble.pause(context, self._settings.latency[settings.LOGIN])
        info = self.access_info
        for block in (info.rest, info.ssh, info.cli, info.smis):
            if block.password == _REFUSED:
                raise errors.InvalidUsernameOrPassword(
                    f"The array at {self._settings.identity.address} refused the user {block.username!r}.",
                    user=block.username,
                )
        if info.extra_attributes.get("token") == _REFUSED or info.rest.token == _REFUSED:
            raise errors.InvalidCredential(f"The array at {self._settings.identity.address} refused the token.")
        self._trouble.strike("login")

    def get_storage(self, context: Context) -> Storage:
        happening = self._trouble.strike("storage")
        trouble.pause(context, self._settings.latency["storage"])
        storage = pools.storage(self._array.now("storage"))
        if receivers := self._receivers.read(_RECEIVERS):
            storage.native["trap_receivers"] = ", ".join(receivers)
        return trouble.spoil_storage(happening, storage)

    def get_capabilities(self, context: Context) -> Capabilities:
        return self._performance.capabilities()

    def list_storage_pools(self, context: Context) -> Iterator[StoragePool]:
        return self._list(context, "storage_pools", StoragePool, pools.list_storage_pools)

    def list_volumes(self, context: Context) -> Iterator[Volume]:
        return self._list(context, "volumes", Volume, volumes.list_volumes)

    def list_controllers(self, context: Context) -> Iterator[Controller]:
        return self._list(context, "controllers", Controller, hardware.list_controllers)

    def list_ports(self, context: Context) -> Iterator[Port]:
        return self._list(context, "ports", Port, hardware.list_ports)

    def list_disks(self, context: Context) -> Iterator[Disk]:
        return self._list(context, "disks", Disk, pools.list_disks)

    def list_filesystems(self, context: Context) -> Iterator[Filesystem]:
        return self._list(context, "filesystems", Filesystem, files.list_filesystems)

    def list_qtrees(self, context: Context) -> Iterator[Qtree]:
        return self._list(context, "qtrees", Qtree, files.list_qtrees)

    def list_quotas(self, context: Context) -> Iterator[Quota]:
        return self._list(context, "quotas", Quota, files.list_quotas)

    def list_shares(self, context: Context) -> Iterator[Share]:
        return self._list(context, "shares", Share, files.list_shares)

    def list_storage_hosts(self, context: Context) -> Iterator[StorageHost]:
        return self._list(context, "storage_hosts", StorageHost, hosts.list_storage_hosts)

    def list_storage_host_initiators(self, context: Context) -> Iterator[StorageHostInitiator]:
        return self._list(context, "storage_host_initiators", StorageHostInitiator, hosts.list_storage_host_initiators)

    def list_storage_host_groups(self, context: Context) -> Iterator[StorageHostGroup]:
        return self._list(context, "storage_host_groups", StorageHostGroup, hosts.list_storage_host_groups)

    def list_port_groups(self, context: Context) -> Iterator[PortGroup]:
        return self._list(context, "port_groups", PortGroup, hardware.list_port_groups)

    def list_volume_groups(self, context: Context) -> Iterator[VolumeGroup]:
        return self._list(context, "volume_groups", VolumeGroup, volumes.list_volume_groups)

    def list_masking_views(self, context: Context) -> Iterator[MaskingView]:
        return self._list(context, "masking_views", MaskingView, hosts.list_masking_views)

    def collect_perf_metrics(
        self, context: Context, resource_metrics: Sequence[ResourceMetrics], begin: datetime, end: datetime
    ) -> Iterator[MetricBatch]:
        happening = self._trouble.strike(faults.METRICS)
        trouble.pause(context, self._settings.latency[faults.METRICS])
        batches = self._performance.collect(resource_metrics, begin, end)
        if not happening:
            return batches
        listed = list(batches)
        return trouble.spoil(happening, context, faults.METRICS, MetricBatch, iter(listed), len(listed))

    def get_latest_perf_timestamp(self, context: Context) -> datetime:
        return datetime.fromtimestamp(self._performance.latest(), UTC)

    def list_alerts(self, context: Context, begin: datetime | None, end: datetime | None) -> Iterator[Alert]:
        happening = self._trouble.strike(faults.ALERTS)
        listed = list(alerts.list_alerts(self._array, self._memory, begin, end))
        return trouble.spoil(happening, context, faults.ALERTS, Alert, iter(listed), len(listed))

    def clear_alert(self, context: Context, sequence_number: str) -> None:
        alerts.clear_alert(self._memory, sequence_number)

    @classmethod
    def parse_alert(cls, context: Context, trap: Trap) -> Alert | None:
        return alerts.parse_alert(trap)

    def get_alert_sources(self, context: Context) -> Iterator[AlertSource]:
        return alerts.alert_sources(self._settings.trap_sources)

    def add_trap_config(self, context: Context, trap_config: TrapConfig) -> None:
        self._receivers.add(_RECEIVERS, f"{trap_config.host}:{trap_config.port}")

    def remove_trap_config(self, context: Context, trap_config: TrapConfig) -> None:
        self._receivers.remove(_RECEIVERS, f"{trap_config.host}:{trap_config.port}")

    def _list(
        self, context: Context, kind: str, cls: type[M], generate: Callable[[Snapshot], Iterator[M]]
    ) -> Iterator[M]:
        happening = self._trouble.strike(kind)
        trouble.pause(context, self._settings.latency[kind])
        snapshot = self._array.now(kind)
        items = generate(snapshot)
        if not happening:
            return items
        low, high = snapshot.volumes if kind == "volumes" else (0, self._settings.counts[kind])
        return trouble.spoil(happening, context, kind, cls, items, high - low)
