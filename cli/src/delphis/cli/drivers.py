"""`delphis drivers`: which drivers exist, and what their hosts do."""

from __future__ import annotations

import click

from delphis.cli.connection import Connection, connected
from delphis.cli.output import print_fields, print_table, text
from delphis.cli.settings import Settings
from delphis.registry.v1 import registry_pb2, registry_pb2_grpc

RESTART_TIMEOUT = 65.0  # seconds; answers when the new hosts serve


@click.group()
def drivers() -> None:
    """Look at drivers and the processes that serve them."""


def registry(connection: Connection) -> registry_pb2_grpc.RegistryServiceStub:
    return registry_pb2_grpc.RegistryServiceStub(connection.channel)


@drivers.command("list")
@click.pass_obj
def list_drivers(settings: Settings) -> None:
    """List all drivers, with those that can't be used and why."""
    with connected(settings) as connection:
        found = connection.call(registry(connection).ListDrivers, registry_pb2.ListDriversRequest())
    if not settings.show(found):
        print_table(
            ["DRIVER", "VERSION", "VENDOR AND MODEL", "STATE", "HOSTS", "FROM", "WHY"],
            (
                [
                    driver.name,
                    driver.version or "-",
                    ", ".join(pair_text(pair) for pair in driver.serves),
                    text(driver, "state"),
                    str(sum(host.state == registry_pb2.HOST_STATE_SERVING for host in driver.hosts)),
                    text(driver, "source"),
                    driver.error,
                ]
                for driver in found.drivers
            ),
        )


@drivers.command()
@click.argument("name")
@click.pass_obj
def show(settings: Settings, name: str) -> None:
    """Show one driver: its hosts, and what it wants to know to reach an array."""
    with connected(settings) as connection:
        driver = connection.call(registry(connection).GetDriver, registry_pb2.GetDriverRequest(name=name))
    if not settings.show(driver):
        print_driver(driver)


@drivers.command()
@click.argument("name")
@click.argument("vendor")
@click.argument("model")
@click.pass_obj
def prefer(settings: Settings, name: str, vendor: str, model: str) -> None:
    """Use driver NAME for VENDOR and MODEL, where several drivers serve them."""
    request = registry_pb2.PreferDriverRequest(name=name, vendor=vendor, model=model)
    with connected(settings) as connection:
        driver = connection.call(registry(connection).PreferDriver, request)
    if not settings.show(driver):
        print_driver(driver)


@drivers.command()
@click.argument("name")
@click.pass_obj
def restart(settings: Settings, name: str) -> None:
    """Replace the driver's hosts by new ones; running calls are finished first."""
    with connected(settings) as connection:
        driver = connection.call(
            registry(connection).RestartDriver,
            registry_pb2.RestartDriverRequest(name=name),
            timeout=max(settings.timeout, RESTART_TIMEOUT),
        )
    if not settings.show(driver):
        print_driver(driver)


def pair_text(pair: registry_pb2.ServedPair) -> str:
    if not pair.conflicts_with:
        return f"{pair.vendor} {pair.model}"
    others = ", ".join(pair.conflicts_with)
    return f"{pair.vendor} {pair.model} ({'in use' if pair.in_use else 'not in use'}, conflicts with {others})"


def print_driver(driver: registry_pb2.Driver) -> None:
    fields = [
        ("Driver", driver.name),
        ("Version", driver.version or "-"),
        ("Serves", ", ".join(pair_text(pair) for pair in driver.serves)),
        ("State", text(driver, "state")),
        ("From", f"{text(driver, 'source')} {driver.origin}"),
        ("Restarts", str(driver.restarts)),
    ]
    if driver.error:
        fields.append(("Why", driver.error))
    print_fields(fields)
    if driver.hosts:
        click.echo()
        print_table(
            ["HOST", "STATE", "PID", "STARTED", "CALLS", "ENDED BY"],
            (
                [
                    host.endpoint,
                    text(host, "state") + (" (probation)" if host.probation else ""),
                    str(host.pid or "-"),
                    text(host, "started_at"),
                    str(host.calls_in_flight),
                    host.exit or "-",
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
