"""The gateway's JSON codec beside json_format, which it must equal: CPU time for the same messages, both ways."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from google.protobuf import descriptor_pool, json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from benchmarks.measure import Row
from delphis.inventory.v1 import change_pb2, inventory_pb2, resource_pb2
from delphis.type.v1 import metric_pb2
from gateway import jsontext
from gateway.codecs import Codecs
from gateway.dialect import DELFIN, STANDARD, Dialect

ROUNDS = 15
SECONDS = 0.02
"""CPU time of one measurement."""
GOAL = "≥ 6"

Work = Callable[[], object]


def filled(descriptor: Descriptor, number: int = 1, depth: int = 3) -> Any:
    """A message whose fields are all set, to values of usual size."""
    message: Any = GetMessageClass(descriptor)()
    if descriptor.full_name == "google.protobuf.Timestamp":
        message.seconds, message.nanos = 1_763_819_400 + number, 328_319_000
        return message
    if descriptor.full_name == "google.protobuf.Duration":
        message.seconds = 900 + number
        return message
    if descriptor.full_name == "google.protobuf.Struct":
        message.update({"a name": {"a value": number, "none": None}, "list": [number * 1.5, "a text", True]})
        return message
    for field in descriptor.fields:
        if field.containing_oneof is not None and field is not field.containing_oneof.fields[0]:
            continue
        _fill(message, field, number, depth)
    return message


def _fill(message: Any, field: FieldDescriptor, number: int, depth: int) -> None:
    inner = field.message_type
    target = getattr(message, field.name)
    if inner is not None and inner.GetOptions().map_entry:
        value = inner.fields_by_name["value"]
        for key in ("site", "state"):
            target[key] = _scalar(value, number)
    elif inner is not None:
        if depth and field.is_repeated:
            target.extend(filled(inner, number + one, depth - 1) for one in range(2))
        elif depth:
            target.CopyFrom(filled(inner, number, depth - 1))
    elif field.is_repeated:
        target.extend(_scalar(field, number + one) for one in range(2))
    else:
        setattr(message, field.name, _scalar(field, number))


def _scalar(field: FieldDescriptor, number: int) -> Any:
    text = f"a name {number:08}"
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    return {
        FieldDescriptor.CPPTYPE_STRING: text if field.type == FieldDescriptor.TYPE_STRING else text.encode(),
        FieldDescriptor.CPPTYPE_BOOL: True,
        FieldDescriptor.CPPTYPE_DOUBLE: number * 1.1,
        FieldDescriptor.CPPTYPE_FLOAT: number * 0.5,
        FieldDescriptor.CPPTYPE_INT64: 1_099_511_627_776 + number,
        FieldDescriptor.CPPTYPE_UINT64: 1_099_511_627_776 + number,
    }.get(field.cpp_type, number)


def samples() -> Iterator[tuple[str, Message]]:
    """Messages as the API has them."""
    volume = resource_pb2.ListVolumesResponse.DESCRIPTOR.fields_by_name["volumes"].message_type
    assert volume is not None
    pages = [filled(volume, number) for number in range(100)]
    yield "100 volumes", resource_pb2.ListVolumesResponse(volumes=pages, next_page_token="token")
    yield "a volume", pages[0]
    yield "a registration", filled(inventory_pb2.RegisterStorageRequest.DESCRIPTOR)
    change = change_pb2.Change.DESCRIPTOR
    yield "50 changes", change_pb2.WatchChangesResponse(changes=[filled(change, number) for number in range(50)])
    yield "1,000 samples", metric_pb2.MetricBatch(values=[number * 1.1 for number in range(1000)])


def seconds(work: Work) -> float:
    """CPU seconds of one run."""
    began, count = time.process_time(), 0
    while (passed := time.process_time() - began) < SECONDS:
        for _ in range(4):
            work()
        count += 4
    return passed / count


def compared(ours: Work, theirs: Work) -> float:
    """How many times as long theirs takes: measured in turns, since the machine's speed varies."""
    return statistics.median(seconds(theirs) / seconds(ours) for _ in range(ROUNDS))


def both_ways(message: Message, dialect: Dialect, codecs: Codecs) -> Iterator[tuple[str, Work, Work]]:
    """The work of each direction, ours and json_format's."""
    descriptor: Any = message.DESCRIPTOR
    make = type(message)
    encode = codecs.encoders(dialect).of(descriptor)
    read = codecs.decoders(dialect).read(descriptor)
    theirs = json_format.MessageToJson(message, indent=None, preserving_proto_field_name=dialect.delfin).encode()
    ours = theirs
    if dialect.delfin:  # texts of enums and times differ
        ours = orjson.dumps(_without_null(encode(message)))
    yield (
        "read",
        lambda: read(jsontext.parse(ours), ""),
        lambda: json_format.Parse(theirs, make()),
    )
    yield (
        "write",
        lambda: orjson.dumps(encode(message)),
        lambda: json_format.MessageToJson(
            message,
            indent=None,
            preserving_proto_field_name=dialect.delfin,
            always_print_fields_with_no_presence=True,
        ),
    )


def _without_null(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    return value


def run(folder: Path) -> Iterator[Row]:
    """The table's rows."""
    codecs = Codecs(descriptor_pool.Default())
    for name, message in samples():
        for dialect, called in ((DELFIN, "Delfin's dialect"), (STANDARD, "canonical")):
            for way, ours, theirs in both_ways(message, dialect, codecs):
                name_of_row = f"JSON of {name}, {called}: {way}"
                yield Row(name_of_row, compared(ours, theirs), "times as fast as json_format", goal=GOAL)
