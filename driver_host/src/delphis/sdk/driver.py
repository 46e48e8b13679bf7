"""What the author of a driver subclasses."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Iterable, Sequence
from datetime import datetime
from typing import ClassVar, TypeAlias, TypeVar

from delphis.driver.v1.storage_driver_pb2 import AccessField
from delphis.sdk.context import Context
from delphis.sdk.redaction import SECRETS
from delphis.type.v1.access_pb2 import AccessInfo
from delphis.type.v1.alert_pb2 import Alert, AlertSource, Trap, TrapConfig
from delphis.type.v1.block_pb2 import StoragePool, Volume, VolumeGroup
from delphis.type.v1.file_pb2 import Filesystem, Qtree, Quota, Share
from delphis.type.v1.hardware_pb2 import Controller, Disk, Port, PortGroup
from delphis.type.v1.host_pb2 import MaskingView, StorageHost, StorageHostGroup, StorageHostInitiator
from delphis.type.v1.metric_pb2 import Capabilities, MetricBatch, ResourceMetrics
from delphis.type.v1.storage_pb2 import Storage

_T = TypeVar("_T")

#: What a method may return: the answer, or (an `async def` does) a promise of it.
Answer: TypeAlias = _T | Awaitable[_T]
#: What a list method may return: a list, a generator, an async generator, or a promise of one of them.
Listing: TypeAlias = Iterable[_T] | AsyncIterable[_T] | Awaitable[Iterable[_T]] | Awaitable[AsyncIterable[_T]]


class StorageDriver:
    """One array, as the driver of its family sees it.

    The host makes an instance for each storage, and a new one whenever its access info changes; several calls may run
    on it at a time, each in a thread of its own (at most `concurrency`). Override what the array has: `get_storage` and
    any of the others. What is not overridden is not announced, and never called. Each method may be a function, a
    generator, or an `async def` of either kind; `async` methods of all instances share one event loop and must not
    block it.

    Raise the exceptions of `delphis.sdk.errors`. Return the messages of the contract with what the array says; leave a
    field unset where the array says nothing. Fields set by the inventory (`id`, `storage_id`, ...) are ignored.

    Attributes:
        access_info: How to reach the array, secrets included.
    """

    #: What the driver wants to know to reach an array. The host refuses access info that lacks a required field, and
    #: fills in default values, before it makes an instance.
    access_fields: ClassVar[Sequence[AccessField]] = ()
    #: Calls that the array bears at a time.
    concurrency: ClassVar[int] = 4
    #: `list_alerts` names everything that `parse_alert` makes alerts of.
    lists_all_alerts: ClassVar[bool] = False

    def __init__(self, access_info: AccessInfo) -> None:
        """
        Args:
            access_info: How to reach the array. Keep it as it is; it is the host's own copy.
        """
        self.access_info = access_info

    @property
    def storage_id(self) -> str:
        """Id of the storage."""
        return self.access_info.storage_id

    def mask(self, *secrets: str) -> None:
        """Masks texts in logs and errors from now on, such as the token of a session. Access info is masked anyhow.

        Args:
            *secrets: What must not be read.
        """
        SECRETS.add(id(self), secrets)

    # ---- The session ----

    def connect(self, context: Context) -> Answer[None]:
        """Logs in. Called once, before anything else; the calls that wait for the login fail as it does."""

    def close(self) -> Answer[None]:
        """Logs out. Called once, when no call runs on the instance any more."""

    def reset_connection(self, context: Context) -> Answer[None]:
        """Called on a new instance, after `connect`, to prove access info that just changed.

        Override it only where `connect` is not what logs in.
        """

    # ---- The array ----

    def get_storage(self, context: Context) -> Answer[Storage]:
        """What the array says of itself. `serial_number` must be set: it is the array's identity."""
        raise NotImplementedError

    def get_capabilities(self, context: Context) -> Answer[Capabilities]:
        """What this array, with this firmware, can do."""
        raise NotImplementedError

    # ---- Its resources ----

    def list_storage_pools(self, context: Context) -> Listing[StoragePool]:
        """All pools. Capacities in bytes."""
        raise NotImplementedError

    def list_volumes(self, context: Context) -> Listing[Volume]:
        """All volumes. Capacities in bytes."""
        raise NotImplementedError

    def list_controllers(self, context: Context) -> Listing[Controller]:
        """All controllers."""
        raise NotImplementedError

    def list_ports(self, context: Context) -> Listing[Port]:
        """All ports. Speeds in bit/s."""
        raise NotImplementedError

    def list_disks(self, context: Context) -> Listing[Disk]:
        """All disks. Capacities in bytes."""
        raise NotImplementedError

    def list_filesystems(self, context: Context) -> Listing[Filesystem]:
        """All filesystems. Capacities in bytes."""
        raise NotImplementedError

    def list_qtrees(self, context: Context) -> Listing[Qtree]:
        """All qtrees."""
        raise NotImplementedError

    def list_quotas(self, context: Context) -> Listing[Quota]:
        """All quotas. Capacities in bytes."""
        raise NotImplementedError

    def list_shares(self, context: Context) -> Listing[Share]:
        """All shares."""
        raise NotImplementedError

    def list_storage_hosts(self, context: Context) -> Listing[StorageHost]:
        """All hosts that the array knows."""
        raise NotImplementedError

    def list_storage_host_initiators(self, context: Context) -> Listing[StorageHostInitiator]:
        """All initiators of hosts."""
        raise NotImplementedError

    def list_storage_host_groups(self, context: Context) -> Listing[StorageHostGroup]:
        """All groups of hosts, each with its members."""
        raise NotImplementedError

    def list_port_groups(self, context: Context) -> Listing[PortGroup]:
        """All groups of ports, each with its members."""
        raise NotImplementedError

    def list_volume_groups(self, context: Context) -> Listing[VolumeGroup]:
        """All groups of volumes, each with its members."""
        raise NotImplementedError

    def list_masking_views(self, context: Context) -> Listing[MaskingView]:
        """All masking views: each with a host or a host group, and a volume or a volume group."""
        raise NotImplementedError

    # ---- Its alerts ----

    def list_alerts(self, context: Context, begin: datetime | None, end: datetime | None) -> Listing[Alert]:
        """The alerts that are open on the array now.

        Args:
            context: The call.
            begin: Only alerts that occurred then or later, in UTC; None: no limit.
            end: Only alerts that occurred before, in UTC; None: no limit.
        """
        raise NotImplementedError

    def clear_alert(self, context: Context, sequence_number: str) -> Answer[None]:
        """Clears one alert. Succeeds where the array has none with this number."""
        raise NotImplementedError

    @classmethod
    def parse_alert(cls, context: Context, trap: Trap) -> Answer[Alert | Iterable[Alert] | None]:
        """What a trap says. It must not ask the array, which often can't answer then, and has no access info.

        Returns:
            The alert, or several, or None for a trap that the driver doesn't know.

        Raises:
            errors.IncompleteTrapInformation: The trap says too little; the array's alerts are then listed.
        """
        raise NotImplementedError

    def add_trap_config(self, context: Context, trap_config: TrapConfig) -> Answer[None]:
        """Tells the array to send its traps to a receiver. Succeeds where it does so already."""
        raise NotImplementedError

    def remove_trap_config(self, context: Context, trap_config: TrapConfig) -> Answer[None]:
        """Tells the array to send no more traps to a receiver. Succeeds where it didn't."""
        raise NotImplementedError

    def get_alert_sources(self, context: Context) -> Answer[Iterable[AlertSource]]:
        """The addresses from which the array sends traps, beside the one in the access info."""
        raise NotImplementedError

    # ---- Its performance ----

    def collect_perf_metrics(
        self, context: Context, resource_metrics: Sequence[ResourceMetrics], begin: datetime, end: datetime
    ) -> Listing[MetricBatch]:
        """Performance samples with begin <= time < end.

        Args:
            context: The call.
            resource_metrics: What to read: metrics by kind. Empty: all that `get_capabilities` names.
            begin: Begin of the window, in UTC.
            end: End of the window, in UTC; not in it.

        Returns:
            Columns of points in base units (bytes/s, bytes, seconds, operations/s, ratio 0 to 1), at times in UTC. An
            array without history answers with its latest sample, at the time of that sample.
        """
        raise NotImplementedError

    def get_latest_perf_timestamp(self, context: Context) -> Answer[datetime | None]:
        """The time of the newest sample that the array has complete, with its zone; None where it has none."""
        raise NotImplementedError
