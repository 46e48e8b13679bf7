"""`delphis alerts`: what is wrong with the arrays, and what was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from delphis.alert.v1 import alert_pb2 as pb
from delphis.alert.v1 import alert_pb2_grpc
from delphis.cli import cells
from delphis.cli.commands.alert_settings import settings_group
from delphis.cli.commands.traps import unmatched
from delphis.cli.connection import Connection, connected, pages
from delphis.cli.failures import WrongSettings
from delphis.cli.names import complete_storage, quoted, storage_id
from delphis.cli.options import Group, pass_settings
from delphis.cli.output import Listing, csv_line, limit_of, print_list, print_message, to_json, to_yaml
from delphis.cli.settings import Settings
from delphis.cli.tables import coloured, print_fields, print_table
from delphis.cli.texts import printable
from delphis.cli.watching import START, Place, Watch

SEVERITIES = ("Fatal", "Critical", "Major", "Minor", "Warning", "Informational", "NotSpecified")
_COLOURS = {"raised": "red", "changed": "yellow", "repeated": "yellow", "cleared": "green"}
CSV_COLUMNS = (
    *("at", "type", "alert.id", "alert.storage_id", "alert.storage_name", "alert.severity", "alert.alert_name"),
    *("alert.description", "alert.count", "origin", "by", "note", "position"),
)


def what(alert: pb.Alert) -> str:
    """What happened, in the array's words."""
    return alert.description or alert.alert_name or alert.alert_id or alert.match_key


def about(alert: pb.Alert) -> str:
    """Which storage it is about."""
    return alert.storage_name or alert.storage_id or "Delphis"


def where(alert: pb.Alert) -> str:
    """The resource that it is about."""
    name = alert.native_resource_id or alert.location
    return f"{alert.resource_type} {name}".strip() or "-"


LISTING = Listing(
    key="alerts",
    message=pb.Alert,
    columns=("last_raised_at", "severity", "state", "storage", "what", "where", "count", "acknowledged", "id"),
    computed={"storage": about, "what": what, "where": where},
)


def service(connection: Connection) -> alert_pb2_grpc.AlertServiceStub:
    """The methods of alerts."""
    return alert_pb2_grpc.AlertServiceStub(connection.channel)


@click.group(cls=Group)
def alerts() -> None:
    """Look at alerts, acknowledge and clear them."""


alerts.add_command(unmatched)
alerts.add_command(settings_group)


@alerts.command("list")
@click.option("--storage", metavar="NAME_OR_ID", shell_complete=complete_storage, help="Only those of this storage.")
@click.option(
    "--severity", "severities", multiple=True, type=click.Choice(SEVERITIES, case_sensitive=False),
    help="Only those of this severity. May be given several times.",
)  # fmt: skip
@click.option("--cleared", is_flag=True, help="Those that are over, too.")
@click.option("--live", is_flag=True, help="Ask the array of --storage what it has open now.")
@click.option("--filter", "expression", default="", metavar="EXPRESSION", help="Such as 'labels.site = b7'.")
@click.option("--order", default="", metavar="FIELDS", help="Such as 'first_raised_at'. [default: newest first]")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Alerts to print. [default for tables: 1000]")
@click.option("--all", "everything", is_flag=True, help="Print all alerts. [default but for tables]")
@click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas.")
@pass_settings
def list_alerts(
    settings: Settings,
    storage: str | None,
    severities: tuple[str, ...],
    cleared: bool,
    live: bool,
    expression: str,
    order: str,
    limit: int | None,
    everything: bool,
    columns: str | None,
) -> None:
    """List the alerts that are open, newest first."""
    LISTING.chosen(columns)
    wanted = limit_of(settings, limit, everything)
    if live and (storage is None or severities or cleared or expression or order):
        raise WrongSettings("--live goes with --storage, and with no other choice of alerts")
    with connected(settings) as connection:
        found: Any
        if live and storage is not None:
            of_storage = pb.ListStorageAlertsRequest(storage_id=storage_id(connection, storage), live=True)
            found = pages(connection, service(connection).ListStorageAlerts, of_storage, "alerts", wanted)
        else:
            parts = [f"({expression})"] if expression else []
            if storage is not None:
                parts.append(f"storage_id = {quoted(storage_id(connection, storage))}")
            if severities:
                parts.append("(" + " OR ".join(f"severity = {severity}" for severity in severities) + ")")
            if not cleared:
                parts.append("state = open")
            request = pb.ListAlertsRequest(filter=" AND ".join(parts), order_by=order)
            found = pages(connection, service(connection).ListAlerts, request, "alerts", wanted)
        print_list(settings, LISTING, found, columns=columns, limit=limit)


@alerts.command()
@click.argument("alert_id", metavar="ID")
@pass_settings
def show(settings: Settings, alert_id: str) -> None:
    """Show one alert and what happened to it."""
    with connected(settings) as connection:
        alert = connection.call(service(connection).GetAlert, pb.GetAlertRequest(id=alert_id))
        if print_message(settings, alert):
            return
        history = connection.call(service(connection).ListAlertEvents, pb.ListAlertEventsRequest(id=alert_id))
    names = [field.name for field in alert.DESCRIPTOR.fields]
    shown = [(name, cells.text(alert, name)) for name in names]
    print_fields((name.replace("_", " ").capitalize(), value) for name, value in shown if value != cells.UNSET)
    click.echo()
    print_table(
        ("AT", "WHAT", "BY", "SEVERITY", "COUNT", "NOTE"),
        [
            [
                cells.text(event, "at"),
                cells.text(event, "type"),
                event.by or cells.text(event, "origin"),
                cells.text(event.alert, "severity"),
                str(event.alert.count),
                event.note or "-",
            ]
            for event in history.events
        ],
    )
    if history.next_page_token:
        click.echo("There is more; the API lists all of it.", err=True)


@alerts.command()
@click.option("--storage", metavar="NAME_OR_ID", shell_complete=complete_storage, help="Only those of this storage.")
@click.option("--filter", "expression", default="", metavar="EXPRESSION", help="Such as 'severity = Critical'.")
@click.option("--resume", metavar="TOKEN", help="Go on behind this place, which an earlier watch told.")
@click.option("--from-start", is_flag=True, help="Begin with the oldest event kept.")
@click.option(
    "--state-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the place in this file, and go on from there the next time.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="End after so many events.")
@click.option("--no-retry", is_flag=True, help="End when the server goes away, instead of trying again.")
@pass_settings
def watch(
    settings: Settings,
    storage: str | None,
    expression: str,
    resume: str | None,
    from_start: bool,
    state_file: Path | None,
    limit: int | None,
    no_retry: bool,
) -> None:
    """Print what happens to alerts as it happens.

    It begins now, and goes on until Ctrl-C. Nothing is lost or printed twice while the server or the network is away.
    With --state-file that holds for later calls too. JSON is one object a line.
    """
    if resume is not None and from_start:
        raise WrongSettings("--resume and --from-start contradict each other: give one")
    place = Place(state_file, first=START if from_start else resume or "")
    with connected(settings) as connection:
        request = pb.WatchAlertsRequest(filter=expression)
        if storage is not None:
            request.storage_id = storage_id(connection, storage)
        method = service(connection).WatchAlerts
        watching: Watch[pb.AlertEvent] = Watch(connection, method, request, "events", place, retry=not no_retry)
        try:
            print_events(settings, watching, limit)
        finally:
            if state_file is None and place.token:
                click.echo(f"To go on from here: delphis alerts watch --resume {place.token}", err=True)


def print_events(settings: Settings, watching: Watch[pb.AlertEvent], limit: int | None) -> None:
    """Prints the events; the place moves when they are printed."""
    if settings.output == "csv":
        click.echo(",".join(CSV_COLUMNS))
    shown = 0
    for events in watching:
        for event in events:
            click.echo(line(settings, event))
            shown += 1
            if shown == limit:
                # The place is between answers: what came in the same one and was not printed will come again.
                if event is events[-1]:
                    watching.seen()
                return
        watching.seen()


def line(settings: Settings, event: pb.AlertEvent) -> str:
    """One event as the output wants it."""
    if settings.output == "json":
        return to_json(cells.plain(event), indent=None)
    if settings.output == "yaml":
        return to_yaml([cells.plain(event)])
    if settings.output == "csv":
        return csv_line([cells.csv_text(cells.exact_cell(event, name)) for name in CSV_COLUMNS])
    type_, alert = cells.text(event, "type"), event.alert
    shown = click.style(f"{type_:14}", fg=_COLOURS.get(type_)) if coloured() else f"{type_:14}"
    severity = cells.text(alert, "severity")
    said = f"{severity:13}  {printable(about(alert)):24}  {printable(what(alert))}"
    return f"{cells.moment(event.at)}  {shown}  {said}" + (f"  ({printable(event.by)})" if event.by else "")


def _operate(settings: Settings, name: str, request: Any, done: str, *, others: str) -> None:
    """`others`: what those are like that stay as they are."""
    with connected(settings) as connection:
        answer: Any = connection.call(getattr(service(connection), name), request)
    if not print_message(settings, answer):
        changed, asked = len(answer.alerts), len(set(request.ids))
        click.echo(f"{changed} {done}" + (f"; {asked - changed} {others}" if changed < asked else ""))


_IDS = click.argument("ids", metavar="ID...", nargs=-1, required=True)
_NOTE = click.option("--note", default="", metavar="TEXT", help="Why; kept with the alert's history.")


@alerts.command()
@_IDS
@_NOTE
@pass_settings
def ack(settings: Settings, ids: tuple[str, ...], note: str) -> None:
    """Say that somebody looks after alerts."""
    request = pb.AcknowledgeAlertsRequest(ids=ids, note=note)
    _operate(settings, "AcknowledgeAlerts", request, "acknowledged", others="already were, or are cleared")


@alerts.command()
@_IDS
@_NOTE
@pass_settings
def unack(settings: Settings, ids: tuple[str, ...], note: str) -> None:
    """Take acknowledgements back."""
    request = pb.UnacknowledgeAlertsRequest(ids=ids, note=note)
    _operate(settings, "UnacknowledgeAlerts", request, "no longer acknowledged", others="were not, or are cleared")


@alerts.command()
@click.argument("ids", metavar="[ID...]", nargs=-1)
@_NOTE
@click.option("--storage", metavar="NAME_OR_ID", shell_complete=complete_storage, help="Clear on this array, too.")
@click.option("--sequence-number", metavar="NUMBER", help="With --storage: the number by which the array knows it.")
@pass_settings
def clear(
    settings: Settings, ids: tuple[str, ...], note: str, storage: str | None, sequence_number: str | None
) -> None:
    """Clear alerts here; with --storage and --sequence-number, on the array first.

    What is still wrong is raised again by the array's next trap or poll.
    """
    if bool(storage) != bool(sequence_number) or bool(ids) == bool(storage):
        raise WrongSettings("give ids of alerts, or --storage together with --sequence-number")
    if storage is None or sequence_number is None:
        _operate(settings, "ClearAlerts", pb.ClearAlertsRequest(ids=ids, note=note), "cleared", others="already were")
        return
    with connected(settings) as connection:
        request = pb.ClearStorageAlertRequest(
            storage_id=storage_id(connection, storage), sequence_number=sequence_number
        )
        answer = connection.call(service(connection).ClearStorageAlert, request, timeout=max(settings.timeout, 95.0))
    if not print_message(settings, answer):
        click.echo(f"cleared on the array, and {answer.cleared} here")


@alerts.command()
@click.argument("storage", metavar="STORAGE", shell_complete=complete_storage)
@click.option("--now", is_flag=True, help="Have the array polled soon.")
@pass_settings
def poll(settings: Settings, storage: str, now: bool) -> None:
    """Show how the polls of an array's alerts go, or ask for one."""
    with connected(settings) as connection:
        id_ = storage_id(connection, storage)
        if now:
            connection.call(service(connection).SyncStorageAlerts, pb.SyncStorageAlertsRequest(storage_id=id_))
        state = connection.call(service(connection).GetAlertPoll, pb.GetAlertPollRequest(storage_id=id_))
    if not print_message(settings, state):
        names = [field.name for field in state.DESCRIPTOR.fields]
        print_fields((name.replace("_", " ").capitalize(), cells.text(state, name)) for name in names)
