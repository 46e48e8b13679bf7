"""`delphis receivers`: who is told about alerts."""

from __future__ import annotations

from typing import IO

import click

from delphis.alert.v1 import delivery_pb2 as pb
from delphis.alert.v1 import delivery_pb2_grpc
from delphis.cli import cells
from delphis.cli.connection import Connection, connected
from delphis.cli.failures import Missing
from delphis.cli.names import is_id
from delphis.cli.options import Group, pass_settings
from delphis.cli.output import Listing, print_list, print_message, to_yaml
from delphis.cli.registration import from_file
from delphis.cli.settings import Settings

_FILE = click.option(
    "--file",
    type=click.File(encoding="utf-8"),
    required=True,
    help="YAML or JSON file with the receiver, fields named as in the API. - is standard input.",
)


def kind(receiver: pb.Receiver) -> str:
    """How it is told."""
    return receiver.WhichOneof("how") or "-"


def place(receiver: pb.Receiver) -> str:
    """Where it is."""
    how = receiver.WhichOneof("how")
    if how == "webhook":
        return receiver.webhook.url
    if how == "alertmanager":
        return ", ".join(receiver.alertmanager.urls)
    if how == "kafka":
        return f"{receiver.kafka.topic} at {', '.join(receiver.kafka.bootstrap_servers)}"
    return "-"


def state(receiver: pb.Receiver) -> str:
    """How its delivery does."""
    if receiver.paused:
        return "paused"
    return f"failed {receiver.status.failures} times" if receiver.status.failures else "ok"


LISTING = Listing(
    key="receivers",
    message=pb.Receiver,
    columns=("name", "kind", "where", "state", "status.backlog", "status.delivered", "status.dropped", "id"),
    computed={"kind": kind, "where": place, "state": state},
)


def service(connection: Connection) -> delivery_pb2_grpc.DeliveryServiceStub:
    """The methods of delivery."""
    return delivery_pb2_grpc.DeliveryServiceStub(connection.channel)


def receiver_id(connection: Connection, name_or_id: str) -> str:
    """The id of the receiver that is meant."""
    if is_id(name_or_id):
        return name_or_id.lower()
    for receiver in connection.call(service(connection).ListReceivers, pb.ListReceiversRequest()).receivers:
        if receiver.name == name_or_id:
            return receiver.id
    raise Missing(
        f"no receiver has the name or id {name_or_id!r}", hint="delphis receivers list", reason="RECEIVER_NOT_FOUND"
    )


@click.group(cls=Group)
def receivers() -> None:
    """Say who is told about alerts."""


@receivers.command("list")
@click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas.")
@pass_settings
def list_receivers(settings: Settings, columns: str | None) -> None:
    """List the receivers and how their delivery does."""
    LISTING.chosen(columns)
    with connected(settings) as connection:
        found = connection.call(service(connection).ListReceivers, pb.ListReceiversRequest())
    print_list(settings, LISTING, [(list(found.receivers), False)], columns=columns)


@receivers.command()
@click.argument("receiver", metavar="NAME_OR_ID")
@pass_settings
def show(settings: Settings, receiver: str) -> None:
    """Show one receiver, without its secrets."""
    with connected(settings) as connection:
        request = pb.GetReceiverRequest(id=receiver_id(connection, receiver))
        found = connection.call(service(connection).GetReceiver, request)
    print_receiver(settings, found)


@receivers.command()
@_FILE
@pass_settings
def create(settings: Settings, file: IO[str]) -> None:
    """Make a receiver. It is told what happens from now on."""
    request = pb.CreateReceiverRequest()
    from_file(file, request.receiver)
    with connected(settings) as connection:
        found = connection.call(service(connection).CreateReceiver, request)
    print_receiver(settings, found)


@receivers.command()
@click.argument("receiver", metavar="NAME_OR_ID")
@_FILE
@pass_settings
def update(settings: Settings, receiver: str, file: IO[str]) -> None:
    """Make a receiver as the file says. Secrets that the file does not give stay, unless the address changes."""
    request = pb.UpdateReceiverRequest()
    from_file(file, request.receiver)
    with connected(settings) as connection:
        request.id = receiver_id(connection, receiver)
        found = connection.call(service(connection).UpdateReceiver, request)
    print_receiver(settings, found)


@receivers.command()
@click.argument("receiver", metavar="NAME_OR_ID")
@pass_settings
def remove(settings: Settings, receiver: str) -> None:
    """Remove a receiver, with what waits for it."""
    with connected(settings) as connection:
        request = pb.DeleteReceiverRequest(id=receiver_id(connection, receiver))
        answer = connection.call(service(connection).DeleteReceiver, request)
    if not print_message(settings, answer):
        click.echo(f"Receiver {receiver} is removed.")


@receivers.command()
@click.argument("receiver", metavar="NAME_OR_ID")
@pass_settings
def test(settings: Settings, receiver: str) -> None:
    """Send a receiver one made-up alert, and say what came of it."""
    with connected(settings) as connection:
        request = pb.TestReceiverRequest(id=receiver_id(connection, receiver))
        answer = connection.call(service(connection).TestReceiver, request)
    if not print_message(settings, answer):
        click.echo(f"Receiver {receiver} took the alert {answer.alert.alert_id}.")


def print_receiver(settings: Settings, found: pb.Receiver) -> None:
    """All that is set."""
    if not print_message(settings, found):
        click.echo(to_yaml({key: value for key, value in cells.plain(found).items() if value not in ({}, [])}))
