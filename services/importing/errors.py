"""What can go wrong between Delfin's database and the inventory."""

from __future__ import annotations


class SourceFault(Exception):
    """The database can't be read, or is no Delfin database. The message says what and how to go on, without secrets."""


class Untakeable(Exception):
    """A storage that can't be imported. The message says why, without secrets."""
