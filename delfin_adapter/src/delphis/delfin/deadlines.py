"""Lets no HTTP request of a driver wait longer than whoever waits for the driver.

Such drivers know no deadline. Their requests go through the library requests, which waits as long as it is told to.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SHORTEST = 0.05
_now = threading.local()


@contextmanager
def until(seconds: float) -> Iterator[None]:
    """Requests of this thread end within so many seconds."""
    before = getattr(_now, "deadline", None)
    _now.deadline = time.monotonic() + seconds
    try:
        yield
    finally:
        _now.deadline = before


def _bounded(timeout: Any) -> Any:
    """A timeout of requests: seconds, a pair for connecting and reading, an object of urllib3, or None."""
    deadline = getattr(_now, "deadline", None)
    if deadline is None:
        return timeout
    left = max(_SHORTEST, deadline - time.monotonic())
    if timeout is None or isinstance(timeout, (int, float)):
        return left if timeout is None else min(timeout, left)
    if isinstance(timeout, tuple):
        return tuple(_bounded(part) for part in timeout)
    return timeout


def bound_requests() -> None:
    """Bounds all requests of the process, if it has loaded the library."""
    adapters: Any = sys.modules.get("requests.adapters")
    if adapters is None or hasattr(adapters.HTTPAdapter.send, "bounded"):
        return
    send = adapters.HTTPAdapter.send

    def bounded_send(self: Any, request: Any, stream: Any = False, timeout: Any = None, *a: Any, **named: Any) -> Any:
        return send(self, request, stream, _bounded(timeout), *a, **named)

    bounded_send.bounded = True  # type: ignore[attr-defined]
    adapters.HTTPAdapter.send = bounded_send
