"""One child of `delphis up`: started, started again, ended."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.auth import service_token

log = logging.getLogger(__name__)

STOP_GRACE = 20.0
BACKOFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
STABLE_AFTER = 60.0
OPERATORS_FAULT = 2
"""The exit code of a process whose operator must mend something first."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a child is."""

    name: str
    """For people."""
    module: str
    settings: Callable[[int], str]
    """Its settings as JSON; gets the descriptor from which it reads the service token."""
    must_start: bool = False
    """Where it ends before it was ever ready, it is not tried again."""
    keep: Sequence[int] = ()
    """Descriptors that it inherits: locks, which so are held until the last process has ended."""


@dataclass(slots=True)
class ChildProcess:
    """A program and its process, if it runs. A child that dies is started again, for ever."""

    program: Program
    token: str = field(repr=False)
    on_ready: Callable[[dict[str, Any]], None]
    was_ready: bool = False
    """It has been ready at least once."""
    ready_fd: int | None = None
    """Where it tells that it is ready."""
    exit_code: int | None = None
    """Of its last process, where that has ended."""
    _process: subprocess.Popen[bytes] | None = None
    _said: bytes = b""
    _began: float = 0.0
    _failures: int = 0
    _start_at: float | None = None
    _asked_at: float | None = None

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @property
    def ended_well(self) -> bool:
        """Whether its last process ended as it should: by itself, or by a stop that came before it could take it."""
        return self.exit_code in (None, 0) or (self._asked_at is not None and self.exit_code == -signal.SIGTERM)

    @property
    def failed_to_start(self) -> bool:
        """It ended before it was ever ready, and another try would not mend that."""
        if self.runs or self.was_ready or self.exit_code is None:
            return False
        return self.program.must_start or self.exit_code == OPERATORS_FAULT

    def start(self) -> None:
        """Starts the process."""
        settings_read, settings_write = os.pipe()
        ready_read, ready_write = os.pipe()
        token_read = service_token.to_descriptor(self.token)
        handed = (settings_read, ready_write, token_read)
        self._process = subprocess.Popen(
            [sys.executable, "-m", self.program.module, str(settings_read), str(ready_write), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            pass_fds=(*handed, *self.program.keep),
        )
        for descriptor in handed:
            os.close(descriptor)
        with os.fdopen(settings_write, "w") as pipe:
            pipe.write(self.program.settings(token_read))
        self.ready_fd, self._said, self.exit_code = ready_read, b"", None
        self._began, self._start_at, self._asked_at = time.monotonic(), None, None

    def hear(self) -> None:
        """Reads what it says of its readiness, where there is something to read."""
        assert self.ready_fd is not None
        data = os.read(self.ready_fd, 4096)
        self._said += data
        if not data:
            self._deafen()
            if self._said:
                self.was_ready = True
                self.on_ready(json.loads(self._said))

    def look(self) -> None:
        """Notices that it ended, and starts it again when that is due."""
        if self._process is not None and self._process.poll() is not None:
            self.exit_code = self._process.returncode
            self._process = None
            self._deafen()
            if not self.failed_to_start and self._asked_at is None:
                self._plan_restart()
        elif self._process is None and self._start_at is not None and time.monotonic() >= self._start_at:
            self.start()

    def _plan_restart(self) -> None:
        now = time.monotonic()
        if now - self._began > STABLE_AFTER:
            self._failures = 0
        delay = BACKOFF[min(self._failures, len(BACKOFF) - 1)]
        self._failures += 1
        self._start_at = now + delay
        assert self.exit_code is not None
        how = f"signal {-self.exit_code}" if self.exit_code < 0 else f"exit code {self.exit_code}"
        log.warning("the %s process ended (%s); it is started again in %g s", self.program.name, how, delay)

    def stop(self) -> bool:
        """Asks it to end, and makes it where it takes too long. Whether it has ended; to be called until then."""
        self._start_at = None
        if self._process is None:
            return True
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
            self._process.send_signal(signal.SIGTERM)
        elif now - self._asked_at > STOP_GRACE:
            log.warning("the %s process did not end within %g s and is killed", self.program.name, STOP_GRACE)
            self._process.kill()
        self.look()
        return self._process is None

    def seconds_to_start(self) -> float | None:
        """When it is to be started again; None: it runs, or is not to run."""
        return None if self._start_at is None else max(0.0, self._start_at - time.monotonic())

    def _deafen(self) -> None:
        if self.ready_fd is not None:
            os.close(self.ready_fd)
            self.ready_fd = None
