"""What can go wrong in the store."""

from __future__ import annotations

import sqlite3
from types import ModuleType
from typing import Any

from services.calls.errors import CallError

_DAMAGED = (
    "The file is damaged. Stop Delphis, and put a copy of it from a backup in its place; where there is none, move it"
    " away: what it held is lost then."
)


class StoreFault(CallError):
    """The database can't be used: full disk, lost connection, broken file."""

    def __init__(self, what: str, cause: BaseException | str) -> None:
        text = " ".join(str(cause).split()) or type(cause).__name__
        mend = f". {_DAMAGED}" if _is_damaged(cause) else ""
        super().__init__("STORE_FAULT", f"The store can't {what}: {text}{mend}", metadata={"problem": text})


class DuplicateKey(Exception):
    """A row with the same unique value exists. `constraint` names the columns or the index, as the database does."""

    def __init__(self, constraint: str) -> None:
        super().__init__(f"duplicate key: {constraint}")
        self.constraint = constraint


class SchemaError(Exception):
    """The database's schema can't be brought to what this version needs. The message says what to do."""


def is_database_error(error: BaseException, psycopg: ModuleType | None) -> bool:
    """Whether the error comes from a database driver."""
    return isinstance(error, sqlite3.Error) or (psycopg is not None and isinstance(error, psycopg.Error))


def translated(error: Any, what: str, psycopg: ModuleType | None) -> BaseException:
    """The error as this package's own, where it is a database driver's about the world and not about our SQL."""
    if isinstance(error, sqlite3.IntegrityError):
        if "UNIQUE constraint failed" in str(error):
            return DuplicateKey(str(error).rpartition(": ")[2])
        return error
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return error
    if isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError):
        return error if _is_our_sql(error) else StoreFault(what, error)
    if psycopg is not None and isinstance(error, psycopg.Error):
        if isinstance(error, psycopg.errors.UniqueViolation):
            return DuplicateKey(str(error.diag.constraint_name or error))
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | psycopg.InternalError):
            return StoreFault(what, error)
    assert isinstance(error, BaseException)
    return error


def _is_damaged(cause: BaseException | str) -> bool:
    code: int = getattr(cause, "sqlite_errorcode", None) or 0
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _is_our_sql(error: sqlite3.Error) -> bool:
    """SQLite's OperationalError covers both; SQLITE_ERROR (1) is bad SQL, the rest is the world."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
