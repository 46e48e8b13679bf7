"""The processes of a host, and what everybody on the machine can read of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

_INTERVAL = 0.1
_PROC = Path("/proc")


def descendants(pid: int) -> Iterator[int]:
    """The process and all its children's children."""
    yield pid
    with contextlib.suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError):
                for child in (task / "children").read_text().split():
                    yield from descendants(int(child))


def resident_bytes(pid: int) -> int:
    """Memory that the process and its children hold; 0 where they have ended."""
    total = 0
    for member in descendants(pid):
        with contextlib.suppress(OSError, IndexError, ValueError):
            lines = (_PROC / str(member) / "status").read_text().splitlines()
            total += next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))
    return total


class FamilyWatch:
    """Looks ten times a second at the command lines and environments of a host and its children."""

    def __init__(self, pid: int) -> None:
        self.seen: set[tuple[str, bytes]] = set()
        """What was found: `command line` or `environment`, and its text."""
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="host family", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Looks no more."""
        self._stop.set()
        self._thread.join(5)

    def _watch(self) -> None:
        while not self._stop.wait(_INTERVAL):
            for member in list(descendants(self._pid)):
                # The environment of a process that keeps its memory private can't be read, and need not be.
                for what, file in (("command line", "cmdline"), ("environment", "environ")):
                    with contextlib.suppress(OSError):
                        self.seen.add((what, (_PROC / str(member) / file).read_bytes()))
