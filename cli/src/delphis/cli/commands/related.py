"""`delphis related`: from a resource to what it lies on and what uses it."""

from __future__ import annotations

from typing import Any

import click

from delphis.cli.connection import connected, pages
from delphis.cli.options import Command, pass_settings
from delphis.cli.output import Listing, limit_of, print_list
from delphis.cli.settings import Settings
from delphis.inventory.v1 import relation_pb2, relation_pb2_grpc

LISTING = Listing(
    key="related",
    message=relation_pb2.RelatedResource,
    columns=("depth", "direction", "kind", "name", "native_id", "id", "relation"),
)


@click.command(cls=Command)
@click.argument("resource_id", metavar="ID")
@click.option(
    "--direction",
    type=click.Choice(["both", "up", "down"]),
    default="both",
    show_default=True,
    help="down: what it lies on. up: what uses it.",
)
@click.option("--depth", type=click.IntRange(1, 6), default=6, show_default=True, help="Steps to walk.")
@click.option("--kind", default="", help="Only this kind, singular, such as storage_host.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Items to print. [default for tables: 1000]")
@click.option("--all", "everything", is_flag=True, help="Print all items. [default but for tables]")
@click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas.")
@pass_settings
def related(
    settings: Settings,
    resource_id: str,
    direction: str,
    depth: int,
    kind: str,
    limit: int | None,
    everything: bool,
    columns: str | None,
) -> None:
    """Walk from a resource to what it lies on and what uses it.

    ID is that of a resource of any kind. What is nearest comes first.
    """
    LISTING.chosen(columns)
    wanted = limit_of(settings, limit, everything)
    request = relation_pb2.ListRelatedRequest(
        id=resource_id,
        direction=relation_pb2.RelationDirection.Value(f"RELATION_DIRECTION_{direction.upper()}"),
        depth=depth,
        kind=kind.replace("-", "_"),
    )
    with connected(settings) as connection:
        stub = relation_pb2_grpc.RelationServiceStub(connection.channel)
        found: Any = pages(connection, stub.ListRelated, request, "related", wanted)
        print_list(settings, LISTING, found, columns=columns, limit=limit)
