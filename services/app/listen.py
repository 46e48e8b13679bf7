"""Where we listen, and where that is refused."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from services.app.failure import StartFailure


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port; IPv6 hosts without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it. A name other than localhost is not believed to be."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_address(text: str, option: str) -> Address:
    """HOST:PORT, [IPv6]:PORT; the port may be 0 for any free one."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise StartFailure(f"{option} {text!r} is not HOST:PORT; write it like 127.0.0.1:8190.")
    return Address(host, int(port))


def refuse_open_without_login(address: Address, option: str, auth: str) -> None:
    """Without authentication only this machine may come in."""
    if auth == "none" and not address.loopback:
        raise StartFailure(
            f"{option} {address} can be reached from other machines, and authentication is off: everybody there would"
            " have full access. Give --auth token (and make a token with `delphis db token create`),"
            " or listen on 127.0.0.1."
        )


def check_pair(certificate: str | None, key: str | None) -> None:
    """Both, or none."""
    if (certificate is None) != (key is None):
        raise StartFailure("--tls-certificate and --tls-key go together; give both or none.")


def check_peer(option: str, target: str, ca: str | None, token_file: str | None) -> None:
    """The address of another of Delphis' own processes."""
    from services.calls.peer import Peer, PeerError

    if token_file is None:
        raise StartFailure(f"{option} needs --token-file: both processes prove themselves with the token in it.")
    try:
        Peer(option, target, ca).check()
    except PeerError as error:
        raise StartFailure(str(error)) from error


def check_public_url(url: str) -> str:
    """An address that links can begin with."""
    if url:
        try:
            parts = urlsplit(url)
            fine = parts.scheme in ("http", "https") and parts.hostname and not set(url) & set("?#@")
        except ValueError:
            fine = False
        if not fine:
            raise StartFailure("--public-url is http://HOST:PORT or https://HOST, with a path or without.")
    return url


def check_traps(addresses: Sequence[str], *, auth: str) -> tuple[str, ...]:
    """Where traps are taken.

    They are no way into the API: what comes in is matched with an array and its SNMP configuration, and at most raises
    an alert. So they may come from other machines without authentication as well; but nobody is surprised by that.
    """
    for text in addresses:
        parse_address(text, "--trap-listen")
    if addresses:
        return tuple(addresses)
    return (f"{'127.0.0.1' if auth == 'none' else '0.0.0.0'}:162",)
