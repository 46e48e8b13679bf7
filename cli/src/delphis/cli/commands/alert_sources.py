"""`delphis alert-sources`: where arrays' traps come from, and how they are protected."""

from __future__ import annotations

import os
import sys
from typing import IO, Any

import click

from delphis.alert.v1 import snmp_config_pb2 as pb
from delphis.alert.v1 import snmp_config_pb2_grpc
from delphis.cli import cells
from delphis.cli.connection import Connection, connected, pages
from delphis.cli.failures import WrongSettings
from delphis.cli.names import complete_storage, storage_id
from delphis.cli.options import Group, pass_settings
from delphis.cli.output import Listing, limit_of, print_list, print_message
from delphis.cli.registration import from_file
from delphis.cli.settings import Settings
from delphis.cli.tables import print_fields
from delphis.type.v1 import alert_pb2 as type_pb

ARRAY_TIMEOUT = 95.0  # seconds; the array may be told where to send its traps
SECRETS = {
    "community_string": ("DELPHIS_SNMP_COMMUNITY", "Community"),
    "auth_key": ("DELPHIS_SNMP_AUTH_KEY", "Pass phrase of the authentication"),
    "privacy_key": ("DELPHIS_SNMP_PRIVACY_KEY", "Pass phrase of the encryption"),
}
_NEEDS = {
    ("SNMPv1", None): ("community_string",),
    ("SNMPv2c", None): ("community_string",),
    ("SNMPv3", "authNoPriv"): ("auth_key",),
    ("SNMPv3", "authPriv"): ("auth_key", "privacy_key"),
}


def _texts(enum: cells.EnumDescriptor) -> list[str]:
    return [cells.enum_text(enum, number) for number in sorted(enum.values_by_number) if number > 1]


def _choice(enum: Any) -> click.Choice[str]:
    return click.Choice(_texts(enum.DESCRIPTOR), case_sensitive=False)


CONFIGS = Listing(
    key="snmp_configs",
    message=pb.SnmpConfig,
    columns=("storage_id", "host", "version", "security_level", "username", "reachability", "trap_receiver_state"),
)
SOURCES = Listing(
    key="trap_sources", message=pb.TrapSource, columns=("address", "origin", "name", "controller_name", "engine_id")
)


def service(connection: Connection) -> snmp_config_pb2_grpc.SnmpConfigServiceStub:
    """The methods of SNMP configurations."""
    return snmp_config_pb2_grpc.SnmpConfigServiceStub(connection.channel)


@click.group("alert-sources", cls=Group)
def alert_sources() -> None:
    """Say where arrays' traps come from, and how they are protected. Secrets are never shown."""


@alert_sources.command("list")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Items to print. [default for tables: 1000]")
@click.option("--all", "everything", is_flag=True, help="Print all items. [default but for tables]")
@click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas.")
@pass_settings
def list_configs(settings: Settings, limit: int | None, everything: bool, columns: str | None) -> None:
    """List the SNMP configurations of all storages."""
    CONFIGS.chosen(columns)
    wanted = limit_of(settings, limit, everything)
    with connected(settings) as connection:
        request = pb.ListSnmpConfigsRequest()
        found: Any = pages(connection, service(connection).ListSnmpConfigs, request, "snmp_configs", wanted)
        print_list(settings, CONFIGS, found, columns=columns, limit=limit)


@alert_sources.command()
@click.argument("storage", metavar="STORAGE", shell_complete=complete_storage)
@pass_settings
def show(settings: Settings, storage: str) -> None:
    """Show the SNMP configuration of one storage."""
    with connected(settings) as connection:
        request = pb.GetSnmpConfigRequest(storage_id=storage_id(connection, storage))
        found = connection.call(service(connection).GetSnmpConfig, request)
    print_config(settings, found)


@alert_sources.command()
@click.argument("storage", metavar="STORAGE", shell_complete=complete_storage)
@pass_settings
def addresses(settings: Settings, storage: str) -> None:
    """List the addresses by which the traps of a storage are known."""
    with connected(settings) as connection:
        request = pb.ListTrapSourcesRequest(storage_id=storage_id(connection, storage))
        found = connection.call(service(connection).ListTrapSources, request)
    print_list(settings, SOURCES, [(list(found.trap_sources), False)])


@alert_sources.command("set")
@click.argument("storage", metavar="STORAGE", shell_complete=complete_storage)
@click.option("--host", help="Name or address that sends the traps, and answers over SNMP.")
@click.option("--version", type=_choice(type_pb.SnmpVersion), help="Version of SNMP.")
@click.option("--username", help="User of SNMPv3.")
@click.option("--security-level", type=_choice(type_pb.SnmpSecurityLevel), help="Security level of SNMPv3.")
@click.option("--auth-protocol", type=_choice(type_pb.SnmpAuthProtocol), help="Authentication of SNMPv3.")
@click.option("--privacy-protocol", type=_choice(type_pb.SnmpPrivProtocol), help="Encryption of SNMPv3.")
@click.option("--engine-id", metavar="HEX", help="Engine id of the sender. [default: taken from what it sends]")
@click.option("--context-name", help="Context of SNMPv3.")
@click.option("--port", type=click.IntRange(0, 65535), help="UDP port at which the array answers. [default: 161]")
@click.option("--trust-agent-address/--no-trust-agent-address", default=None, help="Take SNMPv1 traps by a relay.")
@click.option("--trap-receiver", metavar="HOST:PORT", help="Tell the array to send its traps there; '' : not to.")
@click.option(
    "--file",
    type=click.File(encoding="utf-8"),
    help="YAML or JSON file with any of this, secrets too. - is standard input.",
)
@pass_settings
def set_(settings: Settings, /, storage: str, **given: Any) -> None:
    """Make or change the SNMP configuration of a storage; what is not given stays.

    Secrets come from --file, from DELPHIS_SNMP_COMMUNITY, DELPHIS_SNMP_AUTH_KEY and DELPHIS_SNMP_PRIVACY_KEY, or are
    asked for on a terminal; never from the command line.
    """
    file: IO[str] | None = given.pop("file")
    if file is not None and file.name == "<stdin>" and settings.token_file == "-":
        raise WrongSettings("--file - and --token-file - both want standard input")
    request = from_file(file, pb.PutSnmpConfigRequest())
    _set_options(request, given)
    _set_secrets(request)
    if not request.ByteSize():
        raise WrongSettings("nothing to change: `delphis alert-sources set --help` shows what there is")
    with connected(settings) as connection:
        request.storage_id = storage_id(connection, storage)
        timeout = max(settings.timeout, ARRAY_TIMEOUT)
        found = connection.call(service(connection).PutSnmpConfig, request, timeout=timeout)
    print_config(settings, found)


def _set_options(request: pb.PutSnmpConfigRequest, given: dict[str, Any]) -> None:
    for name, value in given.items():
        if value is None:
            continue
        field = request.DESCRIPTOR.fields_by_name[name]
        if name == "trap_receiver":
            host, colon, port = value.rpartition(":")
            if value and (not colon or not port.isdecimal()):
                raise WrongSettings("--trap-receiver: must be HOST:PORT")
            request.trap_receiver.host = host.strip("[]")
            request.trap_receiver.port = int(port or 0)
        elif field.enum_type is not None:
            setattr(request, name, cells.enum_number(field.enum_type, value))
        else:
            setattr(request, name, value)


def _set_secrets(request: pb.PutSnmpConfigRequest) -> None:
    """From the environment, or a terminal where the version that is set needs them."""
    version = cells.text(request, "version")
    level = cells.text(request, "security_level") if version == "SNMPv3" else None
    needed = _NEEDS.get((version, level), ())
    for name, (variable, words) in SECRETS.items():
        if request.HasField(name):  # type: ignore[arg-type]
            continue
        if secret := os.environ.get(variable):
            setattr(request, name, secret)
        elif name in needed and sys.stdin.isatty():
            setattr(request, name, str(click.prompt(words, hide_input=True, err=True)))


@alert_sources.command()
@click.argument("storage", metavar="STORAGE", shell_complete=complete_storage)
@pass_settings
def remove(settings: Settings, storage: str) -> None:
    """Remove the SNMP configuration of a storage; its array is told to send no more traps, if it was told to."""
    with connected(settings) as connection:
        request = pb.DeleteSnmpConfigRequest(storage_id=storage_id(connection, storage))
        timeout = max(settings.timeout, ARRAY_TIMEOUT)
        answer = connection.call(service(connection).DeleteSnmpConfig, request, timeout=timeout)
    if not print_message(settings, answer):
        click.echo(f"The SNMP configuration of {storage} is removed.")


def print_config(settings: Settings, found: pb.SnmpConfig) -> None:
    """All fields that are set."""
    if not print_message(settings, found):
        shown = [(field.name, cells.text(found, field.name)) for field in found.DESCRIPTOR.fields]
        print_fields((name.replace("_", " ").capitalize(), value) for name, value in shown if value != cells.UNSET)
