"""Who is to blame for the end of a host."""

from __future__ import annotations

import signal
import time
from collections import deque
from enum import Enum
from pathlib import Path

from services.registry.host_process import Exit
from services.registry.settings import HostSettings

# The kernel counts a kill for want of memory at once, the process may take a while to be gone.
_OOM_MEMORY = 5.0


class Blame(Enum):
    """What a death says about the calls that ran."""

    WANTED = "wanted"
    """We asked the host to end."""
    OUTSIDE = "outside"
    """Somebody killed it, or it ended in order after somebody asked it to."""
    OUTSIDE_TOO_OFTEN = "outside, too often"
    """The same, so often that it is taken for the host's own making."""
    OWN = "own"
    """Its own making: one of its calls may be the cause."""

    @property
    def makes_suspects(self) -> bool:
        """Whether the arrays with calls in flight are distrusted."""
        return self in (Blame.OWN, Blame.OUTSIDE_TOO_OFTEN)


class OomCounter:
    """Whether the kernel killed processes for want of memory lately."""

    def __init__(self, vmstat: Path) -> None:
        self._vmstat = vmstat
        self._seen: deque[tuple[float, int]] = deque([(time.monotonic(), self._read())])

    def look(self) -> bool:
        """Reads the counter; True where it is higher than a few seconds ago."""
        now, count = time.monotonic(), self._read()
        while len(self._seen) > 1 and self._seen[1][0] < now - _OOM_MEMORY:
            self._seen.popleft()
        self._seen.append((now, count))
        return count > self._seen[0][1]

    def _read(self) -> int:
        try:
            with self._vmstat.open(encoding="ascii") as file:
                for line in file:
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        except OSError:  # not this kernel's: then nothing is known of it
            pass
        return 0


class DeathJudge:
    """Judges the ends of one driver's hosts."""

    def __init__(self, settings: HostSettings, oom: OomCounter) -> None:
        self._settings = settings
        self._oom = oom
        self._outside: deque[float] = deque()

    def judge(self, ended: Exit, *, wanted: bool, limit_broken: bool) -> Blame:
        """`wanted`: we asked for the end; `limit_broken`: we killed it for what it did."""
        if limit_broken:
            return Blame.OWN
        if wanted:
            return Blame.WANTED
        killed = ended.signal in (signal.SIGKILL, signal.SIGTERM) or ended.code == 0
        if not killed or (ended.signal == signal.SIGKILL and self._oom.look()):
            return Blame.OWN
        now = time.monotonic()
        self._outside.append(now)
        while self._outside[0] < now - self._settings.window:
            self._outside.popleft()
        return Blame.OUTSIDE_TOO_OFTEN if len(self._outside) >= self._settings.outside_kills else Blame.OUTSIDE
