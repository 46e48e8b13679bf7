"""SQLAlchemy Core constructs as text with parameters in order, compiled once for each dialect."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy.sql.elements import ClauseElement

if TYPE_CHECKING:
    from sqlalchemy.engine.default import DefaultDialect

Dialect = Literal["sqlite", "postgresql"]
Parameters = Mapping[str, Any] | Sequence[Any]

_NAMED = re.compile(r"(?<!:):([a-z_]\w*)")
_EXPANDING = re.compile(r"\(__\[POSTCOMPILE_(\w+)\]\)")


@cache
def dialect_of(name: Dialect) -> DefaultDialect:
    """SQLAlchemy's dialect. Loaded when it is needed: each takes a tenth of a second."""
    if name == "sqlite":
        from sqlalchemy.dialects.sqlite.base import SQLiteDialect

        return SQLiteDialect(paramstyle="qmark")
    from sqlalchemy.dialects.postgresql.base import PGDialect

    return PGDialect(paramstyle="format")  # type: ignore[no-untyped-call]


class Prepared:
    """The text of a statement in one dialect, and how to put parameters in order."""

    __slots__ = ("_expanding", "_mark", "_plan", "direct", "names", "text")

    def __init__(self, text: str, order: Sequence[str], constants: Mapping[str, Any], mark: str) -> None:
        self.text = text
        self.names = tuple(dict.fromkeys(name for name in order if name not in constants))
        """The parameters that a caller gives, in the order in which a sequence gives them."""
        self._mark = mark
        self._expanding = frozenset(_EXPANDING.findall(text))
        # For each place in the text: which of the given values, or (-1) the constant.
        self._plan = tuple(
            (-1, constants[name]) if name in constants else (self.names.index(name), name) for name in order
        )
        self.direct = self.names == tuple(order) and not self._expanding

    def bind(self, parameters: Parameters) -> tuple[str, Sequence[Any]]:
        """The text and the values in its order."""
        if isinstance(parameters, Mapping):
            given: Sequence[Any] = [parameters[name] for name in self.names]
        else:
            given = parameters
        if self.direct:
            return self.text, given
        if not self._expanding:
            return self.text, [given[place] if place >= 0 else value for place, value in self._plan]
        ordered: list[Any] = []
        for place, name in self._plan:
            if place < 0:
                ordered.append(name)
            elif name in self._expanding:
                ordered.extend(given[place])
            else:
                ordered.append(given[place])
        text = _EXPANDING.sub(lambda found: self._marks(len(given[self.names.index(found[1])])), self.text)
        return text, ordered

    def _marks(self, count: int) -> str:
        # An empty IN list is no SQL in PostgreSQL; one NULL equals nothing.
        return f"({', '.join([self._mark] * count)})" if count else "(NULL)"


class Statement:
    """A statement for both dialects. Make it once, at module level, with `statement` or `sql`."""

    __slots__ = ("_clause", "_prepared", "_texts")

    def __init__(self, clause: ClauseElement | None, texts: Mapping[str, str] | None = None) -> None:
        self._clause = clause
        self._texts = texts or {}
        self._prepared: dict[str, Prepared] = {}

    def prepared(self, dialect: Dialect) -> Prepared:
        """The compiled form for the dialect."""
        prepared = self._prepared.get(dialect)
        if prepared is None:
            prepared = self._prepared[dialect] = self._prepare(dialect)
        return prepared

    def _prepare(self, dialect: Dialect) -> Prepared:
        mark = "?" if dialect == "sqlite" else "%s"
        if self._clause is None or dialect in self._texts:
            text = self._texts[dialect]
            return Prepared(_NAMED.sub(mark, text), _NAMED.findall(text), {}, mark)
        compiled: Any = self._clause.compile(dialect=dialect_of(dialect))
        # `params` has every bind; those that a caller must give are the ones marked as required.
        constants = {
            name: value
            for name, value in compiled.params.items()
            if name in compiled.positiontup and not _is_required(compiled, name)
        }
        return Prepared(compiled.string, compiled.positiontup, constants, mark)


def _is_required(compiled: Any, name: str) -> bool:
    bind = compiled.binds.get(name)
    return bind is None or bool(bind.required)


def statement(clause: ClauseElement, *, postgresql: str | None = None) -> Statement:
    """A statement made of Core constructs. Values that vary are `bindparam("name")`, lists `expanding=True`.

    `postgresql` is text for that database alone, with the same parameters as `:name`, lists as arrays.
    """
    return Statement(clause, {"postgresql": postgresql} if postgresql else None)


def sql(*, sqlite: str, postgresql: str) -> Statement:
    """A statement written by hand where Core has no words for it; parameters are `:name`."""
    return Statement(None, {"sqlite": sqlite, "postgresql": postgresql})
