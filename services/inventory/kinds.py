"""The kinds of resources: what the contract says about each, and the table where it is stored.

Everything follows from the message: its `resource` option names the kind, field 1 is the native id, field 2 the name,
field 3 (where it is `wwn` or `serial_number`) the identity that tells a replacement, `references` make relations. The
table's columns are fields of the message. So a further kind is one message, one table, one line in `KINDS` below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, cast

import xxhash
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from sqlalchemy import Table

from delphis.type.v1 import block_pb2, file_pb2, hardware_pb2, host_pb2, options_pb2
from services.inventory.schema import resources as tables
from services.listing.values import enum_numbers

CORE_FIELDS = 200
"""Fields from this number on belong to the core and are stripped from what a driver sends."""
STORAGE = "storage"
"""The name of the array itself, where a kind is named."""

_NORMALISER = 1
"""Grows when what we make of a driver's bytes changes: all rows are then written anew, without change events."""
_OWN_COLUMNS = {"seq", "storage_no", "digest", "id", "native_id", "name", "updated_at", "missing", "body"}
_TYPES: Mapping[int, Literal["text", "enum", "number"]] = {
    FieldDescriptor.TYPE_STRING: "text",
    FieldDescriptor.TYPE_ENUM: "enum",
    FieldDescriptor.TYPE_INT64: "number",
}
"""What kind of column a field has."""
_IDENTITIES = {"wwn", "serial_number"}


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the message that has a column of its own."""

    name: str
    type: Literal["text", "enum", "number"]
    numbers: Mapping[str, int]
    """Of an enum: the numbers by text, in lower case."""
    indexed: bool
    """It is in an index, so that writing it costs more."""
    leading: bool
    """An index has it first behind the storage."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A field that holds native ids of another kind."""

    field: str
    kind: str
    """The kind that is referred to."""
    repeated: bool


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of resources."""

    message: type[Message]
    table: Table
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names under which fields may also be filtered and ordered by."""

    @property
    def descriptor(self) -> Descriptor:
        """The message's descriptor."""
        return cast("Descriptor", self.message.DESCRIPTOR)

    @cached_property
    def name(self) -> str:
        """Singular, as in `storage_pool`."""
        return str(self.descriptor.GetOptions().Extensions[options_pb2.resource].kind)

    @cached_property
    def plural(self) -> str:
        """As in `storage_pools`, the name of the table too."""
        return str(self.descriptor.GetOptions().Extensions[options_pb2.resource].plural)

    @cached_property
    def rpc(self) -> str:
        """The plural as in names of methods: `StoragePools` in `ListStoragePools`."""
        return "".join(word.capitalize() for word in self.plural.split("_"))

    @cached_property
    def not_found(self) -> str:
        """The reason of the error that no resource of this kind has an id."""
        return f"{self.name.upper()}_NOT_FOUND"

    @cached_property
    def native_field(self) -> str:
        """The field that is the native id."""
        return str(self.descriptor.fields_by_number[1].name)

    @cached_property
    def identity_field(self) -> str | None:
        """The field by which a replacement under the same native id is told."""
        found = self.descriptor.fields_by_number.get(3)
        return found.name if found is not None and found.name in _IDENTITIES else None

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are fields of the message, beside native id and name, in the table's order."""
        found: list[Column] = []
        indexed = {column.name for index in self.table.indexes for column in index.columns}
        for column in self.table.columns:
            if column.name in _OWN_COLUMNS:
                continue
            described = self.descriptor.fields_by_name[column.name]
            found.append(
                Column(
                    name=column.name,
                    type=_TYPES[described.type],
                    numbers=_numbers(described) if described.type == FieldDescriptor.TYPE_ENUM else {},
                    indexed=column.name in indexed,
                    leading="index" in column.info,
                )
            )
        return tuple(found)

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """The fields that refer to other kinds."""
        return tuple(
            Reference(found.name, found.GetOptions().Extensions[options_pb2.references], found.is_repeated)
            for found in self.descriptor.fields
            if found.GetOptions().Extensions[options_pb2.references]
        )

    @cached_property
    def indexed_fields(self) -> frozenset[str]:
        """The fields whose columns are in an index, so that writing them costs more."""
        return frozenset({self.native_field, "name", *(column.name for column in self.columns if column.indexed)})

    @cached_property
    def seed(self) -> int:
        """What digests of rows begin with: another value for another schema or treatment of the message."""
        fields = sorted(
            (found.number, found.name, found.type, found.is_repeated)
            for found in self.descriptor.fields
            if found.number < CORE_FIELDS
        )
        columns = [(column.name, column.type, sorted(column.numbers.items())) for column in self.columns]
        return xxhash.xxh3_64_intdigest(repr((_NORMALISER, fields, columns)).encode())


def _numbers(described: FieldDescriptor) -> dict[str, int]:
    assert described.enum_type is not None
    return enum_numbers(described.enum_type)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(block_pb2.StoragePool, tables.storage_pools),
        Kind(block_pb2.Volume, tables.volumes),
        Kind(hardware_pb2.Controller, tables.controllers),
        Kind(
            hardware_pb2.Port,
            tables.ports,
            aliases={"status": "health_status", "native_controller_id": "native_parent_id"},
        ),
        Kind(hardware_pb2.Disk, tables.disks),
        Kind(file_pb2.Filesystem, tables.filesystems),
        Kind(file_pb2.Qtree, tables.qtrees),
        Kind(file_pb2.Quota, tables.quotas),
        Kind(file_pb2.Share, tables.shares),
        Kind(host_pb2.StorageHostInitiator, tables.storage_host_initiators),
        Kind(host_pb2.StorageHost, tables.storage_hosts),
        Kind(host_pb2.StorageHostGroup, tables.storage_host_groups),
        Kind(hardware_pb2.PortGroup, tables.port_groups),
        Kind(block_pb2.VolumeGroup, tables.volume_groups),
        Kind(
            host_pb2.MaskingView,
            tables.masking_views,
            aliases={
                "native_storage_port_group_id": "native_port_group_id",
                "native_storage_volume_group_id": "native_volume_group_id",
            },
        ),
    )
}
