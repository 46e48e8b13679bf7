"""Why the application doesn't start or go on."""

from __future__ import annotations


class StartFailure(Exception):
    """Something that its operator must mend; the message says what and how."""
