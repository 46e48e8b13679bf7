"""Messages seen as bytes: a batch without parsing its items, an item without the core's fields.

Both are twins of contract messages, built from descriptors in a pool of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message import Message

from services.inventory.kinds import CORE_FIELDS, KINDS, Kind

_PACKAGE = "delphis.twin"
_pool = descriptor_pool.DescriptorPool()


def _load(message: descriptor_pb2.DescriptorProto, *uses: str) -> type[Message]:
    file = descriptor_pb2.FileDescriptorProto(
        name=_file(message.name),
        package=_PACKAGE,
        syntax="proto3",
        message_type=[message],
        dependency=map(_file, uses),
    )
    _pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.{message.name}"))


def _file(name: str) -> str:
    return f"{_PACKAGE}.{name}.proto"


def _batch() -> type[Message]:
    """As every List…Response of StorageDriver, with items and warnings as bytes."""
    message = descriptor_pb2.DescriptorProto(name="Batch")
    repeated, optional = FieldDescriptorProto.LABEL_REPEATED, FieldDescriptorProto.LABEL_OPTIONAL
    for number, name, label, type_ in (
        (1, "items", repeated, FieldDescriptorProto.TYPE_BYTES),
        (2, "complete", optional, FieldDescriptorProto.TYPE_BOOL),
        (3, "warnings", repeated, FieldDescriptorProto.TYPE_BYTES),
    ):
        message.field.add(number=number, name=name, label=label, type=type_)
    return _load(message)


def _driver_part(kind: Kind) -> type[Message]:
    """The kind's message with nothing but what a driver may set: everything else is unknown, and can be discarded.

    Enums become int32, so that an unlisted number needs no care.
    """
    whole = descriptor_pb2.DescriptorProto()
    kind.message.DESCRIPTOR.CopyToProto(whole)
    part = descriptor_pb2.DescriptorProto(name=whole.name, nested_type=whole.nested_type)
    for field in whole.field:
        if field.number >= CORE_FIELDS:
            continue
        twin = part.field.add()
        twin.CopyFrom(field)
        twin.ClearField("options")
        if field.HasField("oneof_index"):  # the synthetic one of `optional`
            twin.oneof_index = len(part.oneof_decl)
            part.oneof_decl.add(name=whole.oneof_decl[field.oneof_index].name)
        if field.type == FieldDescriptorProto.TYPE_ENUM:
            twin.type = FieldDescriptorProto.TYPE_INT32
            twin.ClearField("type_name")
        elif field.type == FieldDescriptorProto.TYPE_MESSAGE:
            entry = field.type_name.rpartition(".")[2]
            if entry not in {nested.name for nested in whole.nested_type}:
                raise TypeError(f"{kind.name}.{field.name}: a resource holds scalars and maps only")
            twin.type_name = f".{_PACKAGE}.{whole.name}.{entry}"
    return _load(part)


Batch: Any = _batch()
"""`items` and `warnings` are bytes, `complete` a bool."""


_parts: dict[str, Any] = {}


def driver_part_class(kind: Kind) -> Any:
    """The class of the kind's driver part."""
    found = _parts.get(kind.name)
    if found is None:
        found = _parts[kind.name] = _driver_part(KINDS[kind.name])
    return found


@cache
def _driver_parts_class(kind: str) -> Any:
    """The class of a message whose `items` are driver parts of a kind."""
    part = driver_part_class(KINDS[kind]).DESCRIPTOR
    message = descriptor_pb2.DescriptorProto(name=f"{part.name}Parts")
    message.field.add(
        number=1,
        name="items",
        label=FieldDescriptorProto.LABEL_REPEATED,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=f".{part.full_name}",
    )
    return _load(message, part.name)


def driver_parts(kind: str, items: Sequence[bytes]) -> Any:
    """A message whose `items` are the driver parts of serialised messages of a kind.

    All in one message: one by one they take three times as long to read, and to write.

    Raises:
        DecodeError: one of them is no message of the kind.
    """
    whole = _driver_parts_class(kind).FromString(Batch(items=items).SerializeToString())
    whole.DiscardUnknownFields()
    return whole


def canonical(whole: Any) -> list[bytes]:
    """The canonical bytes of each of the `items` of a message."""
    return list(Batch.FromString(whole.SerializeToString(deterministic=True)).items)
