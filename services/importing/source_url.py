"""Where Delfin's database is: the URL of its configuration, opened for reading and never for writing."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from services.importing.errors import SourceFault

CONNECT_SECONDS = 15
SQLITE, MYSQL, POSTGRESQL = "sqlite", "mysql", "postgresql"
# Delfin's URLs name drivers that we don't use; what stands before the + is what counts.
_DIALECTS = {
    "sqlite": SQLITE,
    "mysql": MYSQL,
    "mariadb": MYSQL,
    "postgresql": POSTGRESQL,
    "postgres": POSTGRESQL,
}
_EXAMPLES = "sqlite:////var/lib/delfin/delfin.sqlite, mysql://USER@HOST/delfin or postgresql://USER@HOST/delfin"


class SourceUrl:
    """A database's URL, which may hold a password."""

    def __init__(self, text: str) -> None:
        """SourceFault where it can't be the URL of a Delfin database."""
        try:
            self._url = make_url(text.strip())
        except (ArgumentError, ValueError):  # their texts quote the URL, and with it perhaps a password
            raise SourceFault(f"The database URL can't be read; it looks like {_EXAMPLES}.") from None
        name = self._url.drivername.partition("+")[0]
        if name not in _DIALECTS:
            raise SourceFault(f"Delfin's database can't be one of {name[:32]!r}; its URL looks like {_EXAMPLES}.")
        self.dialect = _DIALECTS[name]

    def __str__(self) -> str:
        """The URL as people may see it: neither password nor query."""
        shown = URL.create(self.dialect, self._url.username, None, self._url.host, self._url.port, self._url.database)
        return shown.render_as_string()

    def __repr__(self) -> str:
        return f"SourceUrl({str(self)!r})"

    @property
    def has_password(self) -> bool:
        """Whether whoever reads the URL knows a password."""
        return bool(self._url.password or "password" in self._url.query)

    def without_secrets(self, text: str) -> str:
        """A database driver's own words, without the password, should they repeat it."""
        secrets = [self._url.password, *_texts(self._url.query.get("password"))]
        for secret in secrets:
            if secret:
                text = text.replace(str(secret), "***")
        return text

    def open(self) -> Engine:
        """An engine whose connections can't write. SourceFault where the driver of the database is not installed."""
        try:
            return {SQLITE: self._open_sqlite, MYSQL: self._open_mysql, POSTGRESQL: self._open_postgresql}[
                self.dialect
            ]()
        except ModuleNotFoundError as error:
            raise SourceFault(
                f"Reading {self.dialect} needs the Python package {error.name}, which is not installed here; "
                "the extra `mysql` of Delphis brings it (`pip install pymysql`)."
            ) from None
        except (ArgumentError, TypeError, ValueError) as error:
            raise SourceFault(f"The database URL can't be used: {self.without_secrets(str(error))}") from None

    def _open_sqlite(self) -> Engine:
        name = self._url.database
        if not name or name == ":memory:" or name.startswith("file:"):
            raise SourceFault(
                "The URL of an SQLite database names its file, such as sqlite:////var/lib/delfin/delfin.sqlite."
            )
        path = Path(name).absolute()
        if not path.is_file():
            raise SourceFault(f"There is no database file {path}.")
        # SQLite itself refuses to write, and makes no file where there is none.
        query = {"mode": "ro", "uri": "true"}
        if _is_closed_wal(path):
            query["immutable"] = "1"  # else SQLite would lay its -shm and -wal beside the file
        url = URL.create("sqlite", database=f"file:{quote(str(path))}", query=query)
        return create_engine(url, poolclass=NullPool, connect_args={"timeout": CONNECT_SECONDS})

    def _open_mysql(self) -> Engine:
        url = self._url.set(drivername="mysql+pymysql")
        engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_SECONDS})

        @event.listens_for(engine, "connect")
        def read_only(connection: Any, _record: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION TRANSACTION READ ONLY")

        return engine

    def _open_postgresql(self) -> Engine:
        url = self._url.set(drivername="postgresql+psycopg")
        return create_engine(
            url,
            poolclass=NullPool,
            connect_args={"connect_timeout": CONNECT_SECONDS},
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
        )


def _is_closed_wal(path: Path) -> bool:
    """Whether the file is in write-ahead mode and nobody has it open."""
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except OSError as error:
        raise SourceFault(f"The database file {path} can't be read: {error.strerror}.") from None
    return header[18:20] == b"\x02\x02" and not path.with_name(path.name + "-wal").exists()


def _texts(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()
