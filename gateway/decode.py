"""From JSON to messages: strict, and with errors that name the field. `construct` does the same where all is well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from gateway import scalars
from gateway.construct import Constructors, Read
from gateway.dialect import Dialect, is_map, is_object_when_unset
from gateway.jsontext import kind_of, shown
from gateway.wellknown_decode import Fill, well_known
from services.calls.errors import invalid

Set = Callable[[Any, object, str], None]
"""Sets a field of a message from a JSON value; the text is the field's path."""


class Decoders:
    """The decoders of one pool's messages in one dialect."""

    def __init__(self, dialect: Dialect, pool: DescriptorPool) -> None:
        self.dialect = dialect
        self.pool = pool
        self._fills: dict[str, Fill] = {}
        self._constructors = Constructors(self)

    def read(self, message: Descriptor) -> Read:
        """What makes a message of this type from a JSON value."""
        return self._constructors.of(message)

    def of(self, message: Descriptor) -> Fill:
        """What fills a message of this type from a JSON value."""
        fill = self._fills.get(message.full_name)
        if fill is None:
            known = well_known(message, self)
            if known is None:
                reader = _MessageReader(self, message)
                fill = self._fills[message.full_name] = reader.fill
                reader.prepare()  # after it is known: a message may hold itself
            else:
                fill = self._fills[message.full_name] = known
        return fill

    def field(self, field: FieldDescriptor) -> Set:
        """What sets the field from a JSON value."""
        if is_map(field):
            return self._map(field)
        if field.is_repeated:
            return self._repeated(field)
        name = field.name
        if field.message_type is not None:
            fill = self.of(field.message_type)
            empty_is_unset = self.dialect.delfin and is_object_when_unset(field)

            def set_message(message: Any, value: object, path: str) -> None:
                if empty_is_unset and value == {}:
                    return
                inner = getattr(message, name)
                inner.SetInParent()
                fill(inner, value, path)

            return set_message
        convert = scalars.converter(field, self.dialect)

        def set_scalar(message: Any, value: object, path: str) -> None:
            setattr(message, name, convert(value, path))

        return set_scalar

    def _repeated(self, field: FieldDescriptor) -> Set:
        name = field.name
        fill = self.of(field.message_type) if field.message_type is not None else None
        convert = scalars.converter(field, self.dialect) if fill is None else None

        def set_repeated(message: Any, value: object, path: str) -> None:
            if not isinstance(value, list):
                raise invalid(path, f"It must be an array, not {kind_of(value)}.")
            items = getattr(message, name)
            for index, item in enumerate(value):
                place = f"{path}[{index}]"
                if item is None and not _takes_null(field):
                    raise invalid(place, "It must not be null.")
                if fill is not None:
                    fill(items.add(), item, place)
                elif convert is not None:
                    items.append(convert(item, place))

        return set_repeated

    def _map(self, field: FieldDescriptor) -> Set:
        entry = field.message_type
        assert entry is not None
        name = field.name
        key_of = scalars.text_converter(entry.fields_by_name["key"], self.dialect)
        item_field = entry.fields_by_name["value"]
        fill = self.of(item_field.message_type) if item_field.message_type is not None else None
        convert = scalars.converter(item_field, self.dialect) if fill is None else None

        def set_map(message: Any, value: object, path: str) -> None:
            if not isinstance(value, dict):
                raise invalid(path, f"It must be an object, not {kind_of(value)}.")
            entries = getattr(message, name)
            for text, item in value.items():
                place = f"{path}.{shown(text)}"
                key = key_of(text, place)
                if key in entries:
                    raise invalid(place, "It is given twice in one object.")
                if item is None and not _takes_null(item_field):
                    raise invalid(place, "It must not be null.")
                if fill is not None:
                    inner = entries[key]
                    fill(inner, item, place)
                elif convert is not None:
                    entries[key] = convert(item, place)

        return set_map


def _takes_null(field: FieldDescriptor) -> bool:
    """Whether null is a value of the field, not its absence."""
    if field.message_type is not None:
        return str(field.message_type.full_name) == "google.protobuf.Value"
    return field.enum_type is not None and str(field.enum_type.full_name) == "google.protobuf.NullValue"


class _Known:
    """A field as the reader meets it."""

    __slots__ = ("name", "oneof", "set", "takes_null")

    def __init__(self, field: FieldDescriptor, setter: Set) -> None:
        oneof = field.containing_oneof
        self.name: str = field.name
        self.oneof: str | None = oneof.name if oneof is not None and len(oneof.fields) > 1 else None
        self.set = setter
        self.takes_null = _takes_null(field) and not field.is_repeated


class _MessageReader:
    """Fills messages of one type from JSON objects."""

    def __init__(self, decoders: Decoders, message: Descriptor) -> None:
        self._decoders = decoders
        self._message = message
        self._fields: dict[str, _Known] = {}

    def prepare(self) -> None:
        """Makes the setters. SODA Delfin's names are the proto's; canonical JSON reads both forms."""
        for field in self._message.fields:
            known = _Known(field, self._decoders.field(field))
            self._fields[field.name] = known
            if not self._decoders.dialect.delfin:
                self._fields[field.json_name] = known

    def fill(self, message: Any, value: object, path: str) -> None:
        """Sets what the object has; null leaves a field unset."""
        if not isinstance(value, dict):
            raise invalid(path or "body", f"It must be an object, not {kind_of(value)}.")
        prefix = f"{path}." if path else ""
        seen: dict[str, str] = {}
        for name, item in value.items():
            field = self._fields.get(name)
            if field is None:
                raise invalid(f"{prefix}{shown(name)}", "There is no such field.")
            place = prefix + name
            if field.name in seen:
                raise invalid(place, f"It is given twice, also as {seen[field.name]}.")
            seen[field.name] = name
            if item is None and not field.takes_null:
                continue
            if field.oneof is not None:
                other = seen.setdefault(f"oneof {field.oneof}", name)
                if other != name:
                    raise invalid(place, f"It excludes {other}: only one of them can be given.")
            field.set(message, item, place)
