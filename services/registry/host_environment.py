"""What a driver host gets of the core's environment, and how its command line is made."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from delphis.tracing import spans
from services.registry.manifest import CommandHost, Manifest, PythonHost
from services.registry.settings import HostSettings

# Nothing else passes: the core's environment holds tokens, keys and database addresses.
PASSED_ON = (
    "PATH",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)
RESERVED = "DELPHIS_DRIVER_"


def command_line(manifest: Manifest, settings: HostSettings) -> tuple[str, ...]:
    """The program that serves the driver; for drivers in Python the SDK's host, so that `ps` names the driver."""
    host = manifest.host
    if isinstance(host, CommandHost):
        return host.command
    assert isinstance(host, PythonHost)
    python = host.python or settings.python
    # -P: the working folder is no place to import from.
    return (python, "-P", "-m", "delphis.sdk.host", "--driver", manifest.name, "--class", host.driver_class)


def environment(
    manifest: Manifest,
    settings: HostSettings,
    *,
    endpoint: str,
    ready_fd: int,
    inherited: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """The whole environment of a host."""
    values = {name: inherited[name] for name in PASSED_ON if name in inherited}
    values.update(spans.for_hosts(inherited))
    values["DELPHIS_DRIVER_LOG_FORMAT"] = "json"  # so that the core's log has what a line says as fields
    values.update((name, value) for name, value in inherited.items() if name.startswith(RESERVED))
    values.update(PYTHONUNBUFFERED="1", PYTHONFAULTHANDLER="1")
    if isinstance(manifest.host, PythonHost) and manifest.folder is not None:
        root = import_root(manifest.host.driver_class, manifest.folder)
        if root is not None:
            values["PYTHONPATH"] = str(root)
    values.update(manifest.environment)
    values.update(
        {
            "DELPHIS_DRIVER_ENDPOINT": endpoint,
            "DELPHIS_DRIVER_NAME": manifest.name,
            "DELPHIS_DRIVER_VERSION": manifest.version,
            "DELPHIS_DRIVER_SERVES": json.dumps([pair._asdict() for pair in manifest.serves]),
            "DELPHIS_DRIVER_READY_FD": str(ready_fd),
            "DELPHIS_DRIVER_DRAIN": f"{settings.drain_grace:g}",
        }
    )
    return values


def import_root(driver_class: str, folder: Path) -> Path | None:
    """The folder from which the class's module is imported: the manifest's, `src` in it, one above; None: installed."""
    if ".py:" in driver_class:
        return folder
    module = Path(*driver_class.partition(":")[0].split("."))
    for root in (folder, folder / "src", *folder.parents[:3]):
        if (root / module.with_suffix(".py")).is_file() or (root / module / "__init__.py").is_file():
            return root
    return None
