"""What an operator puts behind the gateway: gRPC services by name and address."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

from services.app.failure import StartFailure
from services.app.listen import parse_address
from services.calls.invoker import CHANNEL_OPTIONS, ChannelInvoker

log = logging.getLogger(__name__)

CORE = "core"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class BackendAddress:
    """A gRPC service with reflection."""

    name: str
    target: str
    """HOST:PORT or unix:PATH."""
    ca: str | None = None
    """File with the CA of its certificate; None: it is called in plain text."""

    @property
    def tells_tokens(self) -> bool:
        """Whether callers' tokens travel to it in plain text over a network."""
        if self.ca is not None or self.target.startswith("unix:"):
            return False
        return not parse_address(self.target, "--backend").loopback


def parse(backends: Iterable[str], authorities: Iterable[str], *, core: BackendAddress | None) -> list[BackendAddress]:
    """The options --backend NAME=ADDRESS and --backend-ca NAME=FILE; StartFailure where they are none.

    Args:
        backends: `NAME=ADDRESS` each.
        authorities: `NAME=FILE` each.
        core: The core, which comes first. The name is taken even where this is None.
    """
    targets: dict[str, str] = {}
    for text in backends:
        name, target = _pair(text, "--backend", "ADDRESS")
        if name in targets or name == CORE:
            raise StartFailure(f"--backend {text!r}: there is another backend {name}; names are given once.")
        if not target.startswith("unix:"):
            parse_address(target, f"--backend {name}")
        targets[name] = target
    files: dict[str, str] = {}
    for text in authorities:
        name, file = _pair(text, "--backend-ca", "FILE")
        if name not in targets:
            raise StartFailure(f"--backend-ca {text!r}: no --backend is called {name}.")
        if not Path(file).is_file():
            raise StartFailure(f"--backend-ca {text!r}: there is no file {file}.")
        files[name] = file
    found = [BackendAddress(name, target, files.get(name)) for name, target in targets.items()]
    return found if core is None else [core, *found]


def _pair(text: str, option: str, what: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not value or not _NAME.fullmatch(name):
        raise StartFailure(f"{option} {text!r} is not NAME={what}, where NAME has small letters, digits and hyphens.")
    return name, value


class Channels:
    """Open channels to backends."""

    def __init__(self, addresses: Iterable[BackendAddress]) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}
        for address in addresses:
            if address.tells_tokens:
                log.warning(
                    "backend %s at %s is called without TLS over a network: whoever listens there reads the tokens of"
                    " callers; give --backend-ca",
                    address.name,
                    address.target,
                )
            self._channels[address.name] = _channel(address)

    @property
    def invokers(self) -> Mapping[str, ChannelInvoker]:
        """By name, in order."""
        return {name: ChannelInvoker(channel) for name, channel in self._channels.items()}

    async def close(self) -> None:
        """Closes them."""
        for channel in self._channels.values():
            await channel.close()


def _channel(address: BackendAddress) -> grpc.aio.Channel:
    if address.ca is None:
        return grpc.aio.insecure_channel(address.target, options=CHANNEL_OPTIONS)
    try:
        ca = Path(address.ca).read_bytes()
    except OSError as error:
        raise StartFailure(f"The CA of backend {address.name} can't be read: {error}.") from error
    return grpc.aio.secure_channel(address.target, grpc.ssl_channel_credentials(ca), options=CHANNEL_OPTIONS)
