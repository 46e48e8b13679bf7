"""Another process of Delphis, by its gRPC address."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

import grpc

from services.calls.invoker import CHANNEL_OPTIONS

_OPTIONS: tuple[tuple[str, int], ...] = (*CHANNEL_OPTIONS, ("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0))
# Over a network a peer may vanish without a word.
_TCP_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)


class PeerError(Exception):
    """The address can't be used. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a process is, and how it proves itself."""

    option: str
    """The option that names it, such as `--inventory`, for people."""
    target: str
    """HOST:PORT or unix:PATH."""
    ca: str | None = None
    """File with the CA of its certificate; None: it is called in plain text."""

    def check(self) -> None:
        """PeerError where the token of Delphis' own processes would cross a network in clear, or nothing is named."""
        if self.target.startswith("unix:"):
            return
        host, colon, port = self.target.rpartition(":")
        if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise PeerError(f"{self.option} {self.target!r} is not HOST:PORT or unix:PATH.")
        if self.ca is None and not _is_loopback(host.removeprefix("[").removesuffix("]")):
            raise PeerError(
                f"{self.option} {self.target} is on another machine: without TLS everybody on the way could read the"
                f" token of Delphis' own processes. Give {self.option}-ca with the CA of its certificate."
            )

    def channel(self) -> grpc.aio.Channel:
        """A channel to it; opens nothing yet. PeerError where the CA can't be read."""
        if self.target.startswith("unix:"):
            return grpc.aio.insecure_channel(self.target, _OPTIONS)
        options = (*_OPTIONS, *_TCP_OPTIONS)
        if self.ca is None:
            return grpc.aio.insecure_channel(self.target, options)
        try:
            ca = Path(self.ca).read_bytes()
        except OSError as error:
            raise PeerError(f"{self.option}-ca {self.ca} can't be read: {error.strerror}.") from error
        return grpc.aio.secure_channel(self.target, grpc.ssl_channel_credentials(ca), options)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
