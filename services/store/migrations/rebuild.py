"""Changing a table of SQLite, which can do little to one that exists."""

from __future__ import annotations

from sqlalchemy import Connection


def rebuild(bind: Connection, table: str, statement: str) -> None:
    """Makes the table anew by its new CREATE TABLE, with the rows and indexes of the old one.

    New columns get their defaults. The text is what the snapshot has: ALTER TABLE ADD would write another one.
    """
    indexes = [
        row[0]
        for row in bind.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", (table,)
        )
    ]
    columns = ", ".join(row[1] for row in bind.exec_driver_sql(f"PRAGMA table_info({table})"))
    bind.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {table}_before")
    bind.exec_driver_sql(statement)
    bind.exec_driver_sql(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table}_before")
    bind.exec_driver_sql(f"DROP TABLE {table}_before")
    for text in indexes:
        bind.exec_driver_sql(text)
