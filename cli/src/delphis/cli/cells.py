"""Fields of messages: as texts for people, exactly for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from delphis.type.v1 import options_pb2

if TYPE_CHECKING:
    import google._upb._message as upb
    from google.protobuf import descriptor

    # Generated messages have descriptors of the C library, or of Python where that is missing.
    Descriptor: TypeAlias = descriptor.Descriptor | upb.Descriptor
    EnumDescriptor: TypeAlias = descriptor.EnumDescriptor | upb.EnumDescriptor
    FieldDescriptor: TypeAlias = descriptor.FieldDescriptor | upb.FieldDescriptor

UNSET = "-"
_REPEATED = 3  # FieldDescriptor.LABEL_REPEATED, for protobuf releases that have no is_repeated
_SHOWN_ITEMS = 3


@cache
def is_repeated(field: FieldDescriptor) -> bool:
    # Older releases of protobuf have a label in its place, which newer ones warn about.
    any_field: Any = field
    return bool(field.is_repeated if hasattr(field, "is_repeated") else any_field.label == _REPEATED)


@cache
def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


@cache
def is_secret(field: FieldDescriptor) -> bool:
    options: Any = field.GetOptions()
    return bool(options.Extensions[options_pb2.secret])


@cache
def enum_text(enum: EnumDescriptor, number: int) -> str:
    """The value's text on the wire; "unknown" for a number that this version does not know, "-" for unset."""
    value = enum.values_by_number.get(number)
    if value is None:
        return "unknown"
    if number == 0:
        return UNSET
    options: Any = value.GetOptions()
    if text := options.Extensions[options_pb2.text]:
        return cast("str", text)
    return value.name.removeprefix(enum.values_by_number[0].name.removesuffix("UNSPECIFIED")).lower()


def enum_number(enum: EnumDescriptor, text: str) -> int | None:
    """The value whose text this is, in any case; None where there is none."""
    for number in enum.values_by_number:
        if number > 1 and enum_text(enum, number).lower() == text.lower():
            return number
    return None


def plain(message: Message) -> dict[str, Any]:
    """The message as JSON knows it: names of the contract, texts of enums, exact integers, UTC times.

    What is not set is left out. So are secrets, whatever the server sent.
    """
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        if is_secret(field) or (field.has_presence and not message.HasField(field.name)):
            continue
        found[field.name] = exact(field, getattr(message, field.name))
    return found


def exact(field: FieldDescriptor, value: Any) -> Any:
    """A field's value as JSON knows it."""
    if is_map(field):
        return {key: plain(item) if isinstance(item, Message) else item for key, item in sorted(value.items())}
    if is_repeated(field):
        return [_exact_one(field, item) for item in value]
    return _exact_one(field, value)


def _exact_one(field: FieldDescriptor, value: Any) -> Any:
    if isinstance(value, Timestamp):
        return value.ToJsonString()
    if isinstance(value, Duration):
        return value.ToJsonString()
    if isinstance(value, Struct):
        from google.protobuf import json_format

        return json_format.MessageToDict(value)
    if isinstance(value, Message):
        return plain(value)
    if field.enum_type is not None:
        text = enum_text(field.enum_type, value)
        return None if text == UNSET else text
    if isinstance(value, bytes):
        return value.hex()
    return value


def look_up(message: Message, path: str) -> tuple[FieldDescriptor | None, Any]:
    """The field at a path such as `name`, `labels.site` or `pause.reason`, and its value; None where it is unset."""
    name, _, rest = path.partition(".")
    field = message.DESCRIPTOR.fields_by_name[name]
    if is_secret(field) or (field.has_presence and not message.HasField(name)):
        return field, None
    value = getattr(message, name)
    if not rest:
        return field, value
    if is_map(field):
        assert field.message_type is not None
        return field.message_type.fields_by_name["value"], value.get(rest)
    return look_up(value, rest)


def has_path(descriptor: Descriptor, path: str) -> bool:
    """Whether messages of the type may have something there."""
    name, _, rest = path.partition(".")
    field = descriptor.fields_by_name.get(name)
    if field is None or is_secret(field):
        return False
    if not rest:
        return True
    if is_map(field):
        return True
    if field.message_type is None or is_repeated(field):
        return False
    return has_path(field.message_type, rest)


def exact_cell(message: Message, path: str) -> Any:
    """The value at a path for JSON, YAML and CSV; None where it is unset."""
    field, value = look_up(message, path)
    if value is None or field is None:
        return None
    return exact(field, value)


def csv_text(value: Any) -> str:
    """An exact value in one cell of a CSV file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ";".join(f"{key}={csv_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ";".join(csv_text(item) for item in value)
    return str(value)


def text(message: Message, path: str) -> str:
    """The value at a path as people read it; "-" if it is not set."""
    field, value = look_up(message, path)
    if value is None or field is None:
        return UNSET
    if is_map(field):
        return _some([f"{key}={item}" for key, item in sorted(value.items())])
    if is_repeated(field):
        return _some([_one(field, item) for item in value])
    return _one(field, value)


def _some(items: Iterable[str]) -> str:
    shown = list(items)
    if len(shown) > _SHOWN_ITEMS:
        shown = [*shown[:_SHOWN_ITEMS], f"(+{len(shown) - _SHOWN_ITEMS})"]
    return ", ".join(shown) or UNSET


def _one(field: FieldDescriptor, value: Any) -> str:
    if isinstance(value, Timestamp):
        return moment(value)
    if isinstance(value, Duration):
        return span(value.ToTimedelta().total_seconds())
    if isinstance(value, Message):
        return ", ".join(f"{key}={csv_text(item)}" for key, item in plain(value).items()) or UNSET
    if field.enum_type is not None:
        return enum_text(field.enum_type, value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and (unit := unit_of(field)):
        return speed(value) if unit == "bit/s" else size(value)
    return str(value) if value != "" else UNSET


@cache
def unit_of(field: FieldDescriptor) -> str:
    """`B` or `bit/s` where the field's number has that unit; the contract's names tell it."""
    if "capacity" in field.name or field.name in {"memory_size", "memory_bytes"}:
        return "B"
    owner = field.containing_type
    if field.name in {"speed", "max_speed"} and owner is not None and owner.name == "Port":
        return "bit/s"
    return ""


def moment(stamp: Timestamp) -> str:
    return stamp.ToDatetime().strftime("%Y-%m-%d %H:%M:%SZ")


def size(count: float) -> str:
    """Bytes in the largest binary unit that leaves at least 1."""
    left = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if abs(left) < 1024:
            return f"{left:.0f} {unit}" if unit == "B" else f"{left:.1f} {unit}"
        left /= 1024
    return f"{left:.1f} EiB"


def speed(bits: float) -> str:
    """Bits per second in the largest decimal unit that leaves at least 1."""
    left = float(bits)
    for unit in ("bit/s", "kbit/s", "Mbit/s", "Gbit/s"):
        if abs(left) < 1000:
            return f"{left:g} {unit}"
        left /= 1000
    return f"{left:g} Tbit/s"


def span(seconds: float) -> str:
    """A length of time."""
    for size_, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size_ and seconds % size_ == 0:
            return f"{seconds / size_:.0f} {unit}"
    return f"{seconds:g} s"
