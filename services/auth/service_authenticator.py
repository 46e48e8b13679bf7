"""Who may call a process that only Delphis' own processes call."""

from __future__ import annotations

import hmac

from delphis.type.v1 import options_pb2
from services.auth.secret import hash_of
from services.calls.errors import CallError
from services.calls.method import Caller

_SERVICE = Caller("service", frozenset({options_pb2.SCOPE_SERVICE}))


class ServiceAuthenticator:
    """Knows one token: that of Delphis' own processes."""

    def __init__(self, token: str) -> None:
        self._hash = hash_of(token)

    def authenticate(self, token: str | None) -> Caller:
        """The bearer, or UNAUTHENTICATED."""
        if token is not None and hmac.compare_digest(hash_of(token), self._hash):
            return _SERVICE
        raise CallError(
            "UNAUTHENTICATED",
            "This process takes calls of Delphis' own processes alone. Call the core, which relays yours.",
        )
