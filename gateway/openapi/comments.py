"""What the authors of a service wrote beside its declarations, by the declarations' full names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)

_PACKAGE = 2  # numbers of fields in descriptor.proto, of which the places of comments are made
_FILE_MESSAGES, _FILE_ENUMS, _FILE_SERVICES = 4, 5, 6
_MESSAGE_FIELDS, _MESSAGE_MESSAGES, _MESSAGE_ENUMS = 2, 3, 4
_VALUES = _METHODS = 2

Place = tuple[int, ...]


class Comments:
    """The comments of some files. A service that serves none has none: every answer is an empty text then."""

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        self._texts: dict[str, str] = {}
        self._headers: dict[str, str] = {}
        for file in files:
            self._read(file)

    def of(self, name: str) -> str:
        """That of a message, field, enum, service or method; of an enum's value: as `full.name.of.Enum.VALUE`."""
        return self._texts.get(name, "")

    def of_file(self, name: str) -> str:
        """That of the whole file, which stands above its package."""
        return self._headers.get(name, "")

    def _read(self, file: FileDescriptorProto) -> None:
        texts: dict[Place, str] = {}
        for location in file.source_code_info.location:
            comment = location.leading_comments or location.trailing_comments
            if comment:
                texts[tuple(location.path)] = _clean(comment)
        if not texts:
            return
        self._headers[file.name] = texts.get((_PACKAGE,), "")
        for name, place in _places(file):
            if place in texts:
                self._texts[name] = texts[place]


def _clean(comment: str) -> str:
    """Without the blank that follows the slashes."""
    return "\n".join(line.removeprefix(" ").rstrip() for line in comment.strip("\n").split("\n")).strip()


def _places(file: FileDescriptorProto) -> Iterator[tuple[str, Place]]:
    prefix = f"{file.package}." if file.package else ""
    for index, message in enumerate(file.message_type):
        yield from _of_message(message, prefix + message.name, (_FILE_MESSAGES, index))
    for index, enum in enumerate(file.enum_type):
        yield from _of_enum(enum, prefix + enum.name, (_FILE_ENUMS, index))
    for index, service in enumerate(file.service):
        yield from _of_service(service, prefix + service.name, (_FILE_SERVICES, index))


def _of_message(message: DescriptorProto, name: str, place: Place) -> Iterator[tuple[str, Place]]:
    yield name, place
    for index, field in enumerate(message.field):
        yield f"{name}.{field.name}", (*place, _MESSAGE_FIELDS, index)
    for index, inner in enumerate(message.nested_type):
        yield from _of_message(inner, f"{name}.{inner.name}", (*place, _MESSAGE_MESSAGES, index))
    for index, enum in enumerate(message.enum_type):
        yield from _of_enum(enum, f"{name}.{enum.name}", (*place, _MESSAGE_ENUMS, index))


def _of_enum(enum: EnumDescriptorProto, name: str, place: Place) -> Iterator[tuple[str, Place]]:
    yield name, place
    for index, value in enumerate(enum.value):
        yield f"{name}.{value.name}", (*place, _VALUES, index)


def _of_service(service: ServiceDescriptorProto, name: str, place: Place) -> Iterator[tuple[str, Place]]:
    yield name, place
    for index, method in enumerate(service.method):
        yield f"{name}.{method.name}", (*place, _METHODS, index)
