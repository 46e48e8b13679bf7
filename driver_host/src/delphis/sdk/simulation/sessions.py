"""Sessions at a simulated array: they are opened, expire, and are counted."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable


class Sessions:
    """The sessions that are open. Any thread may use it.

    Attributes:
        opened: How many were opened.
        most: How many were open at a time, at most.
    """

    def __init__(
        self,
        *,
        idle_seconds: float | None = None,
        limit: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            idle_seconds: A session unused for so long has expired; None: it never does.
            limit: So many may be open at a time; None: any number.
            clock: For tests that don't want to wait.
        """
        self._idle, self._limit, self._clock = idle_seconds, limit, clock
        self._used: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self.opened = 0
        self.most = 0

    def open(self, user: str = "") -> str | None:
        """The token of a new session; None: too many are open."""
        with self._lock:
            self._sweep()
            if self._limit is not None and len(self._used) >= self._limit:
                return None
            token = secrets.token_hex(16)
            self._used[token] = (user, self._clock())
            self.opened += 1
            self.most = max(self.most, len(self._used))
            return token

    def valid(self, token: str | None) -> bool:
        """Whether a session is open; if so, it counts as used now."""
        with self._lock:
            self._sweep()
            if token is None or token not in self._used:
                return False
            self._used[token] = (self._used[token][0], self._clock())
            return True

    def user(self, token: str) -> str | None:
        """Whose session it is; None: it is not open."""
        with self._lock:
            return self._used[token][0] if token in self._used else None

    def close(self, token: str | None) -> bool:
        """Ends a session; False where it was not open."""
        with self._lock:
            return token is not None and self._used.pop(token, None) is not None

    def expire(self) -> None:
        """Ends all sessions."""
        with self._lock:
            self._used.clear()

    def __len__(self) -> int:
        with self._lock:
            self._sweep()
            return len(self._used)

    def _sweep(self) -> None:
        if self._idle is not None:
            oldest = self._clock() - self._idle
            self._used = {token: each for token, each in self._used.items() if each[1] >= oldest}
