"""What goes wrong between a query and the database that has the older points."""

from __future__ import annotations


class DatabaseFault(Exception):
    """It did not answer, or not with what was asked for. The message says why in a sentence, without secrets."""


class TooMuch(Exception):
    """More would have to be read than one query may."""
