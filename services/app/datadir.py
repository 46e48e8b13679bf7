"""The data folder, and that only one Delphis uses it, for each purpose."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from services.app.failure import StartFailure

CORE, ALERTS, TELEMETRY = "lock", "alerts.lock", "telemetry.lock"
"""The files that are locked, by what a folder is used for."""


class DataDir:
    """An open and locked data folder.

    The lock is held by an open file that child processes inherit, so the folder is free only when the last of them has
    ended; however they end.
    """

    def __init__(self, path: Path, name: str = CORE) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o750)
            self.lock_fd = os.open(path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise StartFailure(f"The data folder {path} can't be used: {error.strerror}.") from error
        try:
            fcntl.flock(self.lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = os.read(self.lock_fd, 32).decode("ascii", "replace").strip()
            os.close(self.lock_fd)
            raise StartFailure(
                f"Another Delphis (process {pid or 'unknown'}) uses the data folder {path}."
                " Stop it, or give another --data-dir."
            ) from error
        os.ftruncate(self.lock_fd, 0)
        os.write(self.lock_fd, str(os.getpid()).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the folder free, as far as this process goes."""
        os.close(self.lock_fd)
