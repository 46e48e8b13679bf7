"""`delphis changes` and `delphis watch`: what appeared, changed and disappeared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from delphis.cli import cells
from delphis.cli.connection import connected, pages
from delphis.cli.failures import WrongSettings
from delphis.cli.names import complete_storage, storage_id
from delphis.cli.options import Command, Group, pass_settings
from delphis.cli.output import Listing, limit_of, print_list, to_json, to_yaml
from delphis.cli.settings import Settings
from delphis.cli.tables import coloured
from delphis.cli.texts import printable
from delphis.cli.watching import START, Place, Watch
from delphis.inventory.v1 import change_pb2, change_pb2_grpc

_COLOURS = {
    "added": "green", "restored": "green", "registered": "green", "loaded": "green", "changed": "yellow",
    "missing": "yellow", "removed": "red", "replaced": "red", "deleted": "red",
}  # fmt: skip
CSV_COLUMNS = ("at", "type", "storage_id", "kind", "id", "native_id", "name", "fields", "count", "position")


def what(change: change_pb2.Change) -> str:
    """The fields that changed, or how many resources were read."""
    if change.count:
        return f"{change.count} read for the first time"
    return ", ".join(change.fields)


LISTING = Listing(
    key="changes",
    message=change_pb2.Change,
    columns=("at", "type", "kind", "name", "what", "id", "storage_id"),
    computed={"what": what},
)


@click.group(cls=Group)
def changes() -> None:
    """Look at what changed on the arrays."""


@changes.command("list")
@click.option("--storage", metavar="NAME_OR_ID", shell_complete=complete_storage, help="Only those of this storage.")
@click.option("--kind", default="", help="Only those of this kind, singular, such as volume.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Changes to print. [default for tables: 1000]")
@click.option("--all", "everything", is_flag=True, help="Print all changes. [default but for tables]")
@click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas.")
@pass_settings
def list_changes(
    settings: Settings, storage: str | None, kind: str, limit: int | None, everything: bool, columns: str | None
) -> None:
    """List changes, oldest first. They are kept for 7 days."""
    LISTING.chosen(columns)
    wanted = limit_of(settings, limit, everything)
    with connected(settings) as connection:
        request = change_pb2.ListChangesRequest(kind=kind.replace("-", "_"))
        if storage is not None:
            request.storage_id = storage_id(connection, storage)
        stub = change_pb2_grpc.ChangeServiceStub(connection.channel)
        found: Any = pages(connection, stub.ListChanges, request, "changes", wanted)
        print_list(settings, LISTING, found, columns=columns, limit=limit)


@click.command(cls=Command)
@click.option("--storage", metavar="NAME_OR_ID", shell_complete=complete_storage, help="Only those of this storage.")
@click.option("--kind", "kinds", multiple=True, help="Only those of these kinds, singular, such as volume.")
@click.option("--resume", metavar="TOKEN", help="Go on behind this place, which an earlier watch told.")
@click.option("--from-start", is_flag=True, help="Begin with the oldest change kept.")
@click.option(
    "--state-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the place in this file, and go on from there the next time.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="End after so many changes.")
@click.option("--no-retry", is_flag=True, help="End when the server goes away, instead of trying again.")
@pass_settings
def watch(
    settings: Settings,
    storage: str | None,
    kinds: tuple[str, ...],
    resume: str | None,
    from_start: bool,
    state_file: Path | None,
    limit: int | None,
    no_retry: bool,
) -> None:
    """Print changes as they happen.

    It begins now, and goes on until Ctrl-C. No change is lost or printed twice while the server or the network is away:
    the watch goes on where it was. With --state-file that holds for later calls too. JSON is one object a line.
    """
    if resume is not None and from_start:
        raise WrongSettings("--resume and --from-start contradict each other: give one")
    place = Place(state_file, first=START if from_start else resume or "")
    with connected(settings) as connection:
        request = change_pb2.WatchChangesRequest(kinds=[kind.replace("-", "_") for kind in kinds])
        if storage is not None:
            request.storage_id = storage_id(connection, storage)
        stub = change_pb2_grpc.ChangeServiceStub(connection.channel)
        watching: Watch[change_pb2.Change] = Watch(
            connection, stub.WatchChanges, request, "changes", place, retry=not no_retry
        )
        try:
            show(settings, watching, limit)
        finally:
            if state_file is None and place.token:
                click.echo(f"To go on from here: delphis watch --resume {place.token}", err=True)


def show(settings: Settings, watching: Watch[change_pb2.Change], limit: int | None) -> None:
    """Prints the changes; the place moves when they are printed."""
    if settings.output == "csv":
        click.echo(",".join(CSV_COLUMNS))
    shown = 0
    for changes_ in watching:
        for change in changes_:
            click.echo(line(settings, change))
            shown += 1
            if shown == limit:
                # The place is between answers: what came in the same one and was not printed will come again.
                if change is changes_[-1]:
                    watching.seen()
                return
        watching.seen()


def line(settings: Settings, change: change_pb2.Change) -> str:
    """One change as the output wants it."""
    if settings.output == "json":
        return to_json(cells.plain(change), indent=None)
    if settings.output == "yaml":
        return to_yaml([cells.plain(change)])
    if settings.output == "csv":
        from delphis.cli.output import csv_line

        return csv_line([cells.csv_text(cells.exact_cell(change, name)) for name in CSV_COLUMNS])
    type_ = cells.text(change, "type")
    shown = click.style(f"{type_:10}", fg=_COLOURS.get(type_)) if coloured() else f"{type_:10}"
    name = change.name or change.native_id or change.id or "-"
    return f"{cells.moment(change.at)}  {shown}  {printable(change.kind):22}  {printable(name):30}  " + printable(
        what(change)
    )
