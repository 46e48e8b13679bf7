"""What a telemetry process is told at its start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryChoices:
    """What an operator chooses of `up` and `serve telemetry` alike."""

    sink_backlog: int = 1024
    """So many MiB may wait for all sinks together."""
    sink_backlog_hours: float = 24.0
    """So long it may wait."""
    prometheus: str | None = None
    """Address of the database that has the points which the history lacks."""
    prometheus_ca: str | None = None
    """File with the CA of its certificate; None: those of the system."""
    prometheus_user: str = ""
    """Of basic authentication."""
    prometheus_password_file: str | None = None
    prometheus_token_file: str | None = None
    """File with a bearer token."""
    prometheus_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further headers, such as a tenant's. No secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings(TelemetryChoices):
    """Settings of the telemetry process, which travel to it as JSON over a pipe: the database URL may hold a secret."""

    data_dir: str
    """Folder for the embedded database."""
    database: str
    """`sqlite:////path` or `postgresql://…`; there the tables are in a schema `telemetry`."""
    grpc_listen: str
    """HOST:PORT, or `unix:/path`. Only Delphis' own processes may call it."""
    inventory: str
    """The core's gRPC address: HOST:PORT, or `unix:/path`."""
    inventory_ca: str | None = None
    """CA of the core's certificate; None: it is called in plain text."""
    key_file: str | None = None
    """The key that encrypts secrets; None: DELPHIS_KEY_FILE, or the default path."""
    service_token_fd: int | None = None
    """Descriptor from which the token of Delphis' own processes is read."""
    service_token_file: str | None = None
    """File with that token, where there is no descriptor to inherit."""
    tls_certificate: str | None = None
    """PEM chain; with `tls_key`, gRPC speaks TLS."""
    tls_key: str | None = None
    log_format: str = "text"
    """`text` or `json`."""

    def to_json(self) -> str:
        """For the way to the process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> TelemetrySettings:
        """The other end of `to_json`."""
        return cls(**json.loads(text))
