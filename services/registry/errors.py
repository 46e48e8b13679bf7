"""What can go wrong with a driver before a call reaches it.

ManifestError      a driver.toml or entry point can't be used
StartFailed        a host did not become ready
HostSilent         a host did not answer a question of the core itself
"""

from __future__ import annotations

import grpc


class ManifestError(Exception):
    """A manifest that can't be used; the message names what to mend."""


class StartFailed(Exception):
    """A host that did not become ready: why, how its process ended, what it printed last."""

    def __init__(self, message: str, *, exit_text: str = "", log_tail: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.exit_text = exit_text
        self.log_tail = log_tail


class HostSilent(Exception):
    """A host that does not say who or how it is."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{code.name}: {details}")
        self.code = code
