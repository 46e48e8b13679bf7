"""Texts with wildcards, as each database has them."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Boolean, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from services.store.statement import Dialect

_GLOB = str.maketrans({"*": "[*]", "?": "[?]", "[": "[[]"})
_LIKE = str.maketrans({"%": "\\%", "_": "\\_", "\\": "\\\\"})
_LAST = "\U0010ffff"


class Pattern(NamedTuple):
    """Texts in this order, with anything between them."""

    parts: tuple[str, ...]

    def written(self, dialect: Dialect) -> str:
        """As `Matches` takes it."""
        if dialect == "sqlite":
            return "*".join(part.translate(_GLOB) for part in self.parts)
        return "%".join(part.translate(_LIKE) for part in self.parts)


class Matches(ColumnElement[bool]):
    """A column matches a pattern, case and all: SQLite's LIKE has no regard to case, its GLOB has."""

    inherit_cache = True
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], pattern: ColumnElement[Any]) -> None:
        self.column = column
        self.pattern = pattern


@compiles(Matches)
def _like(element: Matches, compiler: SQLCompiler, **options: Any) -> str:
    return f"{compiler.process(element.column, **options)} LIKE {compiler.process(element.pattern, **options)}"


@compiles(Matches, "sqlite")
def _glob(element: Matches, compiler: SQLCompiler, **options: Any) -> str:
    return f"{compiler.process(element.column, **options)} GLOB {compiler.process(element.pattern, **options)}"


def behind_prefix(prefix: str) -> str | None:
    """The least text that is greater than all that begin so, byte by byte; None where that is not so simple."""
    if not prefix or prefix[-1] == _LAST:
        return None
    code = ord(prefix[-1]) + 1
    # Surrogates are no characters.
    return prefix[:-1] + chr(0xE000 if code == 0xD800 else code)
