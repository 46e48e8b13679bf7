"""What can go wrong before a driver is checked."""

from __future__ import annotations


class UsageError(Exception):
    """An argument or a file that can't be used; the message says which, why, and what to write instead."""
