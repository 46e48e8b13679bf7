"""`delphis alerts unmatched` and `delphis trap-receiver`: traps that became no alert, and how their receiver does."""

from __future__ import annotations

from typing import Any

import click

from delphis.alert.v1 import trap_pb2 as pb
from delphis.alert.v1 import trap_pb2_grpc
from delphis.cli import cells
from delphis.cli.connection import connected, pages
from delphis.cli.options import Command, pass_settings
from delphis.cli.output import Listing, limit_of, print_list, print_message
from delphis.cli.settings import Settings
from delphis.cli.tables import print_fields, print_table

STATES = ("waiting", "unmatched", "ambiguous", "refused", "unparsed")


def said(trap: pb.KeptTrap) -> str:
    """What the trap announces."""
    return trap.trap.trap_oid or "-"


LISTING = Listing(
    key="traps",
    message=pb.KeptTrap,
    columns=("number", "received_at", "state", "source_address", "storage_id", "trap_oid", "problem"),
    computed={"trap_oid": said},
)


@click.command(cls=Command)
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--from", "source", metavar="ADDRESS", help="Only those that this address sent.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Traps to print. [default for tables: 1000]")
@click.option("--all", "everything", is_flag=True, help="Print all traps. [default but for tables]")
@click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas.")
@pass_settings
def unmatched(
    settings: Settings, state: str | None, source: str | None, limit: int | None, everything: bool, columns: str | None
) -> None:
    """List the traps that became no alert, newest first, and why."""
    from delphis.cli.names import quoted

    LISTING.chosen(columns)
    wanted = limit_of(settings, limit, everything)
    parts = [f"state = {state}"] if state else []
    if source:
        parts.append(f"source_address = {quoted(source)}")
    with connected(settings) as connection:
        stub = trap_pb2_grpc.TrapServiceStub(connection.channel)
        found: Any = pages(connection, stub.ListTraps, pb.ListTrapsRequest(filter=" AND ".join(parts)), "traps", wanted)
        print_list(settings, LISTING, found, columns=columns, limit=limit)


@click.command("trap-receiver", cls=Command)
@pass_settings
def trap_receiver(settings: Settings) -> None:
    """Show where traps are received, what came, and what was lost."""
    with connected(settings) as connection:
        stub = trap_pb2_grpc.TrapServiceStub(connection.channel)
        found = connection.call(stub.GetTrapReceiver, pb.GetTrapReceiverRequest())
    if print_message(settings, found):
        return
    names = [field.name for field in found.DESCRIPTOR.fields if field.name not in ("counts", "held_back")]
    print_fields((name.replace("_", " ").capitalize(), cells.text(found, name)) for name in names)
    click.echo()
    if found.held_back:
        shares = [[held.source_address, f"{held.share:.2%}"] for held in found.held_back]
        print_table(("HELD BACK", "LET IN"), shares)
        click.echo()
    print_table(("COUNT", "SINCE THE START"), [[count.name, str(count.count)] for count in found.counts])
