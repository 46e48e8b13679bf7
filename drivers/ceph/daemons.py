"""Monitors and managers: the controllers of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from delphis.sdk import Controller, ControllerStatus

from .cluster import version_of
from .quantities import words


def controllers_of(
    monitor: Mapping[str, Any], manager_map: Mapping[str, Any], hosts: Sequence[Any]
) -> Iterator[Controller]:
    """All monitors and managers.

    Args:
        monitor: `/api/monitor`.
        manager_map: `mgr_map` of `/api/health/full`.
        hosts: `/api/host`: where daemons run, and in which version.
    """
    homes = _homes(hosts)
    leader = monitor["mon_status"].get("name") if monitor["mon_status"].get("state") == "leader" else None
    for group, status in (
        ("in_quorum", ControllerStatus.CONTROLLER_STATUS_NORMAL),
        ("out_quorum", ControllerStatus.CONTROLLER_STATUS_OFFLINE),
    ):
        for one in monitor.get(group) or ():
            name = str(one["name"])
            role = "leader" if name == leader else group.replace("_", " ")
            yield _controller("mon", name, status, homes, role=role, address=one.get("public_addr") or one.get("addr"))
    active = manager_map.get("active_name")
    if active:
        available = manager_map.get("available", True)
        status = ControllerStatus.CONTROLLER_STATUS_NORMAL if available else ControllerStatus.CONTROLLER_STATUS_DEGRADED
        yield _controller("mgr", str(active), status, homes, role="active", address=manager_map.get("active_addr"))
    for one in manager_map.get("standbys") or ():
        if one.get("name"):
            normal = ControllerStatus.CONTROLLER_STATUS_NORMAL
            yield _controller("mgr", str(one["name"]), normal, homes, role="standby", address=None)


def _controller(
    kind: str,
    name: str,
    status: ControllerStatus.ValueType,
    homes: Mapping[tuple[str, str], tuple[str, str]],
    *,
    role: str,
    address: Any,
) -> Controller:
    host, version = homes.get((kind, name), ("", ""))
    return Controller(
        native_controller_id=f"{kind}.{name}",
        name=f"{kind}.{name}",
        status=status,
        location=host or None,
        soft_version=version_of(version)[0],
        mgmt_ip=address_of(address),
        native=words(role=role),
    )


def address_of(text: Any) -> str | None:
    """The address in "127.0.0.1:33951/0" or "[fd00::1]:3300/0"."""
    if not isinstance(text, str):
        return None
    host = text.split("/")[0].rpartition(":")[0].strip("[]")
    return host if host and host not in ("-", "0.0.0.0", "::") else None


def _homes(hosts: Sequence[Any]) -> dict[tuple[str, str], tuple[str, str]]:
    return {
        (str(service.get("type")), str(service.get("id"))): (
            str(host.get("hostname") or ""),
            str(service.get("ceph_version") or host.get("ceph_version") or ""),
        )
        for host in hosts
        for service in host.get("services") or ()
    }
