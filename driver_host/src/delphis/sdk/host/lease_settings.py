"""How a host that nobody here started makes itself known to a core, read once from the environment."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from delphis.sdk.host.settings import HostSettings, SettingsError

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_LEAST_TOKEN = 16


@dataclass(frozen=True)
class LeaseSettings:
    """Where the core is, and what it is told."""

    core: str
    """`host:port` of its gRPC services."""
    ca: Path | None
    """Who issued the core's certificate; None: plaintext, which only loopback may have."""
    core_name: str
    """A name in the core's certificate, where it is not the host in `core`; empty: it is."""
    token_file: Path | None
    """None: the core wants no token."""
    advertised: str
    """Where the core reaches this host: `tcp://host:port`."""
    certificate_sha256: str

    def token(self) -> str:
        """Read for each call: the file may be replaced while the host runs. SettingsError where it can't be."""
        if self.token_file is None:
            return ""
        try:
            text = self.token_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise SettingsError(f"The token file {self.token_file} can't be read: {error}.") from None
        if len(text) < _LEAST_TOKEN or " " in text or not text.isprintable():
            raise SettingsError(
                f"The file {self.token_file} holds no token: one word, as `delphis tokens create` shows."
            )
        return text


def lease_settings(host: HostSettings, environment: Mapping[str, str] = os.environ) -> LeaseSettings | None:
    """The settings; None where no core is named. SettingsError where one is wrong."""
    core = environment.get("DELPHIS_CORE") or ""
    if not core:
        return None
    plain = core.startswith("http://")
    core = core.removeprefix("http://").removeprefix("https://").rstrip("/")
    name, _, port = core.rpartition(":")
    if not name or not port.isdecimal():
        raise SettingsError(f"DELPHIS_CORE must be HOST:PORT of the core, not {core!r}.")
    if plain and name not in ("localhost", "127.0.0.1", "[::1]"):
        raise SettingsError(
            "DELPHIS_CORE may be http:// on this machine only: a token must not cross a network in clear."
        )
    if not host.endpoint.startswith("tcp://") or host.tls is None:
        raise SettingsError(
            "A host that announces itself to a core serves over TCP with mutual TLS: set DELPHIS_DRIVER_ENDPOINT to "
            "tcp://HOST:PORT, and DELPHIS_DRIVER_TLS_CA, _CERT and _KEY (`delphis-driver certs` makes such files)."
        )
    if not host.serves:
        raise SettingsError(
            "A host that announces itself must say what it serves: in driver.toml or DELPHIS_DRIVER_SERVES."
        )
    ca = environment.get("DELPHIS_CORE_CA")
    token_file = environment.get("DELPHIS_DRIVER_TOKEN_FILE")
    return LeaseSettings(
        core=core,
        ca=None if plain else Path(ca) if ca else host.tls.ca,
        core_name=environment.get("DELPHIS_CORE_NAME") or "",
        token_file=Path(token_file) if token_file else None,
        advertised=environment.get("DELPHIS_DRIVER_ADVERTISE") or host.endpoint,
        certificate_sha256=digest_of(host.tls.cert),
    )


def digest_of(path: Path) -> str:
    """SHA-256 of the first certificate in a PEM file. SettingsError where there is none."""
    try:
        found = _PEM.search(path.read_bytes())
        if found is None:
            raise SettingsError(f"{path} has no certificate.")
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(found[0].decode("ascii"))).hexdigest()
    except (OSError, ValueError) as error:
        raise SettingsError(f"The certificate {path} can't be read: {error}.") from None


def advertised_at(settings: LeaseSettings, bound: str) -> str:
    """The address for the core: with the port that was bound, and where the host listens everywhere, the address that
    this machine has towards the core. SettingsError where that can't be found out now."""
    host, _, port = settings.advertised.removeprefix("tcp://").rpartition(":")
    if host in ("0.0.0.0", "[::]"):
        host = _own_address(settings.core)
    return f"tcp://{host}:{bound.rpartition(':')[2] if port == '0' else port}"


def _own_address(core: str) -> str:
    name, _, port = core.rpartition(":")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(name.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(address)  # sends nothing
            own = str(probe.getsockname()[0])
    except OSError as error:
        raise SettingsError(f"The core at {core} can't be found: {error.strerror or error}.") from None
    return f"[{own}]" if ":" in own else own
