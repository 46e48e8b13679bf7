"""One database connection, sqlite3's or psycopg's, running prepared statements."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from services.store.statement import Dialect, Parameters, Statement

if TYPE_CHECKING:
    from services.store.sequence import Sequence

Row = tuple[Any, ...]


class Connection:
    """What a piece of work gets. `raw` is the driver's own connection, for bulk loading.

    The writer's connection also gives numbers for new rows: `connection.sequence.take(connection, count)`.
    """

    __slots__ = ("_depth", "_signals", "dialect", "lock", "process", "raw", "sequence")

    sequence: Sequence

    def __init__(self, raw: Any, dialect: Dialect) -> None:
        self.raw = raw
        self.dialect: Dialect = dialect
        self.process = 0
        """The writer's: the number by which others see whether this process lives, see `presence`."""
        self.lock = 0
        """The first half of the keys of the schema's advisory locks."""
        self._depth = 0
        self._signals: set[str] = set()

    def one(self, statement: Statement, parameters: Parameters = ()) -> Row | None:
        """The first row, or None."""
        row: Row | None = self._run(statement, parameters).fetchone()
        return row

    def value(self, statement: Statement, parameters: Parameters = ()) -> Any:
        """The first column of the first row, or None."""
        row = self.one(statement, parameters)
        return None if row is None else row[0]

    def all(self, statement: Statement, parameters: Parameters = ()) -> list[Row]:
        """All rows."""
        rows: list[Row] = self._run(statement, parameters).fetchall()
        return rows

    def rows(self, statement: Statement, parameters: Parameters = (), *, size: int = 1000) -> Iterator[list[Row]]:
        """The rows in lists of at most `size`."""
        cursor = self._run(statement, parameters)
        while rows := cursor.fetchmany(size):
            yield rows

    def run(self, statement: Statement, parameters: Parameters = ()) -> int:
        """Runs a statement and says how many rows it touched."""
        count: int = self._run(statement, parameters).rowcount
        return count

    def _run(self, statement: Statement, parameters: Parameters) -> Any:
        text, values = statement.prepared(self.dialect).bind(parameters)
        if self.dialect == "sqlite":
            return self.raw.execute(text, values)
        # As text, bytes would come in hexadecimal.
        return self.raw.execute(text, values, binary=True)

    def many(self, statement: Statement, rows: Iterable[Parameters]) -> int:
        """Runs a statement for each row. Tuples in the order of the statement's names are the fast form."""
        prepared = statement.prepared(self.dialect)
        bound = rows if isinstance(rows, list) else list(rows)
        if not bound:
            return 0
        if not prepared.direct or isinstance(bound[0], Mapping):
            bound = [prepared.bind(row)[1] for row in bound]
        cursor = self.raw.cursor()
        cursor.executemany(prepared.text, bound)
        count: int = cursor.rowcount
        return count

    def execute(self, text: str, values: Parameters = ()) -> Any:
        """Runs text in the database's own dialect and gives the driver's cursor."""
        return self.raw.execute(text, values)

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """What fails inside is undone, what went before stays."""
        self._depth += 1
        name = f"w{self._depth}"
        signals = set(self._signals)
        self.raw.execute(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            self._signals = signals
            # Where the database has ended the whole transaction there is no savepoint to go back to.
            with suppress(Exception):
                self.raw.execute(f"ROLLBACK TO SAVEPOINT {name}")
                self.raw.execute(f"RELEASE SAVEPOINT {name}")
            raise
        else:
            self.raw.execute(f"RELEASE SAVEPOINT {name}")
        finally:
            self._depth -= 1

    def signal(self, topic: str) -> None:
        """Once this transaction is committed, whoever waits for the topic is told, in every process."""
        self._signals.add(topic)

    def take_signals(self) -> set[str]:
        """The topics signalled in this transaction."""
        signals, self._signals = self._signals, set()
        return signals
