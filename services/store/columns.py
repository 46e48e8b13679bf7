"""The few kinds of columns that the schema is made of."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, TextClause
from sqlalchemy import text as sql_text

MAX_TEXT = 512
"""Characters of a text that a column for filters and orders holds."""
_TEXT = Text(collation="C").with_variant(Text(), "sqlite")

# What only one database knows is in `info`, by the dialect's name, for `store.snapshot`: as arguments of Table and
# Index these options would load all of both dialects at start-up.
COUNTED = {"sqlite": {"autoincrement": True}}
"""The table's row_number is never given twice, even after the last row was deleted."""
KEYED = {"sqlite": {"with_rowid": False}}
"""The table lies in the order of its primary key."""


def clean(value: str) -> str:
    """The text as a column can hold it: PostgreSQL takes no NUL and no index entry of more than 2.7 KB."""
    if len(value) > MAX_TEXT:
        value = value[:MAX_TEXT]
    return value.replace("\0", "") if "\0" in value else value


def integer(name: str, *, default: int | None = 0, **options: Any) -> Column[Any]:
    """A whole number of 32 bits: counts, enum values, ports."""
    return Column(name, Integer, nullable=False, server_default=_default(default), **options)


def bigint(name: str, *, default: int | None = 0, **options: Any) -> Column[Any]:
    """A whole number of 64 bits: times in microseconds, bytes, sequence numbers."""
    return Column(name, BigInteger, nullable=False, server_default=_default(default), **options)


def flag(name: str) -> Column[Any]:
    """0 or 1."""
    return Column(name, Integer, nullable=False, server_default=sql_text("0"))


def text(name: str, *, default: str | None = "", **options: Any) -> Column[Any]:
    """Text, compared byte by byte."""
    return Column(name, _TEXT, nullable=False, server_default=default, **options)


def blob(name: str, **options: Any) -> Column[Any]:
    """Bytes: an id of 16, a digest, a serialised message."""
    return Column(name, LargeBinary, nullable=False, **options)


def row_number(name: str) -> Column[Any]:
    """A primary key that the database counts up, never giving a number twice."""
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


def given_number(name: str) -> Column[Any]:
    """A primary key of 64 bits that we give; SQLite's rowid, so the table lies in its order."""
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)


def ordered_index(name: str, table: Table, *columns: str, then: str) -> None:
    """An index whose equal entries are in the order of the primary key `then`.

    SQLite ends each index with the rowid by itself; naming it would store it twice.
    """
    named = [table.c[column] for column in columns]
    Index(name, *named).ddl_if(dialect="sqlite")
    Index(name, *named, table.c[then]).ddl_if(dialect="postgresql")


def _default(value: int | None) -> TextClause | None:
    return None if value is None else sql_text(str(value))
