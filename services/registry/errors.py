"""What can go wrong with a driver before a call reaches it.

ManifestError      a driver.toml or entry point can't be used
StartFailed        a host did not become ready
"""

from __future__ import annotations


class ManifestError(Exception):
    """A manifest that can't be used; the message names what to mend."""


class StartFailed(Exception):
    """A host that did not become ready: why, how its process ended, what it printed last."""

    def __init__(self, message: str, *, exit_text: str = "", log_tail: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.exit_text = exit_text
        self.log_tail = log_tail
