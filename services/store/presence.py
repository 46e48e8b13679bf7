"""Which processes that write to the database live.

On PostgreSQL each has a number and holds a lock on it, on the connection by which it writes: so whatever a process has
written was written while it held the lock, and the server gives the lock free when the process ends, however it ends.
SQLite has one process.
"""

from __future__ import annotations

import secrets

from services.store.connection import Connection

NOBODY = 0
_LOCKS = 0x64656C70  # "delp"; the second half of the key is the process's number


class Presence:
    """This process."""

    def __init__(self) -> None:
        self.number = 1 + secrets.randbelow(2**31 - 1)
        self._held: Connection | None = None

    def show(self, connection: Connection) -> None:
        """Takes the lock, where the connection is a new one. To be called outside of transactions."""
        connection.process = self.number
        if connection is self._held or connection.dialect != "postgresql":
            return
        # Where the server has not noticed yet that our last connection broke, that one holds it; we try again.
        if connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCKS, self.number)).fetchone()[0]:
            self._held = connection


def is_gone(connection: Connection, number: int) -> bool:
    """Whether the process has ended. Until the transaction ends no other process is told so as well."""
    if number == connection.process:
        return False
    if number == NOBODY or connection.dialect != "postgresql":
        return True
    return bool(connection.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (_LOCKS, number)).fetchone()[0])
