"""Controllers, ports and port groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from delphis.sdk import (
    Controller,
    ControllerStatus,
    Port,
    PortConnectionStatus,
    PortGroup,
    PortHealthStatus,
    PortLogicalType,
    PortType,
)

from .array import Array, Snapshot

_GBIT = 1_000_000_000
_GIB = 1 << 30
_MOST_MEMBERS = 64


def list_controllers(snapshot: Snapshot) -> Iterator[Controller]:
    array = snapshot.array
    dice = array.dice("controllers")
    given = array.settings.mgmt_ips
    for index in range(array.counts["controllers"]):
        yield Controller(
            native_controller_id=controller_id(index),
            name=f"Controller {index // 2}{'AB'[index % 2]}",
            status=(
                ControllerStatus.CONTROLLER_STATUS_DEGRADED
                if dice.one_in(40, index)
                else ControllerStatus.CONTROLLER_STATUS_NORMAL
            ),
            location=f"Engine {index // 2}, slot {'AB'[index % 2]}",
            soft_version="1.0.0",
            cpu_info="16 cores at 2.4 GHz",
            cpu_count=2,
            memory_size=128 * _GIB,
            mgmt_ip=given[index] if index < len(given) else array.identity.ipv4(0, index),
        )


@dataclass(frozen=True)
class _Socket:
    """What a controller has at one place."""

    name: str
    type: PortType.ValueType
    logical_type: PortLogicalType.ValueType
    max_speed: int


_FC = _Socket("FC", PortType.PORT_TYPE_FC, PortLogicalType.PORT_LOGICAL_TYPE_FRONTEND, 32 * _GBIT)
_ISCSI = _Socket("ISCSI", PortType.PORT_TYPE_ISCSI, PortLogicalType.PORT_LOGICAL_TYPE_FRONTEND, 25 * _GBIT)
_MGMT = _Socket("MGMT", PortType.PORT_TYPE_ETH, PortLogicalType.PORT_LOGICAL_TYPE_MANAGEMENT, _GBIT)
_SAS = _Socket("SAS", PortType.PORT_TYPE_SAS, PortLogicalType.PORT_LOGICAL_TYPE_BACKEND, 12 * _GBIT)
_SOCKETS = (_FC, _ISCSI, _MGMT, _SAS, _FC, _FC, _ISCSI, _SAS)


def _socket(array: Array, port: int) -> _Socket:
    return _SOCKETS[port // max(1, array.counts["controllers"]) % len(_SOCKETS)]


def list_ports(snapshot: Snapshot) -> Iterator[Port]:
    array = snapshot.array
    dice = array.dice("ports")
    controllers = array.counts["controllers"]
    for index in range(array.counts["ports"]):
        socket = _socket(array, index)
        connected = _is_connected(array, index)
        controller, place = (index % controllers, index // controllers) if controllers else (0, index)
        message = Port(
            native_port_id=port_id(index),
            name=f"{socket.name}-{controller}-{place}",
            location=f"Controller {controller // 2}{'AB'[controller % 2]}, port {place}",
            type=socket.type,
            logical_type=socket.logical_type,
            connection_status=(
                PortConnectionStatus.PORT_CONNECTION_STATUS_CONNECTED
                if connected
                else PortConnectionStatus.PORT_CONNECTION_STATUS_DISCONNECTED
            ),
            health_status=(
                PortHealthStatus.PORT_HEALTH_STATUS_ABNORMAL
                if dice.one_in(60, index, 1)
                else PortHealthStatus.PORT_HEALTH_STATUS_NORMAL
            ),
            speed=_speed(socket, dice.one_in(4, index, 2)) if connected else 0,
            max_speed=socket.max_speed,
        )
        if controllers:
            message.native_parent_id = controller_id(controller)
        if socket.type in (PortType.PORT_TYPE_FC, PortType.PORT_TYPE_SAS):
            message.wwn = array.identity.port_wwn(index)
        else:
            message.mac_address = array.identity.mac(index)
            message.ipv4 = array.identity.ipv4(1, index)
            message.ipv4_mask = "255.255.0.0"
        yield message


def serving_ports(array: Array) -> Iterator[int]:
    """The ports through which hosts reach the array: of the front end, and connected."""
    for port in range(array.counts["ports"]):
        if _socket(array, port).logical_type == _FC.logical_type and _is_connected(array, port):
            yield port


def _is_connected(array: Array, port: int) -> bool:
    return not array.dice("ports").one_in(10, port)


def _speed(socket: _Socket, slower: bool) -> int:
    return socket.max_speed // 2 if slower and socket is _FC else socket.max_speed


def list_port_groups(snapshot: Snapshot) -> Iterator[PortGroup]:
    array = snapshot.array
    groups = array.counts["port_groups"]
    # Groups have a few ports each, so the first front-end ports are enough for them.
    wanted = groups * _MOST_MEMBERS
    candidates = range(min(array.counts["ports"], 4 * wanted + len(_SOCKETS) * array.counts["controllers"]))
    front = [port for port in candidates if _socket(array, port).logical_type == _FC.logical_type][:wanted]
    for group in range(groups):
        ports = front[group::groups] or [front[group % len(front)]] if front else []
        yield PortGroup(
            native_port_group_id=port_group_id(group),
            name=f"front-end-{group:03d}",
            description="Front-end ports",
            ports=[port_id(port) for port in ports],
        )


def controller_id(index: int) -> str:
    return f"ctrl-{index:03d}"


def port_id(index: int) -> str:
    return f"port-{index:04d}"


def port_group_id(group: int) -> str:
    return f"pg-{group:03d}"
