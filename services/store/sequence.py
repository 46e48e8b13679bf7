"""Numbers for new rows: the time in microseconds, times 256, plus the writer's number.

So rows lie in order of creation, which needs no index of its own, and two cores on one PostgreSQL never give the same.
"""

from __future__ import annotations

import time

from services.store.connection import Connection
from services.store.schema import Schema

WRITER_BITS = 8
STEP = 1 << WRITER_BITS


def micros(seq: int) -> int:
    """When the row with this number was created, in microseconds since 1970."""
    return seq >> WRITER_BITS


class Sequence:
    """Gives numbers that grow, for the columns `seq` of a schema. Used by the writer thread alone."""

    def __init__(self, schema: Schema) -> None:
        # Names of tables and sequences are our own constants.
        self._tables = [table.name for table in schema.metadata.sorted_tables if "seq" in table.c]
        self._writer_numbers = schema.writer_numbers
        self._writer = -1
        self._last = 0

    def take(self, connection: Connection, count: int) -> range:
        """The next `count` numbers: one microsecond each, from now on or after the last one given."""
        if self._writer < 0:
            self._begin(connection)
        first = max(time.time_ns() // 1000, self._last + 1)
        self._last = first + count - 1
        low = (first << WRITER_BITS) | self._writer
        return range(low, low + count * STEP, STEP)

    def _begin(self, connection: Connection) -> None:
        """After a start no number is given again, even if the clock was set back."""
        highest = [connection.execute(f"SELECT max(seq) FROM {name}").fetchone()[0] or 0 for name in self._tables]
        self._last = micros(max(highest, default=0))
        if self._writer_numbers and connection.dialect == "postgresql":
            text = f"SELECT nextval('{self._writer_numbers}')"
            self._writer = connection.execute(text).fetchone()[0] % STEP
        else:
            self._writer = 0
