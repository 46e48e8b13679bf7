"""What keeps a project from being made."""

from __future__ import annotations


class ProjectError(Exception):
    """A name that can't be used, or a folder that can't be written; nothing was written."""
