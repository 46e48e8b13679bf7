"""Hosts, their initiators, host groups, and the masking views that give them volumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from delphis.sdk import (
    HostOsType,
    HostStatus,
    InitiatorStatus,
    InitiatorType,
    MaskingView,
    StorageHost,
    StorageHostGroup,
    StorageHostInitiator,
)

from . import volumes
from .array import Array, Snapshot
from .hardware import port_group_id

_SYSTEMS = (
    ("esx", HostOsType.HOST_OS_TYPE_VMWARE_ESX),
    ("lnx", HostOsType.HOST_OS_TYPE_LINUX),
    ("lnx", HostOsType.HOST_OS_TYPE_LINUX),
    ("win", HostOsType.HOST_OS_TYPE_WINDOWS),
    ("aix", HostOsType.HOST_OS_TYPE_AIX),
)
_MOST_MEMBERS = 200


def list_storage_hosts(snapshot: Snapshot) -> Iterator[StorageHost]:
    array = snapshot.array
    for index in range(array.counts["storage_hosts"]):
        prefix, os_type = _system(array, index)
        yield StorageHost(
            native_storage_host_id=host_id(index),
            name=f"{prefix}-{index:04d}",
            description=f"Host {index} of {array.identity.short}",
            os_type=os_type,
            status=HostStatus.HOST_STATUS_OFFLINE if _is_offline(array, index) else HostStatus.HOST_STATUS_NORMAL,
            ip_address=array.identity.ipv4(8, index),
        )


def _system(array: Array, host: int) -> tuple[str, HostOsType.ValueType]:
    return array.dice("storage_hosts").pick(_SYSTEMS, host)


def _is_offline(array: Array, host: int) -> bool:
    return array.dice("storage_hosts").one_in(15, host, 1)


def list_storage_host_initiators(snapshot: Snapshot) -> Iterator[StorageHostInitiator]:
    """The hosts have initiators in turn. Every fourth host uses iSCSI, the others Fibre Channel."""
    array = snapshot.array
    hosts = array.counts["storage_hosts"]
    for index in range(array.counts["storage_host_initiators"]):
        host, place = (index % hosts, index // hosts) if hosts else (0, index)
        message = StorageHostInitiator(
            native_storage_host_initiator_id=initiator_id(index),
            alias=f"host-{host:04d}-{place}",
            status=(
                InitiatorStatus.INITIATOR_STATUS_OFFLINE
                if _is_offline(array, host)
                else InitiatorStatus.INITIATOR_STATUS_ONLINE
            ),
        )
        if host % 4 == 3:
            message.type = InitiatorType.INITIATOR_TYPE_ISCSI
            message.name = array.identity.iqn(host, place)
        else:
            message.type = InitiatorType.INITIATOR_TYPE_FC
            message.wwn = message.name = array.identity.initiator_wwn(index)
        if hosts:
            message.native_storage_host_id = host_id(host)
        yield message


# Two thirds of the hosts are in groups, the others stand alone.


def _grouped(array: Array) -> range:
    hosts = array.counts["storage_hosts"]
    return range((hosts * 2 + 2) // 3)


def _members(array: Array, group: int) -> Sequence[int]:
    grouped, groups = _grouped(array), array.counts["storage_host_groups"]
    return grouped[group::groups][:_MOST_MEMBERS] or (grouped[group % len(grouped)],) if grouped else ()


def list_storage_host_groups(snapshot: Snapshot) -> Iterator[StorageHostGroup]:
    array = snapshot.array
    for group in range(array.counts["storage_host_groups"]):
        yield StorageHostGroup(
            native_storage_host_group_id=host_group_id(group),
            name=f"cluster-{group:04d}",
            description="Hosts of one cluster",
            storage_hosts=[host_id(host) for host in _members(array, group)],
        )


def list_masking_views(snapshot: Snapshot) -> Iterator[MaskingView]:
    """Every third view is of one host, every fourth of one volume, the others of groups."""
    array = snapshot.array
    host_groups, volume_groups = array.counts["storage_host_groups"], array.counts["volume_groups"]
    port_groups = array.counts["port_groups"]
    for view in range(array.counts["masking_views"]):
        message = MaskingView(
            native_masking_view_id=masking_view_id(view), name=f"view-{view:04d}", description="Generated view"
        )
        host = _single_host(array, view)
        if host is not None and (view % 3 == 2 or not host_groups):
            message.native_storage_host_id = host_id(host)
        elif host_groups:
            message.native_storage_host_group_id = host_group_id(view % host_groups)
        volume = volumes.single(snapshot, view)
        if volume is not None and (view % 4 == 3 or not volume_groups):
            message.native_volume_id = snapshot.volume_id(volume)
        elif volume_groups:
            message.native_volume_group_id = volumes.volume_group_id(view % volume_groups)
        if port_groups:
            message.native_port_group_id = port_group_id(view % port_groups)
        yield message


def _single_host(array: Array, view: int) -> int | None:
    hosts = array.counts["storage_hosts"]
    alone = range(_grouped(array).stop, hosts) or range(hosts)
    return alone[view % len(alone)] if alone else None


def host_id(index: int) -> str:
    return f"host-{index:04d}"


def initiator_id(index: int) -> str:
    return f"init-{index:04d}"


def host_group_id(group: int) -> str:
    return f"hg-{group:04d}"


def masking_view_id(view: int) -> str:
    return f"mv-{view:04d}"
