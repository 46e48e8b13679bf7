"""Brings a database to the schema of this version.

A database at head needs one SELECT, a new one the statements of a snapshot; only an older one loads Alembic.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from services.store import snapshot
from services.store.backend import Backend, Postgresql
from services.store.connection import Connection
from services.store.errors import SchemaError, translated
from services.store.schema import Schema

if TYPE_CHECKING:
    from alembic.config import Config

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION_TABLE = """CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)"""
_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
}


def bring_to_head(backend: Backend, url: str, schema: Schema) -> None:
    """Creates or upgrades the schema; several processes may do it at once.

    Raises:
        SchemaError: the database belongs to a newer version or to something else.
        StoreFault: the database fails.
    """
    connection = backend.writer()
    try:
        if _version(connection) == schema.head:
            return
        if isinstance(backend, Postgresql):
            connection.execute(f"SELECT pg_advisory_lock({schema.migration_lock})")
        version = _version(connection)
        if version is None:
            version = _create(backend, connection, schema)
        if version != schema.head:
            _upgrade(backend, connection, url, schema, version)
    except Exception as error:
        raise translated(error, "prepare its schema", backend.psycopg) from error
    finally:
        connection.raw.close()


def _version(connection: Connection) -> str | None:
    tables = {row[0] for row in connection.execute(_TABLES[connection.dialect]).fetchall()}
    if "alembic_version" in tables:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return row[0] if row else ""
    if tables:
        raise SchemaError(
            f"The database has tables ({', '.join(sorted(tables)[:3])}, …) but none of Delphis'. Name another database."
        )
    return None


def _create(backend: Backend, connection: Connection, schema: Schema) -> str:
    backend.begin(connection)
    try:
        version = _version(connection)  # on SQLite another process may have been faster
        if version is None:
            if schema.namespace and connection.dialect == "postgresql":
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema.namespace}")
            for statement in snapshot.statements(schema, connection.dialect):
                connection.execute(statement)
            connection.execute(_VERSION_TABLE)
            connection.execute(f"INSERT INTO alembic_version (version_num) VALUES ('{schema.head}')")
            version = schema.head
        connection.raw.execute("COMMIT")
    except BaseException:
        connection.raw.rollback()
        raise
    return version


def _upgrade(backend: Backend, connection: Connection, url: str, schema: Schema, version: str) -> None:
    # Loading Alembic takes a third of a second, so it is loaded here only.
    from alembic import command
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError
    from sqlalchemy import create_engine, pool

    config = alembic_config(schema)
    try:
        ScriptDirectory.from_config(config).get_revision(version)
    except CommandError:
        raise SchemaError(
            f"The database's schema {version!r} is unknown to this version of Delphis, which knows {schema.head!r} and "
            f"older of {schema.name}. Use the newer Delphis that made it, or name another database."
        ) from None
    log.info("upgrading the database's schema from %s to %s", version, schema.head)
    if isinstance(backend, Postgresql):
        engine_url = "postgresql+psycopg://" + url.partition("://")[2]
        engine = create_engine(engine_url, poolclass=pool.NullPool, connect_args={"options": backend.options})
    else:
        engine = create_engine(url, poolclass=pool.NullPool)
    try:
        with engine.begin() as bind:
            if backend.dialect == "sqlite":
                bind.exec_driver_sql("PRAGMA busy_timeout=30000")
            config.attributes["connection"] = bind
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def alembic_config(schema: Schema) -> Config:
    """Alembic's configuration; `attributes["connection"]` is to be set to an SQLAlchemy connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("version_locations", str(schema.versions).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["metadata"] = schema.metadata
    return config
