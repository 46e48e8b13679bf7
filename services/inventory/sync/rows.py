"""A kind's rows in the database: statements, and bulk writing as each database likes it.

SQLite takes many new rows in a statement, updates by primary key, and those that touch no index apart (7.1 -> 4.0 µs a
row).
PostgreSQL takes COPY, updates over a temporary table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    Integer,
    LargeBinary,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from services.inventory.kinds import KINDS, Kind
from services.inventory.sync.difference import Difference
from services.store.columns import MAX_TEXT, clean
from services.store.connection import Connection, Row
from services.store.statement import Statement, statement

"""Characters of a text that its column has, for filters and sorting; the message has all of it."""
MAX_NATIVE_ID = 512
_BLOCKS = (50, 10)
"""Rows that a statement inserts in SQLite: a quarter cheaper than one by one, and the GIL changes hands less often."""


def _type_name(column: Column[Any]) -> str:
    if isinstance(column.type, BigInteger):
        return "int8"
    if isinstance(column.type, Integer):
        return "int4"
    return "bytea" if isinstance(column.type, LargeBinary) else "text"


class Bulk:
    """Inserts many rows into a table."""

    def __init__(self, table: Table, columns: Sequence[str] | None = None) -> None:
        self.table = table
        self.columns = tuple(columns or (column.name for column in table.columns))
        self._insert = statement(insert(table).values({name: bindparam(name) for name in self.columns}))
        self._types = [_type_name(table.c[name]) for name in self.columns]
        self._copy = f"COPY {table.name} ({', '.join(self.columns)}) FROM STDIN (FORMAT BINARY)"
        self._blocks = [(size, self._block(size)) for size in _BLOCKS]

    def _block(self, size: int) -> str:
        row = f"({', '.join('?' * len(self.columns))})"
        # FAIL: what fails undoes its savepoint anyway, so the statement needs no journal of its own.
        return f"INSERT OR FAIL INTO {self.table.name} ({', '.join(self.columns)}) VALUES {', '.join([row] * size)}"

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Inserts rows whose values are in the order of `columns`."""
        if not rows:
            return
        if connection.dialect == "sqlite":
            begin = 0
            for size, text in self._blocks:
                while len(rows) - begin >= size:
                    connection.execute(text, tuple(chain.from_iterable(rows[begin : begin + size])))
                    begin += size
            connection.many(self._insert, rows[begin:])
        elif len(rows) < 5:
            connection.many(self._insert, rows)
        else:
            copy_rows(connection, self._copy, self._types, rows)


def copy_rows(connection: Connection, text: str, types: list[str], rows: Iterable[Row]) -> None:
    """Sends rows with PostgreSQL's COPY."""
    with connection.raw.cursor().copy(text) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


class KindRows:
    """What there is to do with the rows of a kind. Rows for writing are tuples in the order of the table's columns."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        table = kind.table
        self.table = table
        self._bulk = Bulk(table)
        self.columns = self._bulk.columns
        identity = table.c[kind.identity_field] if kind.identity_field else None
        number: BindParameter[Any] = bindparam("storage_no")
        of_storage = table.c.storage_no == number
        self.digests = statement(select(table.c.digest, table.c.seq).where(of_storage))
        self.flagged = statement(select(table.c.seq).where(of_storage, table.c.missing == 1))
        known = (
            table.c.native_id,
            table.c.seq,
            table.c.id,
            table.c.missing,
            table.c.updated_at,
            identity if identity is not None else table.c.native_id,
            table.c.body,
        )
        natives: BindParameter[Any] = bindparam("native_ids", expanding=True)
        # Without statistics of a new table, PostgreSQL would read the whole storage for each IN.
        wanted = ", ".join(f"t.{column.name}" for column in known)
        self.by_native = statement(
            select(*known).where(of_storage, table.c.native_id.in_(natives)),
            postgresql=f"SELECT {wanted} FROM unnest(:native_ids::text[]) n(native_id)"
            f" JOIN {table.name} t ON t.storage_no = :storage_no AND t.native_id = n.native_id",
        )
        seqs: BindParameter[Any] = bindparam("seqs", expanding=True)
        removed = (table.c.seq, table.c.id, table.c.native_id, table.c.name)
        self.for_removal = statement(
            select(*removed, identity if identity is not None else table.c.name).where(table.c.seq.in_(seqs))
        )
        self.for_flag = statement(select(*removed, table.c.body, table.c.missing).where(table.c.seq.in_(seqs)))
        self.delete = statement(delete(table).where(table.c.seq.in_(seqs)))
        self.set_flag = statement(
            update(table)
            .where(table.c.seq == bindparam("row"))
            .values(missing=bindparam("flag"), body=bindparam("new_body"))
        )
        indexed = {"seq", "storage_no", "id", "native_id", "name"} | {c.name for c in kind.columns if c.indexed}
        self._full, self._full_of = self._update(set(self.columns) - {"seq", "storage_no", "id"})
        self._narrow, self._narrow_of = self._update(set(self.columns) - indexed)
        self._delta = f"delta_{table.name}"
        self.difference = Difference(kind)
        self.values = _values_of(kind)
        """The names and the kind's columns of some driver parts, of which there must be one."""

    def _update(self, names: set[str]) -> tuple[Statement, Any]:
        ordered = [name for name in self.columns if name in names]
        text = statement(
            update(self.table)
            .where(self.table.c.seq == bindparam("row"))
            .values({name: bindparam(f"new_{name}") for name in ordered})
        )
        places = [self.columns.index(name) for name in (*ordered, "seq")]
        return text, itemgetter(*places)

    def identity(self, part: Any) -> str:
        """The identity in a driver part, as its column has it."""
        return clean(getattr(part, self.kind.identity_field)) if self.kind.identity_field else ""

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Inserts new rows."""
        self._bulk.insert(connection, rows)

    def update(self, connection: Connection, rows: Sequence[Row], *, indexed: bool) -> None:
        """Writes rows anew that exist. `indexed`: values that are in an index may differ."""
        if not rows:
            return
        if connection.dialect == "postgresql" and len(rows) >= 20:
            self._update_by_copy(connection, rows)
        elif indexed:
            connection.many(self._full, list(map(self._full_of, rows)))
        else:
            connection.many(self._narrow, list(map(self._narrow_of, rows)))

    def _update_by_copy(self, connection: Connection, rows: Sequence[Row]) -> None:
        # The names are our own constants. PostgreSQL sees by itself where no indexed value differs (HOT).
        if connection.execute("SELECT to_regclass(%s)", (f"pg_temp.{self._delta}",)).fetchone()[0] is None:
            connection.execute(f"CREATE TEMP TABLE {self._delta} (LIKE {self.table.name}) ON COMMIT DELETE ROWS")
        else:
            connection.execute(f"TRUNCATE {self._delta}")
        types = [_type_name(column) for column in self.table.columns]
        copy_rows(connection, f"COPY {self._delta} ({', '.join(self.columns)}) FROM STDIN (FORMAT BINARY)", types, rows)
        values = ", ".join(f"{n} = d.{n}" for n in self.columns if n not in {"seq", "storage_no", "id"})
        connection.execute(f"UPDATE {self.table.name} t SET {values} FROM {self._delta} d WHERE t.seq = d.seq")


def _values_of(kind: Kind) -> Callable[[Sequence[Any]], list[Sequence[Any]]]:
    """A function that takes the kind's columns from driver parts, with values that they can hold."""
    texts = [0, *(place for place, column in enumerate(kind.columns, 1) if column.type == "text")]
    enums = [
        (place, frozenset(column.numbers.values()) | {0})
        for place, column in enumerate(kind.columns, 1)
        if column.type == "enum"
    ]
    get: Any = attrgetter("name", *(column.name for column in kind.columns))
    if not kind.columns:
        get = lambda part: (part.name,)  # noqa: E731 - of one name attrgetter makes no tuple

    def fit(columns: Sequence[Sequence[Any]]) -> bool:
        return all(
            max(map(len, columns[place])) <= MAX_TEXT and "\0" not in "".join(columns[place]) for place in texts
        ) and all(known.issuperset(columns[place]) for place, known in enums)

    def made_to_fit(columns: list[Sequence[Any]]) -> None:
        for place in texts:
            columns[place] = list(map(clean, columns[place]))
        for place, known in enums:
            # Numbers that this version does not know count as "unknown", which is how they are shown.
            columns[place] = [number if number in known else 1 for number in columns[place]]

    def values(parts: Sequence[Any]) -> list[Sequence[Any]]:
        columns: list[Sequence[Any]] = list(zip(*map(get, parts), strict=True))
        # Whole columns are looked at, single values only where one does not fit.
        if not fit(columns):
            made_to_fit(columns)
        return columns

    return values


@cache
def rows_of(kind: str) -> KindRows:
    """The rows of a kind, by its name."""
    return KindRows(KINDS[kind])
