"""What differs between SQLite and PostgreSQL when opening, beginning and ending."""

from __future__ import annotations

import importlib
import sqlite3
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol
from urllib.parse import unquote

from services.store.connection import Connection
from services.store.errors import SchemaError, StoreFault
from services.store.schema import Schema
from services.store.statement import Dialect

BUSY_SECONDS = 30.0
PAGE_BYTES = 16384
WAL_PAGES = 4000


class Backend(Protocol):
    """A database, as the engine sees it."""

    dialect: Dialect
    psycopg: ModuleType | None

    def writer(self) -> Connection:
        """A connection for writing, in autocommit mode: the engine begins and ends transactions itself."""
        ...

    def reader(self) -> Connection:
        """A connection for reading; each statement sees what is committed when it begins."""
        ...

    def begin(self, connection: Connection) -> None:
        """Begins a writing transaction."""
        ...

    def begin_snapshot(self, connection: Connection) -> None:
        """Begins a reading transaction in which all statements see the same."""
        ...

    def in_transaction(self, connection: Connection) -> bool:
        """Whether the transaction is still there; some faults end it."""
        ...


class Sqlite:
    """A file in WAL mode."""

    dialect: Dialect = "sqlite"
    psycopg: ModuleType | None = None

    def __init__(self, path: str) -> None:
        self.path = path
        folder = Path(path).parent
        if not folder.is_dir():
            raise StoreFault(f"open {path}", f"the folder {folder} does not exist")

    def _connect(self, *, busy: float) -> sqlite3.Connection:
        try:
            return sqlite3.connect(
                self.path, timeout=busy, isolation_level=None, check_same_thread=False, cached_statements=1024
            )
        except sqlite3.Error as error:
            raise StoreFault(f"open {self.path}", error) from error

    def writer(self) -> Connection:
        raw = self._connect(busy=BUSY_SECONDS)
        try:
            raw.execute(f"PRAGMA page_size={PAGE_BYTES}")
            if raw.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
                raise StoreFault(f"open {self.path}", "the file system does not allow SQLite's WAL mode")
            # NORMAL: a commit survives the death of the process; a power cut may take the last ones, never the file.
            raw.execute("PRAGMA synchronous=NORMAL")
            raw.execute("PRAGMA cache_size=-32768")
            raw.execute("PRAGMA temp_store=MEMORY")
            raw.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
            # What one large sync made of the log is given back to the disk.
            raw.execute(f"PRAGMA journal_size_limit={WAL_PAGES * PAGE_BYTES}")
        except sqlite3.Error as error:
            raw.close()
            raise StoreFault(f"open {self.path}", error) from error
        return Connection(raw, self.dialect)

    def reader(self) -> Connection:
        raw = self._connect(busy=5.0)
        raw.execute("PRAGMA query_only=ON")
        raw.execute("PRAGMA cache_size=-16384")
        raw.execute("PRAGMA temp_store=MEMORY")
        return Connection(raw, self.dialect)

    def begin(self, connection: Connection) -> None:
        connection.raw.execute("BEGIN IMMEDIATE")

    def begin_snapshot(self, connection: Connection) -> None:
        connection.raw.execute("BEGIN")

    def in_transaction(self, connection: Connection) -> bool:
        return bool(connection.raw.in_transaction)


class Postgresql:
    """A database of a PostgreSQL server, 15 or newer."""

    dialect: Dialect = "postgresql"

    def __init__(self, url: str, namespace: str = "") -> None:
        self.psycopg: ModuleType | None = importlib.import_module("psycopg")
        self.url = url
        self._shown = _place(self.psycopg, url)
        self.options = str(self.psycopg.conninfo.conninfo_to_dict(url).get("options") or "")
        """The command line of a session: the URL's own, and the schema in which names are looked up."""
        if namespace:
            self.options = f"{self.options} -c search_path={namespace}".lstrip()

    def _connect(self, options: str) -> Any:
        assert self.psycopg is not None
        try:
            raw = self.psycopg.connect(
                self.url, autocommit=True, application_name="delphis", connect_timeout=10, options=options
            )
        except self.psycopg.Error as error:
            raise StoreFault(f"reach {self._shown}", error) from error
        if raw.info.server_version < 150000:
            raw.close()
            raise SchemaError(f"{self._shown} is older than PostgreSQL 15. Update the server.")
        return raw

    def writer(self) -> Connection:
        return Connection(self._connect(self.options), self.dialect)

    def reader(self) -> Connection:
        options = f"{self.options} -c default_transaction_read_only=on".lstrip()
        return Connection(self._connect(options), self.dialect)

    def begin(self, connection: Connection) -> None:
        connection.raw.execute("BEGIN")

    def begin_snapshot(self, connection: Connection) -> None:
        connection.raw.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def in_transaction(self, connection: Connection) -> bool:
        # 2: in a transaction; 3: in one that failed, which is of no more use than none.
        return bool(connection.raw.info.transaction_status == 2)


def backend_for(url: str, schema: Schema) -> Sqlite | Postgresql:
    """The backend that a URL names: `sqlite:////absolute/path` or `postgresql://user@host/database`."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return Sqlite(unquote(rest[1:]))
    if separator and scheme in {"postgresql", "postgres"}:
        return Postgresql(url, schema.namespace)
    # Where a password would be in what can't be read, nobody knows.
    shown = f"{scheme}://…" if separator else "The text given"
    raise ValueError(f"{shown} names no database: use sqlite:////absolute/path/file.db or postgresql://host/name")


def _place(psycopg: ModuleType, url: str) -> str:
    """Where the database is, as it may be shown. ValueError, without a word of the URL, where it can't be read.

    A password with a character that should have been encoded ends up as a port, a host or a name, which libpq repeats.
    """
    try:
        parts = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        parts = {"host": "@"}
    host, port, name = (str(parts.get(key, "")) for key in ("host", "port", "dbname"))
    if "@" in host + name or not f"0{port}".replace(",", "").isdecimal():
        raise ValueError(
            "The database URL can't be read: use postgresql://user:password@host:port/name, with percent-encoding"
            " for special characters in user and password: %40 for @, %2F for /, %25 for %."
        )
    return f"postgresql://{host}{':' if port else ''}{port}/{name}"
