"""What an alerts process is told at its start."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

TRAP_PORT = 162
UNPRIVILEGED_TRAP_PORT = 1162
"""Where traps are taken when the first is not permitted, or taken by another."""


@dataclass(frozen=True, slots=True)
class AlertsSettings:
    """Settings of the alerts process, which travel to it as JSON over a pipe: the database URL may hold a secret."""

    data_dir: str
    """Folder for the spool and the embedded database."""
    database: str
    """`sqlite:////path` or `postgresql://…`; there the tables are in a schema `alerts`."""
    grpc_listen: str
    """HOST:PORT, or `unix:/path`. Only Delphis' own processes may call it."""
    inventory: str
    """The core's gRPC address: HOST:PORT, or `unix:/path`."""
    inventory_ca: str | None = None
    """CA of the core's certificate; None: it is called in plain text."""
    key_file: str | None = None
    """The key that encrypts secrets; None: DELPHIS_KEY_FILE, or the default path."""
    trap_listen: tuple[str, ...] = ()
    """HOST:PORT each, over UDP. Port 0: any free one."""
    trap_fallback: bool = False
    """Nobody named the port: another one, or none, will do, and the log says which."""
    public_url: str = ""
    """The REST API as people reach it, for links to alerts. Empty: no links."""
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
    def from_json(cls, text: str) -> AlertsSettings:
        """The other end of `to_json`."""
        values = json.loads(text)
        values["trap_listen"] = tuple(values["trap_listen"])
        return cls(**values)
