"""Numbers for new rows: the time in microseconds, times 256, plus the writer's number.

So rows lie in order of creation, which needs no index of its own, and two cores on one PostgreSQL never give the same.
"""

from __future__ import annotations

import time

from services.store.connection import Connection
from services.store.schema import resources
from services.store.schema.columns import metadata

WRITER_BITS = 8
STEP = 1 << WRITER_BITS
_TABLES = [table.name for table in metadata.sorted_tables if "seq" in table.c]
_NEXT_WRITER = f"SELECT nextval('{resources.WRITER_NUMBERS}')"


def micros(seq: int) -> int:
    """When the row with this number was created, in microseconds since 1970."""
    return seq >> WRITER_BITS


class Sequence:
    """Gives numbers that grow. Used by the writer thread alone."""

    def __init__(self) -> None:
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
        # Table names are our own constants.
        highest = [connection.execute(f"SELECT max(seq) FROM {name}").fetchone()[0] or 0 for name in _TABLES]
        self._last = micros(max(highest))
        if connection.dialect == "postgresql":
            self._writer = connection.execute(_NEXT_WRITER).fetchone()[0] % STEP
        else:
            self._writer = 0
