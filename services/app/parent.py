"""`delphis up`: the parent of all processes. It starts them, starts them again, and ends them."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from services.app.settings import CoreSettings

STOP_GRACE = 20.0
BACKOFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
STABLE_AFTER = 60.0


class Parent:
    """Runs the core as a child process until told to stop.

    A core that dies is started again, for ever; only one that never was ready is not.
    """

    def __init__(self, settings: CoreSettings, lock_fd: int, on_ready: Callable[[dict[str, Any]], None]) -> None:
        self._settings = settings
        self._lock_fd = lock_fd
        self._on_ready = on_ready
        self._stopping = False
        self._was_ready = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def run(self) -> int:
        """The exit code of `up`."""
        signal.set_wakeup_fd(self._wake_write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        failures = 0
        while True:
            began = time.monotonic()
            code = self._run_core()
            if self._stopping:
                return 0 if code == 0 else 1
            if not self._was_ready:
                return code if code > 0 else 1
            failures = 0 if time.monotonic() - began > STABLE_AFTER else failures
            delay = BACKOFF[min(failures, len(BACKOFF) - 1)]
            failures += 1
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            sys.stderr.write(f"The core process ended ({how}); starting it again in {delay} s.\n")
            if self._wait(delay):
                return 1

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _run_core(self) -> int:
        settings_read, settings_write = os.pipe()
        ready_read, ready_write = os.pipe()
        core = subprocess.Popen(
            [sys.executable, "-m", "services.app.core", str(settings_read), str(ready_write), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            pass_fds=(settings_read, ready_write, self._lock_fd),
        )
        os.close(settings_read)
        os.close(ready_write)
        with os.fdopen(settings_write, "w") as pipe:
            pipe.write(self._settings.to_json())
        with os.fdopen(ready_read, "rb") as ready:
            return self._watch(core, ready.fileno())

    def _watch(self, core: subprocess.Popen[bytes], ready: int) -> int:
        """Waits until the core ends; passes on that it is ready, and a stop."""
        said = b""
        asked_at: float | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(ready, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while core.poll() is None:
                for key, _ in selector.select(timeout=0.5):
                    data = os.read(key.fd, 4096)
                    if key.fd == ready:
                        said += data
                        if not data:
                            selector.unregister(ready)
                            if said:
                                self._was_ready = True
                                self._on_ready(json.loads(said))
                if self._stopping and asked_at is None:
                    asked_at = time.monotonic()
                    core.send_signal(signal.SIGTERM)
                elif asked_at is not None and time.monotonic() - asked_at > STOP_GRACE:
                    sys.stderr.write(f"The core process did not end within {STOP_GRACE:g} s; killing it.\n")
                    core.kill()
        return core.wait()

    def _wait(self, seconds: float) -> bool:
        """Waits; whether a stop was asked for meanwhile."""
        end = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < end:
            time.sleep(min(0.1, max(0.0, end - time.monotonic())))
        return self._stopping
