"""Random messages of any type, and what json_format makes of them in the gateway's dialects."""

from __future__ import annotations

import datetime
from typing import Any, cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from delphis.type.v1 import options_pb2

INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def is_secret(field: FieldDescriptor) -> bool:
    options: Any = field.GetOptions()
    return bool(options.Extensions[options_pb2.secret]) and not is_map(field)


def unset_is_object(field: FieldDescriptor) -> bool:
    options: Any = field.GetOptions()
    return bool(options.Extensions[options_pb2.empty_object])


def scalars(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.cpp_type in INTEGERS:
        low, high = INTEGERS[field.cpp_type]
        return st.integers(low, high) | st.sampled_from((0, 1, low, high))
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        assert field.enum_type is not None
        return st.sampled_from([value.number for value in field.enum_type.values])
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return TEXT if field.type == FieldDescriptor.TYPE_STRING else st.binary(max_size=8)
    return st.floats(allow_nan=False, width=32 if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT else 64)


def timestamps() -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(-62135596800, 253402300799), st.sampled_from((0, 1000, 328319000, 500_000_000)))


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, depth: int = 3) -> Message:
    """A message whose fields are set, or not, at random."""
    message: Any = GetMessageClass(descriptor)()
    if descriptor.full_name == "google.protobuf.Timestamp":
        message.seconds, message.nanos = draw(timestamps())
        return cast(Message, message)
    if descriptor.full_name == "google.protobuf.Duration":
        message.seconds, message.nanos = draw(st.tuples(st.integers(0, 10**9), st.sampled_from((0, 10**6, 10**3, 1))))
        return cast(Message, message)
    if descriptor.full_name == "google.protobuf.FieldMask":
        message.paths.extend(draw(st.lists(st.sampled_from(("name", "display_name", "a.b_c")), max_size=2)))
        return cast(Message, message)
    for field in descriptor.fields:
        if depth == 0 and field.message_type is not None and not is_map(field):
            continue
        if draw(st.booleans()):
            _fill(draw, message, field, depth)
    return cast(Message, message)


def _fill(draw: st.DrawFn, message: Any, field: FieldDescriptor, depth: int) -> None:
    target = getattr(message, field.name)
    if is_map(field):
        entry = field.message_type
        assert entry is not None
        value = entry.fields_by_name["value"]
        for key in draw(st.lists(scalars(entry.fields_by_name["key"]), max_size=2)):
            if value.message_type is not None:
                target[key].CopyFrom(draw(messages(value.message_type, depth - 1)))
            else:
                target[key] = draw(scalars(value))
    elif field.is_repeated and field.message_type is not None:
        target.extend(draw(st.lists(messages(field.message_type, depth - 1), max_size=2)))
    elif field.is_repeated:
        target.extend(draw(st.lists(scalars(field), max_size=3)))
    elif field.message_type is not None:
        target.CopyFrom(draw(messages(field.message_type, depth - 1)))
        target.SetInParent()
    else:
        setattr(message, field.name, draw(scalars(field)))


def oracle(message: Message, *, delfin: bool, int64_text: bool) -> Any:
    """The message in JSON, made by json_format and then rewritten by the dialect's rules."""
    plain = json_format.MessageToDict(
        message, preserving_proto_field_name=delfin, always_print_fields_with_no_presence=True
    )
    return _rewritten(plain, message, delfin=delfin, int64_text=int64_text)


def _rewritten(plain: dict[str, Any], message: Any, **dialect: bool) -> dict[str, Any]:
    rewritten: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        key = field.name if dialect["delfin"] else field.json_name
        if is_secret(field):
            continue
        if key not in plain:
            there_as_null = dialect["delfin"] or field.containing_oneof is None
            if there_as_null:
                rewritten[key] = {} if dialect["delfin"] and unset_is_object(field) else None
            continue
        value, actual = plain[key], getattr(message, field.name)
        if is_map(field):
            item = field.message_type.fields_by_name["value"]
            keys = {str(name).lower() if isinstance(name, bool) else str(name): name for name in actual}
            rewritten[key] = {name: _value(value[name], item, actual[keys[name]], **dialect) for name in value}
        elif field.is_repeated:
            rewritten[key] = [_value(*pair[:1], field, pair[1], **dialect) for pair in zip(value, actual, strict=True)]
        else:
            rewritten[key] = _value(value, field, actual, **dialect)
    return rewritten


def _value(value: Any, field: FieldDescriptor, actual: Any, *, delfin: bool, int64_text: bool) -> Any:
    if field.message_type is not None:
        name = field.message_type.full_name
        if name == "google.protobuf.Timestamp" and delfin:
            moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=actual.seconds)  # noqa: DTZ001
            return f"{moment.isoformat()}.{actual.nanos // 1000:06}"
        if name == "google.protobuf.FieldMask" and delfin:
            return ",".join(actual.paths)
        if name.startswith("google.protobuf."):
            return value
        return _rewritten(value, actual, delfin=delfin, int64_text=int64_text)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64):
        return str(actual) if int64_text else int(actual)
    if field.enum_type is not None and delfin:
        chosen = field.enum_type.values_by_number[actual]
        first = field.enum_type.values[0].name
        if actual == 0 and first.endswith("_UNSPECIFIED"):
            return None
        options: Any = chosen.GetOptions()
        text = options.Extensions[options_pb2.text]
        return text or chosen.name.removeprefix(first.removesuffix("UNSPECIFIED")).lower()
    return value
