"""Where a command line is and who logs in there, made from the access info."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from delphis.sdk import errors
from delphis.type.v1.access_pb2 import SshAccess

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")  # a name or an IPv4 address; an IPv6 address


@dataclass(frozen=True, slots=True)
class SshEndpoint:
    """Address and credentials.

    Attributes:
        host: Name or address.
        port: TCP port.
        username: Who logs in.
        password: Its password; empty where there is none.
        private_key: Its key; empty where there is none.
        passphrase: Of the key.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    private_key: str = field(repr=False)
    passphrase: str = field(repr=False)

    @property
    def label(self) -> str:
        """How errors and logs name it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def endpoint_of(access: SshAccess) -> SshEndpoint:
    """Reads the access info.

    Raises:
        errors.AccessInfoIncomplete: It lacks a host, a user, or both password and key.
        errors.InvalidIpOrPort: The host or the port can be none.
    """
    for name in ("host", "username"):
        if not getattr(access, name):
            raise errors.AccessInfoIncomplete(f"The access info names no {name} in `ssh`.", field=f"ssh.{name}")
    if not access.password and not access.private_key:
        raise errors.AccessInfoIncomplete(
            "The access info has neither a password nor a private key in `ssh`.", field="ssh.password"
        )
    if not _HOST.fullmatch(access.host):
        raise errors.InvalidIpOrPort(
            f"{access.host!r} is neither a name nor an address; give the host without user and port.", host=access.host
        )
    port = access.port if access.HasField("port") else 22
    if not 0 < port < 65536:
        raise errors.InvalidIpOrPort(f"{port} is no TCP port of a server.", host=access.host, port=port)
    return SshEndpoint(
        access.host, port, access.username, access.password, access.private_key, access.private_key_passphrase
    )
