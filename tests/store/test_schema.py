"""The schema: definitions, snapshots and migrations agree; strange databases are refused with a reason."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, pool

from services.alerts.schema import SCHEMA as ALERTS
from services.inventory.schema import SCHEMA as INVENTORY
from services.store import snapshot, writer
from services.store.backend import backend_for
from services.store.engine import Store
from services.store.errors import SchemaError, StoreFault
from services.store.migrate import alembic_config, bring_to_head
from services.store.presence import InUse
from services.store.schema import Schema
from services.store.statement import Dialect
from services.telemetry.schema import SCHEMA as TELEMETRY
from tests.support.postgres import Cluster

_SQLITE_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2"
_POSTGRES_SCHEMA = """
    SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name, ''
    FROM information_schema.columns WHERE table_schema = current_schema()
    UNION ALL SELECT tablename, indexname, replace(indexdef, current_schema(), ''), '', '', '', '' FROM pg_indexes
    WHERE schemaname = current_schema()
    UNION ALL SELECT sequencename, '', '', '', '', '', '' FROM pg_sequences WHERE schemaname = current_schema()
    ORDER BY 1, 2, 3"""


SCHEMAS = (INVENTORY, ALERTS, TELEMETRY)
each_schema = pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)


@each_schema
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_snapshots_are_what_the_tables_say(schema: Schema, dialect: Dialect) -> None:
    assert schema.snapshot(dialect).read_text("utf-8") == snapshot.rendered(schema, dialect), (
        f"run: python -m services.store.snapshot services.{schema.name}.schema"
    )


def _described(url: str, schema: Schema = INVENTORY) -> list[Any]:
    backend = backend_for(url, schema)
    connection = backend.writer()
    text = _SQLITE_SCHEMA if backend.dialect == "sqlite" else _POSTGRES_SCHEMA
    rows = [tuple(" ".join(str(value).split()) for value in row) for row in connection.execute(text).fetchall()]
    connection.raw.close()
    return rows


def _migrate(url: str, schema: Schema, to: str = "head") -> None:
    engine_url = url if url.startswith("sqlite") else "postgresql+psycopg://" + url.partition("://")[2]
    engine = create_engine(engine_url, poolclass=pool.NullPool)
    config = alembic_config(schema)
    with engine.begin() as bind:
        if schema.namespace and bind.dialect.name == "postgresql":
            bind.exec_driver_sql(f"CREATE SCHEMA {schema.namespace}")
            bind.exec_driver_sql(f"SET search_path TO {schema.namespace}")
        config.attributes["connection"] = bind
        command.upgrade(config, to)
    engine.dispose()


@pytest.fixture
def second_url(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path}/second.db"
    url: str = request.getfixturevalue("postgres_cluster").new_database()
    return url


@each_schema
def test_migrations_build_what_a_new_database_gets(schema: Schema, database_url: str, second_url: str) -> None:
    _migrate(database_url, schema)
    bring_to_head(backend_for(second_url, schema), second_url, schema)
    assert _described(database_url, schema) == _described(second_url, schema)
    assert len(_described(second_url, schema)) > 1


async def test_rows_outlive_the_upgrade_from_the_first_schema(database_url: str) -> None:
    _migrate(database_url, INVENTORY, "0001")
    connection = backend_for(database_url, INVENTORY).writer()
    columns = "id, type, state, storage_no, storage_id, batch_id, attempt, error_msg, kinds"
    mark = "?" if connection.dialect == "sqlite" else "%s"
    values = (b"j" * 16, 1, 2, 3, b"s" * 16, b"", 4, "text", b"k")
    connection.execute(f"INSERT INTO jobs ({columns}) VALUES ({', '.join([mark] * len(values))})", values)
    connection.raw.close()
    store = Store.open(database_url, INVENTORY)
    try:
        text = f"SELECT {columns}, deaths, owner FROM jobs"
        assert await store.scan(lambda opened: opened.execute(text).fetchall()) == [(*values, 0, 0)]
    finally:
        await store.close()


@each_schema
def test_a_second_opening_changes_nothing(schema: Schema, database_url: str) -> None:
    backend = backend_for(database_url, schema)
    bring_to_head(backend, database_url, schema)
    before = _described(database_url, schema)
    bring_to_head(backend, database_url, schema)
    assert _described(database_url, schema) == before


def test_heads_tell_schemas_apart() -> None:
    """Else a file of another service at a head of the same name would be taken for one's own."""
    versions = [file.name for schema in SCHEMAS for file in schema.versions.glob("[0-9]*.py")]
    assert len(versions) > 2
    revisions = [
        script.revision
        for schema in SCHEMAS
        for script in ScriptDirectory.from_config(alembic_config(schema)).walk_revisions()
    ]
    assert len(set(revisions)) == len(revisions) == len(versions)
    assert len({schema.lock for schema in SCHEMAS}) == len(SCHEMAS)
    assert len({schema.channel for schema in SCHEMAS}) == len(SCHEMAS)


def test_a_file_of_another_service_is_refused_and_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    bring_to_head(backend_for(url, INVENTORY), url, INVENTORY)
    before = _described(url)
    with pytest.raises(SchemaError, match=r"unknown.*alerts.*name another"):
        Store.open(url, ALERTS)
    assert _described(url) == before


@pytest.mark.postgres
async def test_services_share_a_database_of_postgresql(postgres_cluster: Cluster) -> None:
    url = postgres_cluster.new_database()
    _migrate(url, INVENTORY, "0001")  # there before the other service was thought of
    alerts = Store.open(url, ALERTS)
    inventory = Store.open(url, INVENTORY)
    try:
        await inventory.write(lambda connection: connection.execute("INSERT INTO settings VALUES ('a', 'b')").rowcount)
        await alerts.write(lambda connection: connection.execute("INSERT INTO service VALUES (1, 'b')").rowcount)
        assert await alerts.scan(lambda connection: connection.execute("SELECT starts FROM service").fetchall()) == [
            (0,)
        ]
        with pytest.raises(Exception, match='relation "settings" does not exist'):
            await alerts.read(lambda connection: connection.execute("SELECT * FROM settings").fetchall())
        assert await inventory.read(lambda connection: connection.execute("SHOW search_path").fetchone()) == (
            '"$user", public',
        )
        assert await alerts.read(lambda connection: connection.execute("SHOW search_path").fetchone()) == ("alerts",)
    finally:
        await alerts.close()
        await inventory.close()


@pytest.mark.postgres
async def test_signals_stay_within_a_schema(postgres_cluster: Cluster) -> None:
    url = postgres_cluster.new_database()
    stores = {"alerts": Store.open(url, ALERTS), "one": Store.open(url, INVENTORY), "two": Store.open(url, INVENTORY)}
    try:
        marks = {name: store.signals.mark("topic") for name, store in stores.items()}
        for store in stores.values():
            await store.scan(lambda _: None)  # begins to listen
        until = time.monotonic() + 60
        while not await stores["two"].signals.wait("topic", marks["two"], 0.2):
            await stores["one"].write(lambda connection: connection.signal("topic"))
            assert time.monotonic() < until
        assert stores["alerts"].signals.mark("topic") == marks["alerts"]
    finally:
        for store in stores.values():
            await store.close()


@pytest.mark.postgres
async def test_one_process_alone_writes_to_alerts(postgres_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgres_cluster.new_database()
    first = Store.open(url, ALERTS)
    monkeypatch.setattr(writer, "SUCCESSION_SECONDS", 0.2)
    with pytest.raises(InUse, match="another process writes to the alerts schema"):
        Store.open(url, ALERTS)
    # Who loses his connection and is overtaken can write no more.
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s",
            (ALERTS.lock,),
        )
    monkeypatch.setattr(writer, "SUCCESSION_SECONDS", 10.0)
    second = Store.open(url, ALERTS)
    for _ in range(2):
        with pytest.raises(StoreFault):
            await first.write(lambda connection: connection.execute("DELETE FROM service"))
    with pytest.raises(InUse):
        await first.write(lambda connection: connection.execute("DELETE FROM service"))
    await second.write(lambda connection: connection.execute("DELETE FROM service").rowcount)
    await second.close()
    end = time.monotonic() + 60
    while True:
        try:
            await first.write(lambda connection: connection.execute("DELETE FROM service").rowcount)
        except InUse:  # the server has not noticed yet that the other one went
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        else:
            break
    await first.close()


def test_a_newer_schema_is_refused(database_url: str) -> None:
    backend = backend_for(database_url, INVENTORY)
    bring_to_head(backend, database_url, INVENTORY)
    connection = backend.writer()
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.raw.close()
    with pytest.raises(SchemaError, match=rf"'9999' is unknown.*{INVENTORY.head}.*newer"):
        bring_to_head(backend, database_url, INVENTORY)


def test_a_foreign_database_is_refused_and_left_alone(database_url: str) -> None:
    backend = backend_for(database_url, INVENTORY)
    connection = backend.writer()
    connection.execute("CREATE TABLE guestbook (entry TEXT)")
    connection.raw.close()
    before = _described(database_url)
    with pytest.raises(SchemaError, match="guestbook"):
        Store.open(database_url, INVENTORY)
    assert _described(database_url) == before


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database at all, just some text that is long enough" * 100)
    with pytest.raises(StoreFault, match=r"not a database\. The file is damaged\. .* a backup"):
        Store.open(f"sqlite:///{path}", INVENTORY)


@pytest.mark.parametrize("url", ["", "sqlite://relative.db", "mysql://host/name", "store.db", "sqlite:///"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="names no database"):
        Store.open(url, INVENTORY)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreFault, match="no/such"):
        Store.open(f"sqlite:///{tmp_path}/no/such/store.db", INVENTORY)


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
        Store.open(url, INVENTORY)
    assert "geheim" not in "".join(traceback.format_exception(raised.value))


@each_schema
def test_columns_need_no_conversion_and_are_never_null(schema: Schema) -> None:
    for table in schema.metadata.sorted_tables:
        for column in table.columns:
            assert not column.nullable, f"{table.name}.{column.name}"
            assert column.type.python_type in {int, str, bytes}, f"{table.name}.{column.name}"


def test_sqlite_files_are_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    bring_to_head(backend_for(f"sqlite:///{path}", ALERTS), "", ALERTS)
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    raw.close()


def test_opening_a_file_loads_neither_alembic_nor_what_postgresql_needs(tmp_path: Path) -> None:
    """Each of them costs a tenth of a second or more at start-up."""
    script = f"""
import asyncio, sys
from services.inventory.schema import SCHEMA
from services.store.engine import Store
asyncio.run(Store.open("sqlite:///{tmp_path}/store.db", SCHEMA).close())
loaded = [name for name in ("alembic", "psycopg", "sqlalchemy.dialects.postgresql") if name in sys.modules]
sys.exit(f"loaded: {{loaded}}" if loaded else 0)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
