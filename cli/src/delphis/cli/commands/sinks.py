"""`delphis sinks`: where points go beside the history."""

from __future__ import annotations

from typing import IO

import click

from delphis.cli import cells
from delphis.cli.connection import Connection, connected
from delphis.cli.failures import Missing
from delphis.cli.names import is_id
from delphis.cli.options import Group, pass_settings
from delphis.cli.output import Listing, print_list, print_message, to_yaml
from delphis.cli.registration import from_file
from delphis.cli.settings import Settings
from delphis.telemetry.v1 import telemetry_pb2 as pb
from delphis.telemetry.v1 import telemetry_pb2_grpc

_FILE = click.option(
    "--file",
    type=click.File(encoding="utf-8"),
    required=True,
    help="YAML or JSON file with the sink, fields named as in the API. - is standard input.",
)


def kind(sink: pb.Sink) -> str:
    """What it is."""
    return sink.WhichOneof("where") or "-"


def place(sink: pb.Sink) -> str:
    """Where it is."""
    where = sink.WhichOneof("where")
    if where == "remote_write":
        return sink.remote_write.url
    if where == "kafka":
        return f"{sink.kafka.topic} at {', '.join(sink.kafka.bootstrap_servers)}"
    return "-"


def state(sink: pb.Sink) -> str:
    """How it does."""
    if sink.paused:
        return "paused"
    return f"failed {sink.status.failures} times" if sink.status.failures else "ok"


LISTING = Listing(
    key="sinks",
    message=pb.Sink,
    columns=(
        *("name", "kind", "where", "state", "status.backlog_bytes"),
        *("status.delivered", "status.refused", "status.dropped", "id"),
    ),
    computed={"kind": kind, "where": place, "state": state},
)


def service(connection: Connection) -> telemetry_pb2_grpc.SinkServiceStub:
    """The methods of sinks."""
    return telemetry_pb2_grpc.SinkServiceStub(connection.channel)


def sink_id(connection: Connection, name_or_id: str) -> str:
    """The id of the sink that is meant."""
    if is_id(name_or_id):
        return name_or_id.lower()
    for sink in connection.call(service(connection).ListSinks, pb.ListSinksRequest()).sinks:
        if sink.name == name_or_id:
            return sink.id
    raise Missing(f"no sink has the name or id {name_or_id!r}", hint="delphis sinks list", reason="SINK_NOT_FOUND")


@click.group(cls=Group)
def sinks() -> None:
    """Say where points go beside the history."""


@sinks.command("list")
@click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas.")
@pass_settings
def list_sinks(settings: Settings, columns: str | None) -> None:
    """List the sinks and how they do."""
    LISTING.chosen(columns)
    with connected(settings) as connection:
        found = connection.call(service(connection).ListSinks, pb.ListSinksRequest())
    print_list(settings, LISTING, [(list(found.sinks), False)], columns=columns)


@sinks.command()
@click.argument("sink", metavar="NAME_OR_ID")
@pass_settings
def show(settings: Settings, sink: str) -> None:
    """Show one sink, without its secrets."""
    with connected(settings) as connection:
        found = connection.call(service(connection).GetSink, pb.GetSinkRequest(id=sink_id(connection, sink)))
    print_sink(settings, found)


@sinks.command()
@_FILE
@pass_settings
def create(settings: Settings, file: IO[str]) -> None:
    """Make a sink. It gets what is collected from now on."""
    request = pb.CreateSinkRequest()
    from_file(file, request.sink)
    with connected(settings) as connection:
        found = connection.call(service(connection).CreateSink, request)
    print_sink(settings, found)


@sinks.command()
@click.argument("sink", metavar="NAME_OR_ID")
@_FILE
@pass_settings
def update(settings: Settings, sink: str, file: IO[str]) -> None:
    """Make a sink as the file says. Secrets that the file does not give stay, unless the address changes."""
    request = pb.UpdateSinkRequest()
    from_file(file, request.sink)
    with connected(settings) as connection:
        request.id = sink_id(connection, sink)
        found = connection.call(service(connection).UpdateSink, request)
    print_sink(settings, found)


@sinks.command()
@click.argument("sink", metavar="NAME_OR_ID")
@pass_settings
def remove(settings: Settings, sink: str) -> None:
    """Remove a sink, with what waits for it."""
    with connected(settings) as connection:
        request = pb.DeleteSinkRequest(id=sink_id(connection, sink))
        answer = connection.call(service(connection).DeleteSink, request)
    if not print_message(settings, answer):
        click.echo(f"Sink {sink} is removed.")


def print_sink(settings: Settings, found: pb.Sink) -> None:
    """All that is set."""
    if not print_message(settings, found):
        click.echo(to_yaml({key: value for key, value in cells.plain(found).items() if value not in ({}, [])}))
