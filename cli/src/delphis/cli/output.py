"""Answers as tables for people, and as JSON, YAML and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click
from google.protobuf.message import Message

from delphis.cli import cells, tables
from delphis.cli.failures import WrongSettings
from delphis.cli.settings import Settings
from delphis.cli.texts import printable

if TYPE_CHECKING:
    from delphis.cli.cells import Descriptor

M = TypeVar("M", bound=Message)
Pages = Iterable[tuple[Sequence[M], bool]]

TABLE_LIMIT = 1000
"""Rows of a table where nobody said how many; what programs read is complete."""

_UNSEEN = re.compile(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[M]):
    """How a list is printed: its key, its messages, and what a table shows of them."""

    key: str
    message: type[M]
    columns: tuple[str, ...]
    computed: Mapping[str, Callable[[M], str]] = field(default_factory=dict)

    @property
    def descriptor(self) -> Descriptor:
        """The messages' type."""
        return self.message.DESCRIPTOR

    def chosen(self, columns: str | None) -> tuple[str, ...] | None:
        """The columns named by --columns, checked; None where it was not given."""
        if columns is None:
            return None
        names = tuple(name.strip() for name in columns.split(",") if name.strip())
        for name in names:
            if name not in self.computed and not cells.has_path(self.descriptor, name):
                known = [field.name for field in self.descriptor.fields if not cells.is_secret(field)]
                raise WrongSettings(
                    f"--columns: {self.key} have no {name!r}; there are {', '.join([*self.computed, *known])}"
                )
        if not names:
            raise WrongSettings("--columns: names no column")
        return names

    def cell(self, item: M, name: str) -> str:
        """A column as people read it."""
        compute = self.computed.get(name)
        return compute(item) if compute else cells.text(item, name)

    def exact(self, item: M, name: str) -> Any:
        """A column as programs read it."""
        if name not in self.computed or cells.has_path(self.descriptor, name):
            return cells.exact_cell(item, name)
        return self.computed[name](item)


def to_json(value: Any, *, indent: int | None = 2) -> str:
    """JSON that no terminal takes for commands."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def to_yaml(value: Any) -> str:
    """YAML, keys in the contract's order."""
    import yaml

    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=1000)
    return text.rstrip("\n")


def print_value(settings: Settings, value: Any) -> bool:
    """Prints it if a program reads the output; says whether that was so."""
    if settings.table:
        return False
    if settings.output == "csv":
        if not isinstance(value, dict):
            value = {"value": value}
        click.echo(_csv([list(value), [cells.csv_text(item) for item in value.values()]]), nl=False)
    else:
        click.echo(to_yaml(value) if settings.output == "yaml" else to_json(value))
    return True


def print_message(settings: Settings, message: Message) -> bool:
    """As `print_value`, for a message."""
    return not settings.table and print_value(settings, cells.plain(message))


def print_list(
    settings: Settings, listing: Listing[M], pages: Pages[M], *, columns: str | None = None, limit: int | None = None
) -> None:
    """Prints a list as its pages come; no more than one of them is kept. `limit` is what the caller asked for."""
    chosen = listing.chosen(columns)
    more = False

    def seen() -> Iterator[Sequence[M]]:
        nonlocal more
        for items, further in pages:
            more = further
            yield items

    if settings.table:
        names = chosen or listing.columns
        titles = [name.upper().replace("_", " ") for name in names]
        tables.print_pages(titles, ([[listing.cell(item, name) for name in names] for item in page] for page in seen()))
    elif settings.output == "csv":
        _print_csv(listing, seen(), chosen)
    else:
        write = _json_list if settings.output == "json" else _yaml_list
        for text in write(listing.key, ([_plain(listing, item, chosen) for item in page] for page in seen())):
            click.echo(text, nl=False)
    if more and limit is None:
        click.echo("There are more: --limit N shows more of them, --all shows all.", err=True)


def limit_of(settings: Settings, limit: int | None, everything: bool) -> int | None:
    """How many items to print; None for all."""
    if limit is not None and everything:
        raise WrongSettings("--limit and --all contradict each other: give one")
    if everything or (limit is None and not settings.table):
        return None
    return limit or TABLE_LIMIT


def _plain(listing: Listing[M], item: M, chosen: Sequence[str] | None) -> dict[str, Any]:
    return {name: listing.exact(item, name) for name in chosen} if chosen else cells.plain(item)


def _json_list(key: str, pages: Iterable[Sequence[Any]]) -> Iterator[str]:
    opening, between = f'{{\n  "{key}": [\n    ', ",\n    "
    empty = True
    for page in pages:
        if page:
            items = between.join(to_json(item).replace("\n", "\n    ") for item in page)
            yield (opening if empty else between) + items
            empty = False
    yield f'{{\n  "{key}": []\n}}\n' if empty else "\n  ]\n}\n"


def _yaml_list(key: str, pages: Iterable[Sequence[Any]]) -> Iterator[str]:
    empty = True
    for page in pages:
        if page:
            yield (f"{key}:\n" if empty else "") + to_yaml(list(page)) + "\n"
            empty = False
    if empty:
        yield f"{key}: []\n"


def _print_csv(listing: Listing[M], pages: Iterable[Sequence[M]], chosen: Sequence[str] | None) -> None:
    names = chosen or [field.name for field in listing.descriptor.fields if not cells.is_secret(field)]
    click.echo(_csv([names]), nl=False)
    for page in pages:
        rows = [[cells.csv_text(listing.exact(item, name)) for name in names] for item in page]
        click.echo(_csv(rows), nl=False)


def _csv(rows: Iterable[Sequence[str]]) -> str:
    file = io.StringIO()
    shown = [[printable(cell) for cell in row] for row in rows] if sys.stdout.isatty() else rows
    csv.writer(file, lineterminator="\n").writerows(shown)
    return file.getvalue()


def csv_line(values: Sequence[str]) -> str:
    """One row of a CSV file, without its end."""
    return _csv([values]).rstrip("\n")
