"""What a remote write says, read with protobuf's own parser and Snappy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Labels = tuple[tuple[str, str], ...]


def _message() -> type[Any]:
    """The message of remote write 1.0, as its specification describes it."""
    file = descriptor_pb2.FileDescriptorProto(name="remote_write.proto", package="remote", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in (
        ("Label", (("name", 1, kinds.TYPE_STRING, ""), ("value", 2, kinds.TYPE_STRING, ""))),
        ("Sample", (("value", 1, kinds.TYPE_DOUBLE, ""), ("timestamp", 2, kinds.TYPE_INT64, ""))),
        ("Series", (("labels", 1, kinds.TYPE_MESSAGE, "Label"), ("samples", 2, kinds.TYPE_MESSAGE, "Sample"))),
        ("Request", (("series", 1, kinds.TYPE_MESSAGE, "Series"),)),
    ):
        message = file.message_type.add(name=name)
        for field_name, number, kind, of in fields:
            added = message.field.add(name=field_name, number=number, type=kind, label=kinds.LABEL_OPTIONAL)
            if of:
                added.type_name, added.label = f".remote.{of}", kinds.LABEL_REPEATED
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("remote.Request"))


_REQUEST = _message()


@dataclass(slots=True)
class Received:
    """What came, sample by sample."""

    values: dict[tuple[Labels, int], float] = field(default_factory=dict[tuple[Labels, int], float])
    times_sent: Counter[tuple[Labels, int]] = field(default_factory=Counter[tuple[Labels, int]])

    def take(self, body: bytes) -> int:
        """Takes a request's body; how many samples it has."""
        count = 0
        for labels, samples in decoded(body):
            assert samples
            assert [at for at, _ in samples] == sorted({at for at, _ in samples})
            for at, value in samples:
                key = (labels, at)
                assert self.values.setdefault(key, value) == value
                self.times_sent[key] += 1
                count += 1
        return count

    def series(self, **wanted: str) -> dict[tuple[Labels, int], float]:
        """Those with some labels."""
        return {key: value for key, value in self.values.items() if wanted.items() <= dict(key[0]).items()}


def decoded(body: bytes) -> list[tuple[Labels, list[tuple[int, float]]]]:
    """Series of a request's body. Labels stand in the order that the specification asks for, and have values."""
    request = _REQUEST.FromString(bytes(cramjam.snappy.decompress_raw(body)))
    found: list[tuple[Labels, list[tuple[int, float]]]] = []
    for series in request.series:
        labels = tuple((label.name, label.value) for label in series.labels)
        assert [name for name, _ in labels] == sorted({name for name, _ in labels})
        assert all(value for _, value in labels)
        found.append((labels, [(sample.timestamp, sample.value) for sample in series.samples]))
    return found
