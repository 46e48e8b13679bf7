"""Ends requests at their deadline, whatever the array does.

A timeout of a socket only bounds the wait for the next byte: an array that sends one byte a second is never late. So
one thread of the process shuts down the connections of requests whose deadline has passed; their threads come back.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
from collections.abc import Generator


class Guard:
    """One request, and the connections that it uses.

    Attributes:
        expired: The deadline has passed; what was read since is not to be trusted.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.expired = False
        self._connections: list[socket.socket] = []
        self._lock = threading.Lock()

    def add(self, connection: socket.socket) -> None:
        """Shuts this connection down at the deadline."""
        # A duplicate, as the number of the original may belong to another connection by then.
        copy = socket.socket(connection.family, connection.type, connection.proto, os.dup(connection.fileno()))
        with self._lock:
            self._connections.append(copy)
            if self.expired:
                self._shut_down()

    def expire(self) -> None:
        """The deadline has passed."""
        with self._lock:
            self.expired = True
            self._shut_down()

    def release(self) -> None:
        """The request is over."""
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def _shut_down(self) -> None:
        for connection in self._connections:
            with contextlib.suppress(OSError):  # it is closed already
                connection.shutdown(socket.SHUT_RDWR)


class Watch:
    """The thread that keeps the time for all requests of the process. It starts with the first one."""

    def __init__(self) -> None:
        self._guards: set[Guard] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wakes_at = math.inf
        self._of_thread = threading.local()

    @contextlib.contextmanager
    def request(self, deadline: float) -> Generator[Guard, None, None]:
        """Guards what the calling thread connects to and asks inside.

        Args:
            deadline: When it ends, in seconds of the monotonic clock.
        """
        guard = Guard(deadline)
        with self._changed:
            self._guards.add(guard)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="http-deadlines", daemon=True)
                self._thread.start()
            elif deadline < self._wakes_at:
                self._changed.notify()
        self._of_thread.guard = guard
        try:
            yield guard
        finally:
            self._of_thread.guard = None
            with self._changed:
                self._guards.discard(guard)
            guard.release()

    def guard(self, connection: socket.socket | None) -> None:
        """Puts a connection under the guard of the calling thread's request."""
        guard: Guard | None = getattr(self._of_thread, "guard", None)
        if guard is not None and connection is not None:
            guard.add(connection)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for guard in [guard for guard in self._guards if guard.deadline <= now]:
                    self._guards.discard(guard)
                    guard.expire()
                self._wakes_at = min((guard.deadline for guard in self._guards), default=math.inf)
                self._changed.wait(None if self._wakes_at == math.inf else self._wakes_at - now)


WATCH = Watch()
