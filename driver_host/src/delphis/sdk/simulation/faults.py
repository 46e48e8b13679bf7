"""Faults on demand: what a simulated array does wrong, for which requests, how often."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from delphis.sdk.simulation.messages import Request

How = Literal["answer", "hang", "garbage", "half", "reset", "expire"]


@dataclass(frozen=True)
class Fault:
    """One way to fail.

    Attributes:
        how: `answer`: with `status`, `headers` and `body`; `hang`: never; `garbage`: bytes that are no HTTP; `half`:
            the right answer, cut in its middle; `reset`: the connection is reset; `expire`: all sessions end before the
            request is looked at.
        status: HTTP status of an answer.
        headers: Of an answer.
        body: Of an answer.
        delay: Seconds to wait first. With `how` None it is all that is wrong.
    """

    how: How | None = "answer"
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str = ""
    delay: float = 0.0


def status(code: int, body: str = "", **headers: str) -> Fault:
    """Answers with a status. `Retry_After="1"` gives the header `Retry-After: 1`."""
    return Fault(status=code, body=body, headers={name.replace("_", "-"): text for name, text in headers.items()})


def throttled(seconds: int = 1) -> Fault:
    """Answers 429 with Retry-After."""
    return status(429, Retry_After=str(seconds))


def delayed(seconds: float) -> Fault:
    """Answers rightly, but late."""
    return Fault(how=None, delay=seconds)


HANG, GARBAGE, HALF = Fault("hang"), Fault("garbage"), Fault("half")
RESET, EXPIRED = Fault("reset"), Fault("expire")


@dataclass
class _Armed:
    fault: Fault
    method: str
    path: str
    left: int | None
    skip: int


class Faults:
    """The faults that are armed; the first that fits a request is taken."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self._lock = threading.Lock()

    def arm(self, fault: Fault, *, path: str = "*", method: str = "*", times: int | None = 1, after: int = 0) -> None:
        """Arms a fault.

        Args:
            fault: What goes wrong.
            path: For which paths, as a shell's pattern: `/api/volumes*`.
            method: For which methods, as a pattern.
            times: How often; None: until `clear`.
            after: How many requests that fit are answered rightly first.
        """
        with self._lock:
            self._armed.append(_Armed(fault, method, path, times, after))

    def clear(self) -> None:
        """Disarms all."""
        with self._lock:
            self._armed.clear()

    def take(self, request: Request) -> Fault | None:
        """The fault for a request; None: none."""
        with self._lock:
            for armed in self._armed:
                if armed.left == 0 or not fnmatchcase(request.method, armed.method):
                    continue
                if not fnmatchcase(request.path, armed.path):
                    continue
                if armed.skip:
                    armed.skip -= 1
                    continue
                if armed.left is not None:
                    armed.left -= 1
                return armed.fault
        return None
