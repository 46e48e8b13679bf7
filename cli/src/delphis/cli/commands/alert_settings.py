"""`delphis alerts settings`: how the alerts service works."""

from __future__ import annotations

import click

from delphis.alert.v1 import alert_pb2 as pb
from delphis.alert.v1 import alert_pb2_grpc
from delphis.cli import cells
from delphis.cli.connection import connected
from delphis.cli.failures import WrongSettings
from delphis.cli.options import Group, pass_settings
from delphis.cli.output import print_message
from delphis.cli.settings import Settings
from delphis.cli.tables import print_fields

_SPANS = ("poll_interval", "retention", "snmp_check_interval", "full_within")


@click.group("settings", cls=Group)
def settings_group() -> None:
    """Show and change how the alerts service works."""


@settings_group.command("show")
@pass_settings
def show(settings: Settings) -> None:
    """Show the settings."""
    with connected(settings) as connection:
        stub = alert_pb2_grpc.AlertServiceStub(connection.channel)
        found = connection.call(stub.GetAlertSettings, pb.GetAlertSettingsRequest())
    _print(settings, found)


@settings_group.command("set")
@click.option("--poll-interval", metavar="TIME", help="Time between two polls of an array, such as 5m.")
@click.option("--retention", metavar="TIME", help="How long cleared alerts are kept, such as 90d.")
@click.option("--snmp-check-interval", metavar="TIME", help="Time between two checks that an array answers over SNMP.")
@click.option("--max-cleared", type=int, metavar="N", help="Cleared alerts that are kept at most.")
@click.option("--max-kept-traps", type=int, metavar="N", help="Traps that became no alert, and are kept.")
@click.option("--sync-failures", type=int, metavar="N", help="Failed syncs in a row that make an alert.")
@click.option("--missed-collections", type=int, metavar="N", help="Missed windows that make an alert; 0: none.")
@click.option("--full-within", metavar="TIME", help="What will be full so soon is an alert, such as 14d; 0: none.")
@click.option("--capacity-warning", type=float, metavar="SHARE", help="Used share that is worth a warning; 0: none.")
@click.option("--capacity-critical", type=float, metavar="SHARE", help="Used share that is critical; 0: none.")
@pass_settings
def set_(settings: Settings, /, **given: str | float | None) -> None:
    """Change what is given; the rest stays."""
    from delphis.cli.commands.storages import span

    values = {name: value for name, value in given.items() if value is not None}
    if not values:
        raise WrongSettings("nothing to change: `delphis alerts settings set --help` shows what there is")
    wanted = pb.AlertSettings()
    for name, value in values.items():
        if name in _SPANS:
            getattr(wanted, name).FromTimedelta(span(str(value), "--" + name.replace("_", "-")))
        else:
            setattr(wanted, name, value)
    with connected(settings) as connection:
        stub = alert_pb2_grpc.AlertServiceStub(connection.channel)
        found = connection.call(stub.UpdateAlertSettings, pb.UpdateAlertSettingsRequest(settings=wanted))
    _print(settings, found)


def _print(settings: Settings, found: pb.AlertSettings) -> None:
    if not print_message(settings, found):
        # A share of a capacity is no capacity.
        texts = {name: str(getattr(found, name)) for name in ("capacity_warning", "capacity_critical")}
        names = [field.name for field in found.DESCRIPTOR.fields]
        print_fields(
            (name.replace("_", " ").capitalize(), texts[name] if name in texts else cells.text(found, name))
            for name in names
        )
