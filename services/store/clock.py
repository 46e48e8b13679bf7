"""The store's clock: the one by which all processes on a database agree on what has run out."""

from __future__ import annotations

import time

from services.store.connection import Connection


def now(connection: Connection) -> int:
    """Microseconds since 1970. PostgreSQL's own; SQLite has one process, whose clock it is."""
    if connection.dialect == "sqlite":
        return time.time_ns() // 1000
    row = connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").fetchone()
    return int(row[0])
