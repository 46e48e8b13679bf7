"""What a core process is told at its start."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

DEFAULT_HTTP = "127.0.0.1:8190"
DEFAULT_GRPC = "127.0.0.1:8191"
DEFAULT_ALERTS_GRPC = "127.0.0.1:8195"
DEFAULT_TELEMETRY_GRPC = "127.0.0.1:8196"


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """Settings of the core. They travel to it as JSON over a pipe, since the database URL may hold a secret."""

    data_dir: str
    """Folder for everything that the core writes, but the key."""
    database: str
    """SQLAlchemy-style URL: `sqlite:////path` or `postgresql://…`."""
    http_listen: str | None
    """HOST:PORT for REST; None: no gateway in this process."""
    grpc_listen: str
    """HOST:PORT, or `unix:/path`."""
    auth: str
    """`none` or `token`."""
    key_file: str | None
    """The key that encrypts credentials; None: DELPHIS_KEY_FILE, or the default path."""
    drivers: tuple[str, ...] = ()
    """Further folders with driver manifests."""
    service_token_fd: int | None = None
    """Descriptor from which the token of Delphis' own processes is read."""
    service_token_file: str | None = None
    """File with that token, where there is no descriptor to inherit."""
    tls_certificate: str | None = None
    """PEM chain; with `tls_key`, both ports speak TLS."""
    tls_key: str | None = None
    internal_listen: str | None = None
    """`unix:/path` where Delphis' own processes on this machine reach the core."""
    alerts: str | None = None
    """gRPC address of the alerts process, whose methods the core relays; None: it serves none of them."""
    alerts_ca: str | None = None
    """CA of its certificate; None: it is called in plain text."""
    telemetry: str | None = None
    """gRPC address of the telemetry process, as `alerts`."""
    telemetry_ca: str | None = None
    """CA of its certificate; None: it is called in plain text."""
    backends: tuple[str, ...] = ()
    """Services of others behind the gateway, as NAME=ADDRESS."""
    backend_cas: tuple[str, ...] = ()
    """CAs of their certificates, as NAME=FILE."""
    lease_tls: str | None = None
    """Folder with ca.pem, tls.pem and tls.key: what the core shows to hosts that run elsewhere, and whom it trusts."""
    lease_listen: str | None = None
    """HOST:PORT where such hosts reach the core's gRPC services over TLS, with that certificate."""
    spawn: bool = True
    """Whether the core starts driver hosts as processes of its own."""
    lease_ttl: float = 15.0
    """Seconds that a lease holds."""
    log_format: str = "text"
    """`text` or `json`."""
    demo: bool = False
    """Register three generated arrays, if they are not there yet."""

    def to_json(self) -> str:
        """For the way to the process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> CoreSettings:
        """The other end of `to_json`."""
        values = json.loads(text)
        for name in ("drivers", "backends", "backend_cas"):
            values[name] = tuple(values[name])
        return cls(**values)


def default_data_dir() -> Path:
    """`${XDG_DATA_HOME:-~/.local/share}/delphis`."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "delphis"


def sqlite_url(data_dir: Path, service: str = "inventory") -> str:
    """The embedded database of a service in a data folder."""
    return f"sqlite:///{data_dir / service}.db"
