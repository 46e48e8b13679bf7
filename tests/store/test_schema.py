"""The schema: definitions, snapshots and migrations agree; strange databases are refused with a reason."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine, pool

from services.store.backend import backend_for
from services.store.engine import Store
from services.store.errors import SchemaError, StoreFault
from services.store.migrate import alembic_config, bring_to_head
from services.store.schema import HEAD, metadata, snapshot
from services.store.statement import Dialect

_SQLITE_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2"
_POSTGRES_SCHEMA = """
    SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name, ''
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT tablename, indexname, indexdef, '', '', '', '' FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT sequencename, '', '', '', '', '', '' FROM pg_sequences WHERE schemaname = 'public'
    ORDER BY 1, 2, 3"""


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_snapshots_are_what_the_tables_say(dialect: Dialect) -> None:
    assert snapshot.path(dialect).read_text("utf-8") == snapshot.rendered(dialect), (
        "run: python -m services.store.schema.snapshot"
    )


def _schema(url: str) -> list[Any]:
    backend = backend_for(url)
    connection = backend.writer()
    text = _SQLITE_SCHEMA if backend.dialect == "sqlite" else _POSTGRES_SCHEMA
    rows = [tuple(" ".join(str(value).split()) for value in row) for row in connection.execute(text).fetchall()]
    connection.raw.close()
    return rows


def _migrate(url: str, to: str = "head") -> None:
    engine_url = url if url.startswith("sqlite") else "postgresql+psycopg://" + url.partition("://")[2]
    engine = create_engine(engine_url, poolclass=pool.NullPool)
    config = alembic_config()
    with engine.begin() as bind:
        config.attributes["connection"] = bind
        command.upgrade(config, to)
    engine.dispose()


@pytest.fixture
def second_url(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path}/second.db"
    url: str = request.getfixturevalue("postgres_cluster").new_database()
    return url


def test_migrations_build_what_a_new_database_gets(database_url: str, second_url: str) -> None:
    _migrate(database_url)
    bring_to_head(backend_for(second_url), second_url)
    assert _schema(database_url) == _schema(second_url)


async def test_rows_outlive_the_upgrade_from_the_first_schema(database_url: str) -> None:
    _migrate(database_url, "0001")
    connection = backend_for(database_url).writer()
    columns = "id, type, state, storage_no, storage_id, batch_id, attempt, error_msg, kinds"
    mark = "?" if connection.dialect == "sqlite" else "%s"
    values = (b"j" * 16, 1, 2, 3, b"s" * 16, b"", 4, "text", b"k")
    connection.execute(f"INSERT INTO jobs ({columns}) VALUES ({', '.join([mark] * len(values))})", values)
    connection.raw.close()
    store = Store.open(database_url)
    try:
        text = f"SELECT {columns}, deaths, owner FROM jobs"
        assert await store.scan(lambda opened: opened.execute(text).fetchall()) == [(*values, 0, 0)]
    finally:
        await store.close()


def test_a_second_opening_changes_nothing(database_url: str) -> None:
    backend = backend_for(database_url)
    bring_to_head(backend, database_url)
    before = _schema(database_url)
    bring_to_head(backend, database_url)
    assert _schema(database_url) == before


def test_a_newer_schema_is_refused(database_url: str) -> None:
    backend = backend_for(database_url)
    bring_to_head(backend, database_url)
    connection = backend.writer()
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.raw.close()
    with pytest.raises(SchemaError, match=rf"'9999' is unknown.*{HEAD}.*newer"):
        bring_to_head(backend, database_url)


def test_a_foreign_database_is_refused_and_left_alone(database_url: str) -> None:
    backend = backend_for(database_url)
    connection = backend.writer()
    connection.execute("CREATE TABLE guestbook (entry TEXT)")
    connection.raw.close()
    before = _schema(database_url)
    with pytest.raises(SchemaError, match="guestbook"):
        Store.open(database_url)
    assert _schema(database_url) == before


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database at all, just some text that is long enough" * 100)
    with pytest.raises(StoreFault, match="not a database"):
        Store.open(f"sqlite:///{path}")


@pytest.mark.parametrize("url", ["", "sqlite://relative.db", "mysql://host/name", "store.db", "sqlite:///"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="names no database"):
        Store.open(url)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreFault, match="no/such"):
        Store.open(f"sqlite:///{tmp_path}/no/such/store.db")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:geheim@[::1]:1/name",
        "postgresql://me@[::1]:1/name?password=geheim",
        "postgresql://me:ge?geheim@[::1]:1/name",
        # What follows can't be read: an unencoded character takes the password for something else.
        "postgresql://me:geheim/x@host/name",
        "postgresql://me:12/geheim@host/name",
        "postgresql://me:ge@geheim@host/name",
        "postgresql://me:%zzgeheim@host/name",
        "postgresql://me:geheim x@host/name",
        "postgresql://me:geheim@[::1/name",
        "postgresql://host:geheim/name",
        "mysql://me:geheim@host/name",
    ],
)
def test_passwords_are_not_shown(url: str) -> None:
    with pytest.raises((ValueError, StoreFault)) as raised:
        Store.open(url)
    assert "geheim" not in "".join(traceback.format_exception(raised.value))


def test_columns_need_no_conversion_and_are_never_null() -> None:
    for table in metadata.sorted_tables:
        for column in table.columns:
            assert not column.nullable, f"{table.name}.{column.name}"
            assert column.type.python_type in {int, str, bytes}, f"{table.name}.{column.name}"


def test_sqlite_files_are_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    bring_to_head(backend_for(f"sqlite:///{path}"), "")
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    raw.close()


def test_opening_a_file_loads_neither_alembic_nor_what_postgresql_needs(tmp_path: Path) -> None:
    """Each of them costs a tenth of a second or more at start-up."""
    script = f"""
import asyncio, sys
from services.store.engine import Store
asyncio.run(Store.open("sqlite:///{tmp_path}/store.db").close())
loaded = [name for name in ("alembic", "psycopg", "sqlalchemy.dialects.postgresql") if name in sys.modules]
sys.exit(f"loaded: {{loaded}}" if loaded else 0)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
