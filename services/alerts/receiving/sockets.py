"""UDP sockets for traps: bound, with room, and with the kernel's count of what it dropped."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.alerts.receiving.errors import CannotListen

log = logging.getLogger(__name__)

DEFAULT_PORT: Final = 162
UNPRIVILEGED_PORT: Final = 1162
BUFFER_BYTES: Final = 8 * 2**20
ANY: Final = frozenset(("", "*", "::"))

_SO_RCVBUFFORCE = 33  # Linux's numbers, which the socket module doesn't name
_IP_PKTINFO = 8
_TABLES = (Path("/proc/self/net/udp"), Path("/proc/self/net/udp6"))
_MAPPED = "::ffff:"


@dataclass(frozen=True, slots=True)
class TrapSocket:
    """A bound socket that doesn't block, and that tells which of our addresses a datagram was sent to."""

    socket: socket.socket
    host: str
    port: int
    buffer_bytes: int
    inode: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen(host: str, port: int, *, or_port: int | None = None, buffer_bytes: int = BUFFER_BYTES) -> list[TrapSocket]:
    """Binds an address of this machine, or all that a name has; `*` and `::` are every address of both families.

    Where `port` isn't permitted, `or_port` is bound and the log says so. Port 0: any free one, the same for all.
    CannotListen.
    """
    try:
        return _bound(host, port, buffer_bytes)
    except PermissionError:
        if or_port is None:
            raise CannotListen(
                f"Port {port} isn't permitted to this user: take one from 1024 on, or give the process"
                " CAP_NET_BIND_SERVICE."
            ) from None
    except OSError as problem:
        raise CannotListen(f"Traps can't be received on {host} port {port}: {problem.strerror}.") from problem
    log.warning("port %d isn't permitted to this user: receiving traps on port %d instead", port, or_port)
    try:
        return _bound(host, or_port, buffer_bytes)
    except OSError as problem:
        raise CannotListen(f"Traps can't be received on {host} port {or_port}: {problem.strerror}.") from problem


def _bound(host: str, port: int, buffer_bytes: int) -> list[TrapSocket]:
    sockets: list[TrapSocket] = []
    try:
        for family, address in _addresses(host):
            try:
                found = _bind(family, address, port, buffer_bytes, both=host in ANY)
            except OSError as problem:
                if host not in ANY or problem.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    raise
                found = _bind(socket.AF_INET, ("0.0.0.0", 0), port, buffer_bytes, both=False)  # a kernel without IPv6
            sockets.append(found)
            port = found.port
    except OSError:
        for each in sockets:
            each.socket.close()
        raise
    return sockets


def _addresses(host: str) -> Sequence[tuple[socket.AddressFamily, Any]]:
    if host in ANY:
        return [(socket.AF_INET6, ("::", 0, 0, 0))]
    found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _bind(family: socket.AddressFamily, address: Any, port: int, buffer_bytes: int, *, both: bool) -> TrapSocket:
    opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if both else 1)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            opened.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        room = _widen(opened, buffer_bytes)
        opened.bind((address[0], port, *address[2:]))
    except OSError:
        opened.close()
        raise
    name = opened.getsockname()
    return TrapSocket(opened, str(name[0]), int(name[1]), room, _inode(opened))


def _widen(opened: socket.socket, wanted: int) -> int:
    """Asks for room as root, then as anybody. The kernel doubles what it grants, for its own records."""
    with contextlib.suppress(PermissionError):
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, wanted)
        return opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
    granted = opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
    if granted < wanted:
        log.info("the kernel grants %d of %d octets for waiting traps: raise net.core.rmem_max", granted, wanted)
    return granted


def _inode(opened: socket.socket) -> int:
    return Path(f"/proc/self/fd/{opened.fileno()}").stat().st_ino


@dataclass(frozen=True, slots=True)
class Queue:
    """What the kernel says of a socket."""

    waiting: int
    """Octets, by the kernel's own accounting: up to twice `buffer_bytes`."""
    drops: int
    """Datagrams dropped since it was opened."""


def queues(sockets: Sequence[TrapSocket]) -> dict[int, Queue]:
    """By inode."""
    wanted = {each.inode for each in sockets}
    found: dict[int, Queue] = {}
    for table in _TABLES:
        try:
            lines = table.read_text().splitlines()[1:]
        except FileNotFoundError:  # no IPv6
            continue
        for line in lines:
            fields = line.split()
            inode = int(fields[9])
            if inode in wanted:
                found[inode] = Queue(int(fields[4].partition(":")[2], 16), int(fields[-1]))
    return found


def kernel_drops(sockets: Sequence[TrapSocket]) -> int:
    """How many datagrams the kernel dropped at these sockets since they were opened."""
    return sum(queue.drops for queue in queues(sockets).values())


def source_text(address: Any) -> str:
    """The address of a peer in text: IPv4 as such, also where it came to a socket of both families."""
    host: str = address[0]
    return host[len(_MAPPED) :] if host.startswith(_MAPPED) and "." in host else host


def asked_at(level: int, kind: int, info: bytes) -> list[tuple[int, int, bytes]]:
    """Ancillary data for an answer from the address that `info`, which came with the question, says was asked.

    Only a link-local address needs its interface; others are routed.
    """
    if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
        return [(level, kind, bytes(4) + info[4:8] + bytes(4))]
    if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
        link_local = info[0] == 0xFE and info[1] & 0xC0 == 0x80
        return [(level, kind, info if link_local else info[:16] + bytes(4))]
    return []
