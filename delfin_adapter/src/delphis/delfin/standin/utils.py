"""`delfin.utils`"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from delphis.delfin.standin import exception
else:
    from delfin import exception

_DANGEROUS = frozenset("`$|;&<>")


def utcnow_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def check_ssh_injection(words: Iterable[str]) -> None:
    """Raises SSHInjectionThreat for what a shell would take as more than words; a text is looked at by character."""
    found = list(words)
    if any(_DANGEROUS & set(word) for word in found):
        raise exception.SSHInjectionThreat("".join(found) if isinstance(words, str) else " ".join(found))
