"""Tables: coloured and folded on a terminal, one line a row everywhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from delphis.cli.texts import printable

if TYPE_CHECKING:
    from rich.console import Console

Row = Sequence[str]

GOOD = frozenset(
    {
        "normal",
        "available",
        "ok",
        "cleared",
        "reachable",
        "configured",
        "online",
        "succeeded",
        "serving",
        "connected",
        "active",
    }
)
DOUBTFUL = frozenset(
    {
        *("degraded", "partial", "suspicious", "syncing", "running", "starting", "draining", "never", "waiting"),
        *("suspect", "probation", "missing", "backoff", "cancelled", "unknown"),
    }
)
BAD = frozenset(
    {
        *("error", "offline", "abnormal", "failed", "faulty", "fault", "disconnected", "dead", "quarantined"),
        *("unreachable", "open", "load_failed", "invalid", "removed", "deleted"),
    }
)
_STATUS_TITLES = ("STATUS", "STATE", "OUTCOME", "SYNC", "CONDITION")


def coloured() -> bool:
    """Whether standard output takes colours: a terminal, and nobody asked to leave them."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def print_table(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """A table whose rows are all known."""
    print_pages(columns, [list(rows)])


def print_pages(columns: Sequence[str], pages: Iterable[Sequence[Row]]) -> None:
    """A table page by page: the first one decides how wide the columns are."""
    if sys.stdout.isatty():
        _on_terminal(columns, pages)
        return
    widths: list[int] = []
    for page in pages:
        cells = [[printable(cell) for cell in row] for row in page]
        lines = []
        if not widths:
            widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
            lines.append(_line(columns, widths))
        lines += [_line(row, widths) for row in cells]
        if lines:
            click.echo("\n".join(lines))


def _line(cells: Row, widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _on_terminal(columns: Sequence[str], pages: Iterable[Sequence[Row]]) -> None:
    from rich import box
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False, no_color=not coloured())
    widths: list[int] = []
    for page in pages:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=not widths)
        cells = [[printable(cell) for cell in row] for row in page]
        if not widths:
            widths = _fitting([max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)], console)
        for title, width in zip(columns, widths, strict=True):
            table.add_column(title, overflow="fold", width=width)
        for row in cells:
            table.add_row(*(Text(cell, style_of(title, cell)) for title, cell in zip(columns, row, strict=True)))
        console.print(table)


def _fitting(widths: list[int], console: Console) -> list[int]:
    """The widths, the widest made narrower until a line fits."""
    room = max(console.width - 3 * (len(widths) - 1), 4 * len(widths))
    while sum(widths) > room:
        widest = max(range(len(widths)), key=widths.__getitem__)
        others = max((width for place, width in enumerate(widths) if place != widest), default=0)
        widths[widest] -= min(sum(widths) - room, max(widths[widest] - others, 1))
    return widths


def style_of(title: str, cell: str) -> str:
    """The colour of a status; none for other columns."""
    if not title.endswith(_STATUS_TITLES):
        return ""
    word = cell.split(" ", 1)[0]
    return "green" if word in GOOD else "yellow" if word in DOUBTFUL else "red" if word in BAD else ""


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Names and values, one a line."""
    shown = [(name, printable(value)) for name, value in fields]
    width = max((len(name) for name, _ in shown), default=0) + 2
    colours = coloured()
    for name, value in shown:
        style = style_of(name.upper(), value) if colours else ""
        click.echo(f"{name + ':':{width}}" + (click.style(value, fg=style) if style else value))
