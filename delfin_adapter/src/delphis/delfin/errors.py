"""What can go wrong before a driver serves."""

from __future__ import annotations


class AdapterError(Exception):
    """The command can't do what it was told; the message says why and what to do."""
