"""Where the API of an array is, made from the access info."""

from __future__ import annotations

import re
from dataclasses import dataclass

from delphis.sdk import errors
from delphis.sdk.http.tls import TlsSettings, tls_settings
from delphis.type.v1.access_pb2 import RestAccess

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")  # a name or an IPv4 address; an IPv6 address


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of an API and how to treat it.

    Attributes:
        host: Name or address.
        port: TCP port.
        url: Of the API's root, without a slash at its end.
        tls: None: without TLS.
        connect_timeout: Seconds to wait for a connection.
        read_timeout: Seconds to wait for more of an answer.
    """

    host: str
    port: int
    url: str
    tls: TlsSettings | None
    connect_timeout: float
    read_timeout: float

    @property
    def label(self) -> str:
        """How errors and logs name it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def endpoint_of(access: RestAccess, *, default_port: int) -> Endpoint:
    """Reads the access info.

    Args:
        access: How to reach the API.
        default_port: The port where none is given.

    Raises:
        errors.AccessInfoIncomplete: There is no host, or the TLS settings can't be used.
        errors.InvalidIpOrPort: The host or the port can be none.
    """
    if not access.host:
        raise errors.AccessInfoIncomplete("The access info names no host in `rest`.", field="rest.host")
    if not _HOST.fullmatch(access.host):
        raise errors.InvalidIpOrPort(
            f"{access.host!r} is neither a name nor an address; give the host without scheme and port.",
            host=access.host,
        )
    port = access.port if access.HasField("port") else default_port
    if not 0 < port < 65536:
        raise errors.InvalidIpOrPort(f"{port} is no TCP port of a server.", host=access.host, port=port)
    tls = None if access.tls.plaintext else tls_settings(access.tls)
    address = f"[{access.host}]" if ":" in access.host else access.host
    return Endpoint(
        host=access.host,
        port=port,
        url=f"{'http' if tls is None else 'https'}://{address}:{port}",
        tls=tls,
        connect_timeout=_seconds(access, "connect_timeout", CONNECT_TIMEOUT),
        read_timeout=_seconds(access, "read_timeout", READ_TIMEOUT),
    )


def _seconds(access: RestAccess, field: str, default: float) -> float:
    if not access.HasField(field):  # type: ignore[arg-type]
        return default
    duration = getattr(access, field)
    seconds = float(duration.seconds) + duration.nanos / 1e9
    return seconds if seconds > 0 else default
