"""Counts since the service began, by name."""

from __future__ import annotations

from collections import Counter


class Counts(Counter[str]):
    """What happened so often. docs/alerts.md lists the names."""
