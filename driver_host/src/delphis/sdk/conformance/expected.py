"""Failures that the author knows of: a file of check ids, each with the reason why it fails."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from delphis.sdk.conformance import documents
from delphis.sdk.conformance.errors import UsageError


def read(path: Path, known: Collection[str]) -> dict[str, str]:
    """The reasons by check id. UsageError where the file can't be used, names no check, or gives no reason."""
    found: dict[str, str] = {}
    for check, reason in documents.table(documents.read(path), str(path)).items():
        if check not in known:
            raise UsageError(f"{path}: there is no check {check!r}; `delphis-driver check --list` names them.")
        if not isinstance(reason, str) or not reason.strip():
            raise UsageError(f"{path}: {check} needs a reason, a text.")
        found[check] = reason.strip()
    return found
