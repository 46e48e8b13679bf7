"""`delphis collections`: how the arrays' metrics are collected."""

from __future__ import annotations

from typing import Any

import click

from delphis.cli import cells
from delphis.cli.connection import Connection, connected, pages
from delphis.cli.failures import WrongSettings
from delphis.cli.names import complete_storage, storage_id
from delphis.cli.options import Group, pass_settings
from delphis.cli.output import Listing, print_list, print_message
from delphis.cli.settings import Settings
from delphis.cli.tables import print_fields, print_table
from delphis.telemetry.v1 import telemetry_pb2 as pb
from delphis.telemetry.v1 import telemetry_pb2_grpc


def state(status: pb.CollectionStatus) -> str:
    """How it does."""
    if status.settings.off:
        return "off"
    if not status.HasField("supported"):
        return "unknown yet"
    if not status.supported:
        return "measures nothing"
    failures = max((kind.failures for kind in status.kinds), default=0)
    return f"failed {failures} times" if failures else "ok"


def kinds(status: pb.CollectionStatus) -> str:
    """What is collected."""
    return ", ".join(kind.kind for kind in status.kinds) or "-"


def chosen(settings: pb.CollectionSettings) -> str:
    """The intervals that an operator set."""
    told = [cells.text(settings, "interval")] if settings.HasField("interval") else []
    for kind, seconds in sorted(settings.kind_intervals.items()):
        of_kind = pb.CollectionSettings()
        of_kind.interval.FromSeconds(seconds)
        told.append(f"{kind} {cells.text(of_kind, 'interval')}")
    return ", ".join(told) or cells.UNSET


LISTING = Listing(
    key="collections",
    message=pb.CollectionStatus,
    columns=("storage_name", "state", "next_at", "kinds", "storage_id"),
    computed={"state": state, "kinds": kinds},
)


def service(connection: Connection) -> telemetry_pb2_grpc.CollectionServiceStub:
    """The methods of collections."""
    return telemetry_pb2_grpc.CollectionServiceStub(connection.channel)


@click.group(cls=Group)
def collections() -> None:
    """Look at and change how metrics are collected."""


@collections.command("list")
@click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas.")
@pass_settings
def list_collections(settings: Settings, columns: str | None) -> None:
    """List how the collection from each storage does, those with failures first."""
    LISTING.chosen(columns)
    with connected(settings) as connection:
        request = pb.ListCollectionStatusesRequest()
        found: Any = pages(connection, service(connection).ListCollectionStatuses, request, "collections", None)
        print_list(settings, LISTING, found, columns=columns)


@collections.command()
@click.argument("storage", metavar="NAME_OR_ID", shell_complete=complete_storage)
@pass_settings
def show(settings: Settings, storage: str) -> None:
    """Show how the collection from a storage does, kind by kind."""
    with connected(settings) as connection:
        request = pb.GetCollectionStatusRequest(storage_id=storage_id(connection, storage))
        status = connection.call(service(connection).GetCollectionStatus, request)
    print_status(settings, status)


@collections.command("set")
@click.argument("storage", metavar="NAME_OR_ID", shell_complete=complete_storage)
@click.option(
    "--interval", type=click.IntRange(0, 86_400), metavar="SECONDS",
    help="Time between two collections; 0: the array's own, or 15 minutes.",
)  # fmt: skip
@click.option(
    "--kind", "kind_intervals", multiple=True, metavar="KIND=SECONDS",
    help="Collect this kind less often; 0: as the others. May be given several times.",
)  # fmt: skip
@click.option("--on/--off", "on", default=None, help="Collect, or don't.")
@pass_settings
def set_collection(
    settings: Settings, storage: str, interval: int | None, kind_intervals: tuple[str, ...], on: bool | None
) -> None:
    """Change how metrics are collected from a storage."""
    request = pb.UpdateCollectionRequest()
    if interval is not None:
        request.settings.interval.FromSeconds(interval)
    for text in kind_intervals:
        kind, _, seconds = text.partition("=")
        if not kind or not seconds.isascii() or not seconds.isdigit():
            raise WrongSettings(f"--kind: {text!r} is not KIND=SECONDS, such as disk=3600")
        request.settings.kind_intervals[kind] = int(seconds)
    if on is not None:
        request.settings.off = not on
    if not request.HasField("settings"):
        raise WrongSettings("give --interval, --kind, --on or --off")
    with connected(settings) as connection:
        request.storage_id = storage_id(connection, storage)
        status = connection.call(service(connection).UpdateCollection, request)
    print_status(settings, status)


@collections.command()
@click.argument("storage", metavar="NAME_OR_ID", shell_complete=complete_storage)
@pass_settings
def now(settings: Settings, storage: str) -> None:
    """Collect from a storage now. Does not wait for it."""
    with connected(settings) as connection:
        request = pb.CollectNowRequest(storage_id=storage_id(connection, storage))
        answer = connection.call(service(connection).CollectNow, request)
    if not print_message(settings, answer):
        click.echo(f"Metrics of {storage} are collected.")


def print_status(settings: Settings, status: pb.CollectionStatus) -> None:
    """How it does, kind by kind."""
    if print_message(settings, status):
        return
    names = ("storage_name", "storage_id", "is_historic", "retention", "next_at", "refused", "warnings")
    shown = [
        ("State", state(status)),
        *((name.replace("_", " ").capitalize(), cells.text(status, name)) for name in names),
        ("Intervals set", chosen(status.settings)),
    ]
    print_fields((name, value) for name, value in shown if value != cells.UNSET)
    click.echo()
    print_table(
        ("KIND", "EVERY", "UP TO", "POINTS", "FAILURES", "MISSED", "GAPS", "PROBLEM"),
        [
            [
                kind.kind,
                cells.text(kind, "interval"),
                cells.text(kind, "watermark"),
                str(kind.points),
                str(kind.failures),
                str(kind.missed_windows),
                str(len(kind.gaps)),
                kind.error_msg or "-",
            ]
            for kind in status.kinds
        ],
    )
    gaps = [(kind.kind, gap) for kind in status.kinds for gap in kind.gaps]
    if gaps:
        click.echo()
        print_table(
            ("GAP OF", "FROM", "TO", "WHY"),
            [[kind, cells.text(gap, "begin_time"), cells.text(gap, "end_time"), gap.reason] for kind, gap in gaps],
        )
    if status.refused_metrics:
        click.echo()
        print_table(
            ("NOT TAKEN", "KIND", "METRIC", "VALUES", "SUCH AS", "OF"),
            [
                [one.reason, one.kind, one.metric or "any", str(one.count), one.example or "-", one.native_id or "-"]
                for one in status.refused_metrics
            ],
        )
