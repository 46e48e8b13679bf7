"""Reads a Delfin database. Every value comes as text, whatever type the database gives its column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, Unicode, cast, column, func, inspect, literal, null, select, table
from sqlalchemy import true as always
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.sql.expression import ColumnElement, TableClause

from services.importing import tables
from services.importing.errors import SourceFault
from services.importing.source_url import SourceUrl
from services.importing.tables import (
    ACCESS_COLUMNS,
    ACCESS_INFO,
    ALERT_COLUMNS,
    ALERT_SOURCE,
    NEEDED,
    STORAGE_COLUMNS,
    STORAGES,
)

COUNTED = 100_000
"""Rows of a table that isn't taken are counted so far."""
_FETCHED = 500

Values = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Found:
    """A storage of Delfin's, with the rows of its access info and SNMP settings; None where it has none."""

    storage: Values
    access: Values | None
    alert_source: Values | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """Something of the database that is not taken, and why. `rows` is None for columns."""

    what: str
    why: str
    rows: int | None = None
    more: bool = False
    """There are more rows than were counted."""


@dataclass(slots=True)
class Content:
    """All that the database has for us."""

    storages: list[Found] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


class Source:
    """An open database, which was found to be Delfin's."""

    def __init__(self, connection: Connection) -> None:
        """SourceFault where the database is not Delfin's."""
        self._connection = connection
        inspector = inspect(connection)
        names = set(inspector.get_table_names())
        for name in (STORAGES, ACCESS_INFO):
            if name not in names:
                raise _foreign(f"it has no table {name}")
        self._columns = {
            name: [column["name"] for column in inspector.get_columns(name)] for name in (STORAGES, ACCESS_INFO)
        }
        for name, needed in NEEDED.items():
            if missing := [each for each in needed if each not in self._columns[name]]:
                raise _foreign(f"its table {name} has no column {', '.join(missing)}")
        self._others = sorted(names - {STORAGES, ACCESS_INFO})
        if ALERT_SOURCE in names:
            present = [column["name"] for column in inspector.get_columns(ALERT_SOURCE)]
            if "storage_id" in present:
                self._columns[ALERT_SOURCE] = present
                self._others.remove(ALERT_SOURCE)

    def read(self) -> Content:
        """The storages in the order in which they were registered, and what is left behind."""
        content = Content()
        deleted = doubled = 0
        known: set[str] = set()
        alert_sources = self._alert_sources()
        for found in self._rows():
            storage_id = found.storage["id"] or ""
            if is_deleted(found.storage):
                deleted += 1
            elif storage_id in known:
                doubled += 1
            else:
                known.add(storage_id)
                content.storages.append(replace(found, alert_source=alert_sources.pop(storage_id, None)))
        content.storages.sort(key=lambda found: (found.storage["created_at"] or "", found.storage["id"] or ""))
        content.left += _some(
            f"storages that were removed in Delfin (table {STORAGES})", deleted, "they are gone there"
        )
        content.left += _some(f"second rows of the same storage (table {STORAGES})", doubled, "the first row counts")
        content.left += _some(
            f"access infos without a storage (table {ACCESS_INFO})",
            self._orphans(),
            "the storages are gone",
        )
        content.left += _some(
            f"SNMP settings without a storage (table {ALERT_SOURCE})", len(alert_sources), "the storages are gone"
        )
        content.left += self._left_columns()
        content.left += self._left_tables()
        return content

    def _rows(self) -> Iterator[Found]:
        storages, storage_columns = self._texts(STORAGES, STORAGE_COLUMNS)
        access, access_columns = self._texts(ACCESS_INFO, ACCESS_COLUMNS)
        query = select(*storage_columns, *access_columns).select_from(
            storages.outerjoin(access, access.c.storage_id == storages.c.id)
        )
        width = len(STORAGE_COLUMNS)
        for row in self._connection.execution_options(yield_per=_FETCHED).execute(query):
            values = [value if value is None else str(value) for value in row]
            found: Values = dict(zip(STORAGE_COLUMNS, values[:width], strict=True))
            of_access: Values = dict(zip(ACCESS_COLUMNS, values[width:], strict=True))
            yield Found(found, of_access if of_access["storage_id"] is not None else None)

    def _alert_sources(self) -> dict[str, Values]:
        """The SNMP settings by storage."""
        if ALERT_SOURCE not in self._columns:
            return {}
        _, columns = self._texts(ALERT_SOURCE, ALERT_COLUMNS)
        rows = (
            dict(zip(ALERT_COLUMNS, (value if value is None else str(value) for value in row), strict=True))
            for row in self._connection.execute(select(*columns))
        )
        return {row["storage_id"] or "": row for row in rows}

    def _texts(self, name: str, wanted: Sequence[str]) -> tuple[TableClause, list[ColumnElement[str]]]:
        """A table, and its wanted columns as texts: NULL where this database doesn't have one."""
        present = self._columns[name]
        relation = table(name, *(column(each) for each in present))
        columns: list[ColumnElement[str]] = [
            cast(relation.c[each] if each in present else null(), Unicode).label(f"{name}_{each}") for each in wanted
        ]
        return relation, columns

    def _orphans(self) -> int:
        storages = table(STORAGES, column("id"))
        access = table(ACCESS_INFO, column("storage_id"))
        query = (
            select(func.count())
            .select_from(access.outerjoin(storages, access.c.storage_id == storages.c.id))
            .where(storages.c.id.is_(None))
        )
        return int(self._connection.execute(query).scalar_one())

    def _left_columns(self) -> Iterator[Left]:
        for name, read in ((STORAGES, STORAGE_COLUMNS), (ACCESS_INFO, ACCESS_COLUMNS)):
            by_reason: dict[str, list[str]] = {}
            for each in self._columns[name]:
                if each not in read or each == tables.ORDER_COLUMN:
                    by_reason.setdefault(tables.why_not_column(name, each), []).append(each)
            for why, names in by_reason.items():
                yield Left(f"{name}.{', '.join(names)}", why)

    def _left_tables(self) -> Iterator[Left]:
        for name in self._others:
            some = select(literal(1).label("one")).select_from(table(name)).where(always())
            query = select(func.count()).select_from(some.limit(COUNTED + 1).subquery())
            rows = int(self._connection.execute(query).scalar_one())
            if rows:
                yield Left(f"table {name}", tables.why_not_table(name), min(rows, COUNTED), rows > COUNTED)


def is_deleted(storage: Values) -> bool:
    """Whether Delfin keeps the row for nothing but memory."""
    return storage["deleted_at"] is not None or (storage["deleted"] or "").lower() not in ("", "0", "f", "false")


@contextmanager
def opened(url: SourceUrl) -> Iterator[Source]:
    """The database for a block. SourceFault where it can't be read."""
    engine = url.open()
    try:
        with engine.connect() as connection:
            yield Source(connection)
    except SQLAlchemyError as error:
        said = str(error.orig) if isinstance(error, DBAPIError) and error.orig is not None else str(error)
        raise SourceFault(f"The database {url} can't be read: {url.without_secrets(said).strip()}") from None
    finally:
        engine.dispose()


def _some(what: str, rows: int, why: str) -> list[Left]:
    return [Left(what, why, rows)] if rows else []


def _foreign(why: str) -> SourceFault:
    return SourceFault(f"This is no Delfin database: {why}. Is it the `connection` of [database] in delfin.conf?")
