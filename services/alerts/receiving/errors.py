"""Why receiving can't begin. What happens later is counted, not raised."""

from __future__ import annotations


class CannotListen(Exception):
    """The trap address can't be bound. The message says which, why, and what to do."""


class SpoolUnusable(Exception):
    """The spool's folder can't be read or written. The message says which file, and why."""
