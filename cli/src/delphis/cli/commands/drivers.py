"""`delphis drivers`: which drivers exist, and what their hosts do."""

from __future__ import annotations

import click

from delphis.cli.cells import UNSET, size, text
from delphis.cli.connection import Connection, connected
from delphis.cli.names import complete_storage, storage_id
from delphis.cli.options import Group, pass_settings
from delphis.cli.output import Listing, print_list, print_message
from delphis.cli.settings import Settings
from delphis.cli.tables import print_fields, print_table
from delphis.cli.texts import printable
from delphis.registry.v1 import registry_pb2, registry_pb2_grpc

RESTART_TIMEOUT = 65.0  # seconds; answers when the new hosts serve


@click.group(cls=Group)
def drivers() -> None:
    """Look at drivers and the processes that serve them."""


def registry(connection: Connection) -> registry_pb2_grpc.RegistryServiceStub:
    return registry_pb2_grpc.RegistryServiceStub(connection.channel)


def serving(driver: registry_pb2.Driver) -> str:
    """How many hosts serve."""
    return str(sum(host.state == registry_pb2.HOST_STATE_SERVING for host in driver.hosts))


def pair_text(pair: registry_pb2.ServedPair) -> str:
    if not pair.conflicts_with:
        return f"{pair.vendor} {pair.model}"
    others = ", ".join(pair.conflicts_with)
    return f"{pair.vendor} {pair.model} ({'in use' if pair.in_use else 'not in use'}, conflicts with {others})"


def pairs_text(driver: registry_pb2.Driver) -> str:
    """Vendors and models."""
    return ", ".join(pair_text(pair) for pair in driver.serves)


def why(driver: registry_pb2.Driver) -> str:
    """What is wrong with it in a line; `drivers show` has the rest, such as a traceback."""
    return driver.error.partition("\n")[0] or UNSET


LISTING = Listing(
    key="drivers",
    message=registry_pb2.Driver,
    columns=("name", "version", "vendor_and_model", "state", "serving", "source", "error"),
    computed={"vendor_and_model": pairs_text, "serving": serving, "error": why},
)


@drivers.command("list")
@pass_settings
def list_drivers(settings: Settings) -> None:
    """List all drivers, with those that can't be used and why."""
    with connected(settings) as connection:
        found = connection.call(registry(connection).ListDrivers, registry_pb2.ListDriversRequest())
    print_list(settings, LISTING, [(found.drivers, False)])


@drivers.command()
@click.argument("name")
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show one driver: its hosts, and what it wants to know to reach an array."""
    with connected(settings) as connection:
        driver = connection.call(registry(connection).GetDriver, registry_pb2.GetDriverRequest(name=name))
    if not print_message(settings, driver):
        print_driver(driver)


@drivers.command()
@click.argument("name")
@click.argument("vendor")
@click.argument("model")
@pass_settings
def prefer(settings: Settings, name: str, vendor: str, model: str) -> None:
    """Use driver NAME for VENDOR and MODEL, where several drivers serve them."""
    request = registry_pb2.PreferDriverRequest(name=name, vendor=vendor, model=model)
    with connected(settings) as connection:
        driver = connection.call(registry(connection).PreferDriver, request)
    if not print_message(settings, driver):
        print_driver(driver)


@drivers.command()
@click.argument("name")
@pass_settings
def restart(settings: Settings, name: str) -> None:
    """Replace the driver's hosts by new ones; running calls are finished first."""
    with connected(settings) as connection:
        driver = connection.call(
            registry(connection).RestartDriver,
            registry_pb2.RestartDriverRequest(name=name),
            timeout=max(settings.timeout, RESTART_TIMEOUT),
        )
    if not print_message(settings, driver):
        print_driver(driver)


def print_driver(driver: registry_pb2.Driver) -> None:
    fields = [
        ("Driver", driver.name),
        ("Version", driver.version or "-"),
        ("Serves", pairs_text(driver)),
        ("State", text(driver, "state")),
        ("From", f"{text(driver, 'source')} {driver.origin}"),
        ("Restarts", str(driver.restarts)),
    ]
    if driver.error:
        fields.append(("Why", why(driver)))
    print_fields(fields)
    if "\n" in driver.error:
        click.echo()
        for line in driver.error.splitlines()[1:]:
            click.echo(printable(line))
    if driver.hosts:
        click.echo()
        print_table(
            ["HOST", "STATE", "PID", "STARTED", "CALLS", "MEMORY", "WHY"],
            (
                [
                    host.endpoint,
                    text(host, "state") + (" (probation)" if host.probation else ""),
                    str(host.pid or "-"),
                    text(host, "started_at"),
                    str(host.calls_in_flight),
                    size(host.memory_bytes) if host.memory_bytes else "-",
                    host.exit or host.error or "-",
                ]
                for host in driver.hosts
            ),
        )
    if driver.access_fields:
        click.echo()
        print_table(
            ["ACCESS FIELD", "REQUIRED", "DEFAULT", "WHAT IT IS"],
            (
                [field.path, text(field, "required"), text(field, "default_value"), field.description]
                for field in driver.access_fields
            ),
        )


@click.group(cls=Group)
def quarantines() -> None:
    """Look at arrays that killed driver hosts.

    A host that dies makes suspects of the arrays whose calls were running. One that kills again is quarantined.
    """


QUARANTINES = Listing(
    key="quarantines",
    message=registry_pb2.Quarantine,
    columns=("storage_id", "driver", "state", "since", "until", "deaths", "last_exit"),
)


@quarantines.command("list")
@pass_settings
def list_quarantines(settings: Settings) -> None:
    """List the arrays that are suspected, on probation or in quarantine."""
    with connected(settings) as connection:
        found = connection.call(registry(connection).ListQuarantines, registry_pb2.ListQuarantinesRequest())
    print_list(settings, QUARANTINES, [(found.quarantines, False)])


@quarantines.command()
@click.argument("storage", metavar="STORAGE", shell_complete=complete_storage)
@pass_settings
def release(settings: Settings, storage: str) -> None:
    """End an array's quarantine; it stays on probation."""
    with connected(settings) as connection:
        request = registry_pb2.ReleaseQuarantineRequest(storage_id=storage_id(connection, storage))
        released = connection.call(registry(connection).ReleaseQuarantine, request)
    print_list(settings, QUARANTINES, [([released], False)])
