"""Which processes that write to a schema live, and that only one does where that is the rule.

On PostgreSQL each has a number and holds a lock on it, on the connection by which it writes: so whatever a process has
written was written while it held the lock, and the server gives the lock free when the process ends, however it ends.
Where only one may write, all have the same number. SQLite has one process; the lock of the data folder sees to that.
"""

from __future__ import annotations

import secrets
import time

from services.store.connection import Connection
from services.store.errors import StoreFault
from services.store.schema import Schema

NOBODY = 0
_SOLE = 0
_TRY = "SELECT pg_try_advisory_lock(%s, %s)"


class InUse(StoreFault):
    """Another process writes to the schema, and only one may."""

    def __init__(self, schema: Schema) -> None:
        super().__init__(
            "write", f"another process writes to the {schema.name} schema of this database; only one may at a time"
        )


class Presence:
    """This process, as a writer to a schema."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.number = _SOLE if schema.sole else 1 + secrets.randbelow(2**31 - 1)
        self._held: Connection | None = None

    def wait(self, connection: Connection, seconds: float) -> None:
        """As `show`, but gives the last process that much time to end."""
        until = time.monotonic() + seconds
        while True:
            try:
                self.show(connection)
            except InUse:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return

    def show(self, connection: Connection) -> None:
        """Takes the lock, where the connection is a new one. To be called outside of transactions.

        InUse where another process has the lock that only one may have.
        """
        connection.process = self.number
        connection.lock = self._schema.lock
        if connection is self._held or connection.dialect != "postgresql":
            return
        if connection.execute(_TRY, (self._schema.lock, self.number)).fetchone()[0]:
            self._held = connection
        elif self._schema.sole:
            raise InUse(self._schema)
        # Else the server has not noticed yet that our last connection broke, and that one holds it; we try again.


def is_gone(connection: Connection, number: int) -> bool:
    """Whether the process has ended. Until the transaction ends no other process is told so as well."""
    if number == connection.process:
        return False
    if number == NOBODY or connection.dialect != "postgresql":
        return True
    free = connection.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (connection.lock, number)).fetchone()[0]
    return bool(free)
