"""`delphis up`: the parent of all processes. It starts them, starts them again, and ends them."""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable, Sequence
from typing import Any

from services.app.child_process import ChildProcess, Program
from services.auth.secret import new_secret

TICK = 0.5

OnReady = Callable[[str, dict[str, Any]], None]


class Parent:
    """Runs programs as child processes until told to stop.

    The first one is the core. The others start once it is ready, so that they don't keep it from becoming so, and end
    before it does. Each that dies is started again by itself, without the others; only at the beginning a fault that an
    operator must mend, or a core that dies, ends all.
    """

    def __init__(self, programs: Sequence[Program], on_ready: OnReady) -> None:
        """`on_ready` gets the name of a program that is ready, each time, and what it said."""
        token = new_secret()
        self._children = [
            ChildProcess(program, token, lambda where, name=program.name: on_ready(name, where))  # type: ignore[misc]
            for program in programs
        ]
        self._core = self._children[0]
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def run(self) -> int:
        """The exit code of `up`."""
        signal.set_wakeup_fd(self._wake_write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._core.start()
        others_run = False
        while not self._stopping:
            self._wait()
            if self._core.was_ready and not others_run:
                others_run = True
                for child in self._children[1:]:
                    child.start()
            for child in self._children:
                child.look()
            for child in self._children:
                if child.failed_to_start:
                    return self._end(child.exit_code or 1)
        return self._end(0)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _end(self, code: int) -> int:
        """Ends all, the core last; the exit code."""
        for child in (*self._children[1:], self._core):
            while not child.stop():
                self._wait()
            if not child.ended_well:
                code = code or 1
        return max(code, 1) if code else 0

    def _wait(self) -> None:
        """Waits for a signal, for what a child says, or until one is to be started."""
        due = [seconds for child in self._children if (seconds := child.seconds_to_start()) is not None]
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_read, selectors.EVENT_READ)
            for child in self._children:
                if child.ready_fd is not None:
                    selector.register(child.ready_fd, selectors.EVENT_READ, child)
            for key, _ in selector.select(timeout=min([TICK, *due])):
                if key.data is None:
                    os.read(key.fd, 4096)
                else:
                    key.data.hear()
