"""Who may come in where nobody logs in: programs of this machine, and pages that the gateway itself served.

Without authentication the address is all that protects us: a page from elsewhere in a browser of this machine, or a
proxy on it, would bring strangers in. Both show in headers that browsers and proxies set and pages can't.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from services.calls.errors import CallError

_PROXIES = frozenset(
    {
        b"forwarded",
        b"via",
        b"x-real-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-original-host",
        b"x-original-forwarded-for",
        b"true-client-ip",
        b"cf-connecting-ip",
    }
)


def check(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """NOT_AUTHORIZED for requests that came from or through elsewhere."""
    hosts: list[bytes] = []
    origins: list[bytes] = []
    site = mode = b""
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"origin":
            origins.append(value)
        elif name == b"sec-fetch-site":
            site = value
        elif name == b"sec-fetch-mode":
            mode = value
        elif name in _PROXIES or name.startswith(b"x-forwarded"):
            raise _refused("it came through a proxy", name.decode("latin-1"))
    if len(hosts) != 1 or not loopback(hosts[0]):
        raise _refused("its Host is not this machine", "Host")
    for origin in origins:
        scheme, _, authority = origin.partition(b"://")
        if scheme not in (b"http", b"https") or authority.lower() != hosts[0].lower():
            raise _refused("a page from elsewhere sent it", "Origin")
    # A link may lead here from anywhere; a page may not use us as its data.
    if site in (b"cross-site", b"same-site") and mode != b"navigate":
        raise _refused("a page from elsewhere sent it", "Sec-Fetch-Site")


@lru_cache(maxsize=256)
def loopback(host: bytes) -> bool:
    """Whether a Host header names this machine, at any port."""
    name = host.decode("latin-1").strip().lower()
    if name.startswith("["):
        name, bracket, port = name[1:].partition("]")
        if not bracket or (port and not (port[0] == ":" and port[1:].isdigit())):
            return False
    else:
        name, colon, port = name.partition(":")
        if colon and not port.isdigit():
            return False
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _refused(why: str, header: str) -> CallError:
    return CallError(
        "NOT_AUTHORIZED",
        f"The request is refused: {why} ({header}). Without authentication only programs of this machine are served;"
        " start Delphis with --auth token to let others in.",
        metadata={"header": header},
    )
