"""Builds the examples with the tool chains of the machine, once at a time."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

REPO = Path(__file__).parents[2]
EXAMPLES = REPO / "examples"
BUILD_TIMEOUT = 600.0


def environment() -> dict[str, str]:
    """The test's own, but with the caches of the machine: a build from nothing takes minutes."""
    return {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}


def run(*command: str, folder: Path, timeout: float = BUILD_TIMEOUT) -> str:
    """What a program prints. AssertionError where it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)} in {folder} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def make(example: str, *targets: str) -> Path:
    """The example's folder, made."""
    folder = EXAMPLES / example
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run("make", "--no-print-directory", *targets, folder=folder)
    return folder
