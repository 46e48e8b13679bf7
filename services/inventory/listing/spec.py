"""What a list has: where its rows are, which fields they are filtered and ordered by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause

Condition = Callable[[ColumnElement[Any]], ColumnElement[bool]]


@dataclass(frozen=True)
class Field:
    """A field to filter and to order by."""

    column: ColumnElement[Any]
    """What is ordered by."""
    parse: Callable[[str], Any] = str
    """The database's value of a text. ValueError with a sentence: nothing can be equal to it."""
    equals: Condition | None = None
    """How it is compared with a value; else `column = value`."""
    sortable: bool = True
    seek: Callable[[Any], int] | None = None
    """The list's key of the only row that can have a value."""

    def condition(self, value: ColumnElement[Any]) -> ColumnElement[bool]:
        """The field equals the value."""
        return self.equals(value) if self.equals is not None else self.column == value


@dataclass(frozen=True, eq=False)
class ListSpec:
    """A list. `key` is a number that no two rows have in common; it makes every order total."""

    name: str
    source: FromClause
    key: ColumnElement[int]
    columns: tuple[ColumnElement[Any], ...]
    """What a row of the page holds."""
    fields: Mapping[str, Field]
    always: tuple[ColumnElement[bool], ...] = ()
    """Conditions of every query."""
    default_descending: bool = True
    """Whether the greatest key comes first where no order is asked for."""
    id: Field | None = None
    """By what `after:ID` finds its row."""
    dynamic: Callable[[str], Field | None] | None = field(default=None)
    """Makes fields of names that `fields` lacks, such as `labels.KEY`."""

    def field(self, name: str) -> Field | None:
        """The field with a name."""
        found = self.fields.get(name)
        return found if found is not None or self.dynamic is None else self.dynamic(name)


def time_value(text: str) -> int:
    """Microseconds since 1970 of an ISO 8601 time; UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("It is no time such as 2026-11-22T13:42:55.328319Z.") from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    since = found - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def enum_value(numbers: Mapping[str, int]) -> Callable[[str], int]:
    """A parser of an enum's texts, without regard to case."""

    def parse(text: str) -> int:
        number = numbers.get(text.lower())
        if number is None:
            raise ValueError(f"It is one of {', '.join(numbers)}.")
        return number

    return parse
