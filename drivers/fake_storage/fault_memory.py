"""Counts of calls that must outlive the process, for faults that end it: `crash*1` crashes once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


class Tally:
    """Two numbers in a file of our own: how often a place was called, and how often the fault happened there."""

    def __init__(self, *key: str) -> None:
        digest = hashlib.sha256("\n".join(key).encode()).hexdigest()
        self._folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"delphis-fake-storage-{os.getuid()}"
        self._path = self._folder / digest[:32]

    def read(self) -> tuple[int, int]:
        try:
            calls, happened = self._path.read_text("ascii").split()
        except FileNotFoundError:
            return 0, 0
        return int(calls), int(happened)

    def write(self, calls: int, happened: int) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self._folder.stat(follow_symlinks=False).st_uid != os.getuid():
            raise PermissionError(f"{self._folder} belongs to somebody else; remove it or set TMPDIR")
        replacement = self._path.with_suffix(f".{os.getpid()}")
        replacement.write_text(f"{calls} {happened}", "ascii")
        replacement.replace(self._path)
