"""How long and how much."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; the call's deadline ends all of them.

    Attributes:
        connect: Until there is a TCP connection.
        banner: From then until the server has shown itself and its key.
        auth: Of the login.
        command: Of a command that names no time of its own, from its beginning to its end.
        keepalive: Between two signs of life on a quiet connection.
    """

    connect: float = 10.0
    banner: float = 15.0
    auth: float = 30.0
    command: float = 120.0
    keepalive: int = 30
