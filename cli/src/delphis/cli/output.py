"""Answers as tables for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import cast

import click
from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from delphis.type.v1 import options_pb2

UNSET = "-"


def print_json(message: Message) -> None:
    """protobuf's own JSON with the contract's field names: 64-bit integers are strings."""
    click.echo(json.dumps(MessageToDict(message, preserving_proto_field_name=True), indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 10_000  # a pipe has no edge: programs such as grep get whole lines
    console.print(table)


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    for name, value in fields:
        click.echo(f"{name + ':':22}{value}")


def enum_text(enum: EnumDescriptor, number: int) -> str:
    """The value's text on the wire; "unknown" for a number that this version does not know."""
    value = enum.values_by_number.get(number)
    if value is None:
        return "unknown"
    if number == 0:
        return UNSET
    if text := value.GetOptions().Extensions[options_pb2.text]:
        return text
    return value.name.removeprefix(enum.values_by_number[0].name.removesuffix("UNSPECIFIED")).lower()


def text(message: Message, name: str) -> str:
    """The field as a cell of a table; "-" if it is not set."""
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.has_presence and not message.HasField(name):
        return UNSET
    value = getattr(message, name)
    if isinstance(value, Timestamp):
        return moment(value)
    if field.enum_type is not None:
        return enum_text(cast("EnumDescriptor", field.enum_type), value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value != "" else UNSET


def moment(stamp: Timestamp) -> str:
    return stamp.ToDatetime().strftime("%Y-%m-%d %H:%M:%SZ")


def capacity(message: Message, name: str) -> str:
    """Bytes in the largest binary unit that leaves at least 1."""
    if not message.HasField(name):
        return UNSET
    size = float(getattr(message, name))
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} PiB"
