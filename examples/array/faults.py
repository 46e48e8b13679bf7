"""What goes wrong at a Pebble, on demand."""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields
from typing import Any

COUNTED = ("busy", "fail", "garbage", "drop", "forbid")


@dataclass
class Fault:
    """What is wrong now. The numbers count the requests that it befalls."""

    latency_s: float = 0.0
    """Each request takes so much longer."""
    busy: int = 0
    """429, with Retry-After."""
    fail: int = 0
    """500."""
    garbage: int = 0
    """200, and what is no JSON."""
    drop: int = 0
    """The connection is closed without an answer."""
    forbid: int = 0
    """403."""
    expire: bool = False
    """All sessions end, once."""
    path: str = "/api/"
    """Only requests whose path begins so are hit."""


class Faults:
    """The faults of one array."""

    def __init__(self, **now: Any) -> None:
        self._lock = threading.Lock()
        self._fault = Fault(**now)

    def put(self, wanted: dict[str, Any]) -> None:
        """Replaces what is wrong. TypeError or ValueError where it can't be understood."""
        known = {field.name: type(field.default) for field in fields(Fault)}
        for name, value in wanted.items():
            if name not in known:
                raise ValueError(f"there is no fault {name!r}; known are {', '.join(known)}")
            if not isinstance(value, (int, float) if known[name] is float else known[name]):
                raise ValueError(f"{name} must be a {known[name].__name__}")
        with self._lock:
            self._fault = Fault(**wanted)

    def next(self, path: str) -> tuple[str, float]:
        """The fault that befalls this request, or "", and how long the request waits."""
        with self._lock:
            fault = self._fault
            if not path.startswith(fault.path):
                return "", 0.0
            if fault.expire:
                fault.expire = False
                return "expire", fault.latency_s
            for name in COUNTED:
                if left := getattr(fault, name):
                    setattr(fault, name, left - 1)
                    return name, fault.latency_s
            return "", fault.latency_s
