"""How messages look in JSON: SODA Delfin's way, or grpc-gateway's."""

from __future__ import annotations

from dataclasses import dataclass, replace

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor, FileDescriptor

from delphis.type.v1 import options_pb2

INT64_TYPES = frozenset(
    {
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_SINT64,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
    }
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The conventions of a JSON text."""

    delfin: bool
    """SODA Delfin's: snake_case, enum texts, unset as null, times without zone. Else protobuf's canonical JSON."""
    int64_text: bool
    """64-bit integers are strings."""

    def key(self, field: FieldDescriptor) -> str:
        """The field's name in objects."""
        return field.name if self.delfin else field.json_name


DELFIN = Dialect(delfin=True, int64_text=False)
STANDARD = Dialect(delfin=False, int64_text=True)


def exact(dialect: Dialect) -> Dialect:
    """The same with 64-bit integers as strings, for readers whose numbers are doubles."""
    return replace(dialect, int64_text=True)


def dialect_of(file: FileDescriptor) -> Dialect:
    """The conventions that a file declares for its methods."""
    declared = file.GetOptions().Extensions[options_pb2.dialect]
    return DELFIN if declared == options_pb2.DIALECT_DELFIN else STANDARD


def is_secret(field: FieldDescriptor) -> bool:
    """Whether the field's value, or a map's values, must not leave."""
    return bool(field.GetOptions().Extensions[options_pb2.secret])


def is_object_when_unset(field: FieldDescriptor) -> bool:
    """Whether SODA Delfin's dialect has `{}` for the field where it is unset, in place of null."""
    return bool(field.GetOptions().Extensions[options_pb2.empty_object])


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def enum_texts(enum: EnumDescriptor) -> dict[int, str | None]:
    """The text of each number as SODA Delfin has it; None for a number that means "not set"."""
    first = enum.values[0].name
    prefix = first.removesuffix("UNSPECIFIED") if first.endswith("_UNSPECIFIED") else ""
    texts: dict[int, str | None] = {}
    for value in enum.values:
        if value.number in texts:  # an alias: the first name counts
            continue
        if value.number == 0 and prefix:
            texts[0] = None
            continue
        texts[value.number] = value.GetOptions().Extensions[options_pb2.text] or value.name.removeprefix(prefix).lower()
    return texts
