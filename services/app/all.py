"""`delphis up`: all processes of one machine, and how they find each other."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.alerts.settings import AlertsSettings
from services.app import banner, logs
from services.app.child_process import Program
from services.app.datadir import ALERTS, TELEMETRY, DataDir
from services.app.listen import check_traps
from services.app.parent import Parent
from services.app.settings import CoreSettings, sqlite_url
from services.telemetry.settings import TelemetryChoices, TelemetrySettings

# sockaddr_un has 108 bytes, one of them the final zero.
_MAX_PATH = 107
_LONGEST_NAME = len("/telemetry.sock")


def run(
    core: CoreSettings,
    trap_listen: Sequence[str],
    *,
    public_url: str,
    telemetry: bool,
    choices: TelemetryChoices,
) -> int:
    """Runs until told to stop; the exit code. StartFailure where the data folder can't be used."""
    logs.configure(core.log_format, "up")
    traps = check_traps(trap_listen, auth=core.auth)
    folder = DataDir(Path(core.data_dir))
    alerts_folder = DataDir(Path(core.data_dir), ALERTS)
    telemetry_folder = DataDir(Path(core.data_dir), TELEMETRY)
    with folder, alerts_folder, telemetry_folder, _sockets(Path(core.data_dir)) as sockets:
        core = dataclasses.replace(
            core,
            internal_listen=f"unix:{sockets}/core.sock",
            alerts=f"unix:{sockets}/alerts.sock",
            telemetry=f"unix:{sockets}/telemetry.sock" if telemetry else None,
        )
        alerts = AlertsSettings(
            data_dir=core.data_dir,
            database=_database_of(core, "alerts"),
            grpc_listen=f"unix:{sockets}/alerts.sock",
            inventory=f"unix:{sockets}/core.sock",
            key_file=core.key_file,
            trap_listen=traps,
            trap_fallback=not trap_listen,
            public_url=public_url,
            log_format=core.log_format,
        )
        metrics = TelemetrySettings(
            data_dir=core.data_dir,
            database=_database_of(core, "telemetry"),
            grpc_listen=f"unix:{sockets}/telemetry.sock",
            inventory=f"unix:{sockets}/core.sock",
            key_file=core.key_file,
            log_format=core.log_format,
            **dataclasses.asdict(choices),
        )
        programs = [
            Program(
                "core",
                "services.app.core",
                lambda token: dataclasses.replace(core, service_token_fd=token).to_json(),
                must_start=True,
                keep=(folder.lock_fd,),
            ),
            Program(
                "alerts",
                "services.app.alerts",
                lambda token: dataclasses.replace(alerts, service_token_fd=token).to_json(),
                keep=(folder.lock_fd, alerts_folder.lock_fd),
            ),
        ]
        if telemetry:
            programs.append(
                Program(
                    "telemetry",
                    "services.app.telemetry",
                    lambda token: dataclasses.replace(metrics, service_token_fd=token).to_json(),
                    keep=(folder.lock_fd, telemetry_folder.lock_fd),
                )
            )

        told: list[dict[str, Any]] = []

        def ready(name: str, where: dict[str, Any]) -> None:
            if name == "core":
                banner.show(core, where)
            elif name == "alerts" and where not in told[-1:]:  # else it is back where it was
                told.append(where)
                banner.show_traps(core.log_format, where)

        return Parent(programs, ready).run()


def _database_of(core: CoreSettings, service: str) -> str:
    """A file of its own in the data folder, or a schema of its own in the database that all share."""
    return sqlite_url(Path(core.data_dir), service) if core.database.startswith("sqlite:") else core.database


@contextmanager
def _sockets(data_dir: Path) -> Iterator[Path]:
    """A folder for sockets that nobody but this user enters: in the data folder, where its path is not too long."""
    wanted = data_dir / "run"
    if len(str(wanted).encode()) + _LONGEST_NAME <= _MAX_PATH:
        wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
        wanted.chmod(0o700)
        yield wanted
        return
    folder = Path(tempfile.mkdtemp(prefix="delphis-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
