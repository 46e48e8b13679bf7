"""`delphis audit`: who did what."""

from __future__ import annotations

from typing import Any

import click

from delphis.auth.v1 import auth_pb2, auth_pb2_grpc
from delphis.cli.connection import connected, pages
from delphis.cli.options import Group, pass_settings
from delphis.cli.output import Listing, limit_of, print_list
from delphis.cli.settings import Settings

LISTING = Listing(
    key="audit_entries",
    message=auth_pb2.AuditEntry,
    columns=("at", "caller", "method", "resource_id", "code", "reason", "peer"),
)


@click.group(cls=Group)
def audit() -> None:
    """Look at who did what."""


@audit.command("list")
@click.option("--filter", "expression", default="", metavar="EXPRESSION", help="Such as 'caller = ops'.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Entries to print. [default for tables: 1000]")
@click.option("--all", "everything", is_flag=True, help="Print all entries. [default but for tables]")
@click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas.")
@pass_settings
def list_entries(settings: Settings, expression: str, limit: int | None, everything: bool, columns: str | None) -> None:
    """List the calls that changed something or were refused, newest first."""
    LISTING.chosen(columns)
    wanted = limit_of(settings, limit, everything)
    request = auth_pb2.ListAuditEntriesRequest(filter=expression)
    with connected(settings) as connection:
        stub = auth_pb2_grpc.AuthServiceStub(connection.channel)
        found: Any = pages(connection, stub.ListAuditEntries, request, "audit_entries", wanted)
        print_list(settings, LISTING, found, columns=columns, limit=limit)
