"""`delphis silences`: alerts that are kept from receivers for a time."""

from __future__ import annotations

import datetime

import click

from delphis.alert.v1 import delivery_pb2 as pb
from delphis.alert.v1 import delivery_pb2_grpc
from delphis.cli.cells import csv_text, enum_number, plain
from delphis.cli.commands.alerts import SEVERITIES
from delphis.cli.connection import Connection, connected
from delphis.cli.failures import WrongSettings
from delphis.cli.names import complete_storage, storage_id
from delphis.cli.options import Group, pass_settings
from delphis.cli.output import Listing, print_list, print_message
from delphis.cli.registration import pairs
from delphis.cli.settings import Settings
from delphis.type.v1 import alert_pb2 as type_pb


def match(silence: pb.Silence) -> str:
    """Which alerts are meant."""
    said = plain(silence.match)
    return ", ".join(f"{name}={csv_text(value)}" for name, value in said.items() if value not in ([], {}))


LISTING = Listing(
    key="silences",
    message=pb.Silence,
    columns=("id", "match", "starts_at", "ends_at", "reason", "created_by"),
    computed={"match": match},
)


def service(connection: Connection) -> delivery_pb2_grpc.DeliveryServiceStub:
    """The methods of delivery."""
    return delivery_pb2_grpc.DeliveryServiceStub(connection.channel)


@click.group(cls=Group)
def silences() -> None:
    """Keep alerts from receivers for a time. They are stored and listed as ever."""


@silences.command("list")
@click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas.")
@pass_settings
def list_silences(settings: Settings, columns: str | None) -> None:
    """List the silences that have not ended, soonest end first."""
    LISTING.chosen(columns)
    with connected(settings) as connection:
        found = connection.call(service(connection).ListSilences, pb.ListSilencesRequest())
    print_list(settings, LISTING, [(list(found.silences), False)], columns=columns)


@silences.command()
@click.option("--for", "length", metavar="TIME", required=True, help="How long, such as 2h.")
@click.option("--storage", "storages", multiple=True, metavar="NAME_OR_ID", shell_complete=complete_storage)
@click.option("--severity", "severities", multiple=True, type=click.Choice(SEVERITIES, case_sensitive=False))
@click.option("--vendor", "vendors", multiple=True, help="Vendor, as its storages show it.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", callback=pairs, help="Label of the storage.")
@click.option("--resource-type", "resource_types", multiple=True, help="Kind of the resource, such as disk.")
@click.option("--alert-id", "alert_ids", multiple=True, help="The vendor's kind of alert.")
@click.option("--own/--not-own", default=None, help="Only what Delphis itself noticed, or only what arrays say.")
@click.option("--reason", default="", help="Why.")
@pass_settings
def add(
    settings: Settings,
    length: str,
    storages: tuple[str, ...],
    severities: tuple[str, ...],
    vendors: tuple[str, ...],
    labels: dict[str, str],
    resource_types: tuple[str, ...],
    alert_ids: tuple[str, ...],
    own: bool | None,
    reason: str,
) -> None:
    """Make a silence, from now on. An alert must match in each way given, in one of its values."""
    from delphis.cli.commands.storages import span

    numbers = [enum_number(type_pb.Severity.DESCRIPTOR, severity) for severity in severities]
    meant = pb.AlertMatch(
        severities=[type_pb.Severity.ValueType(number) for number in numbers if number is not None],
        vendors=vendors,
        labels=labels,
        resource_types=resource_types,
        alert_ids=alert_ids,
        own=own,
    )
    if not meant.ByteSize() and not storages:
        raise WrongSettings("say which alerts: --storage, --severity, --vendor, --label and so on")
    silence = pb.Silence(reason=reason)
    silence.ends_at.FromDatetime(datetime.datetime.now(datetime.UTC) + span(length, "--for"))
    with connected(settings) as connection:
        meant.storage_ids.extend(storage_id(connection, storage) for storage in storages)
        silence.match.CopyFrom(meant)
        found = connection.call(service(connection).CreateSilence, pb.CreateSilenceRequest(silence=silence))
    if not print_message(settings, found):
        click.echo(found.id)


@silences.command()
@click.argument("silence", metavar="ID")
@pass_settings
def end(settings: Settings, silence: str) -> None:
    """End a silence now."""
    with connected(settings) as connection:
        answer = connection.call(service(connection).DeleteSilence, pb.DeleteSilenceRequest(id=silence))
    if not print_message(settings, answer):
        click.echo(f"Silence {silence} is ended.")
