"""What a list has: where its rows are, which fields they are filtered and ordered by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, FromClause, and_

from services.listing.matching import Matches

Bind = ColumnElement[Any]
Compare = Callable[..., ColumnElement[bool]]
"""Makes SQL of an operator and what it compares with."""
Type = Literal["text", "enum", "time", "number", "flag", "id", "map"]

# The operators of SQL, to which those of the filter language are brought:
# = < <= > >=; `begins` (from, to) for prefixes; `matches` for other patterns; `set` for neither 0 nor empty; of a map
# `has` for a key.


@dataclass(frozen=True, eq=False)
class Field:
    """A field to filter and to order by."""

    column: ColumnElement[Any]
    """What is ordered by."""
    parse: Callable[[str], Any] = str
    """The database's value of a text. ValueError with a sentence: nothing can be equal to it."""
    type: Type = "text"
    compare: Compare | None = None
    """How it is compared; else by its column."""
    binds: Callable[[Any], tuple[Any, ...]] | None = None
    """What `compare` gets for a value; else the value alone."""
    sortable: bool = True
    wild: bool = True
    """A text is looked for inside by `:`; else `:` is as `=`."""

    def condition(self, operator: str, *values: Bind) -> ColumnElement[bool]:
        """The comparison as SQL."""
        return (self.compare or self._by_column)(operator, *values)

    def _by_column(self, operator: str, *values: Bind) -> ColumnElement[bool]:
        return by_column(self.column, operator, *values)


def by_column(column: ColumnElement[Any], operator: str, *values: Bind) -> ColumnElement[bool]:
    """A comparison of a column."""
    if operator == "set":
        unset: ColumnElement[bool] = column != column.type.python_type()
        return unset
    if operator == "matches":
        return Matches(column, values[0])
    if operator == "begins":
        return and_(column >= values[0], column < values[1])
    return column.bool_op(operator)(values[0])


class Resolved(NamedTuple):
    """The field that a name means."""

    name: str
    """Its one name: aliases and keys of maps are not in it."""
    field: Field
    key: tuple[str, ...] = ()
    """The key of a map, the first thing it compares with."""


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
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    maps: Mapping[str, Field] = field(default_factory=dict[str, Field])
    """Of maps: the field of one key, by the map's name."""
    map_key: Callable[[str], bool] = bool
    """Whether a text can be a key."""

    def resolve(self, name: str) -> Resolved | None:
        """What a name means."""
        name = self.aliases.get(name, name)
        found = self.fields.get(name)
        if found is not None:
            return Resolved(name, found)
        for prefix, of_key in self.maps.items():
            key = name.removeprefix(f"{prefix}.")
            if key != name and self.map_key(key):
                return Resolved(f"{prefix}.KEY", of_key, (key,))
        return None

    def named(self, name: str) -> Field:
        """The field with a resolved name."""
        return self.maps[name.removesuffix(".KEY")] if name.endswith(".KEY") else self.fields[name]

    def names(self, *, sortable: bool = False) -> list[str]:
        """All names, or those to order by, for a caller who used another."""
        found = {**self.fields, **{name: self.fields[of] for name, of in self.aliases.items()}}
        found |= {f"{name}.KEY": field for name, field in self.maps.items()}
        return sorted(name for name, field in found.items() if field.sortable or not sortable)
