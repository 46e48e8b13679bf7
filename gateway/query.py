"""Fields that texts set: parameters of a query, variables of a path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway import scalars
from gateway.bindings import find_fields
from gateway.decode import Decoders
from gateway.dialect import is_map
from gateway.jsontext import shown
from gateway.wellknown_decode import TEXTUAL
from services.calls.errors import CallError, invalid

MAX_PARAMETERS = 200
_MAX_KEPT = 200

Pairs = list[tuple[str, str]]


def parse(query: bytes) -> list[tuple[str, str]]:
    """The parameters in order; BAD_REQUEST where they are not UTF-8 or too many."""
    if not query:
        return []
    try:
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except UnicodeError:
        raise CallError("BAD_REQUEST", "The query is not UTF-8 where it is percent-encoded.") from None
    except ValueError:
        raise CallError("BAD_REQUEST", f"The query has more than {MAX_PARAMETERS} parameters.") from None


class TextField:
    """A field, maybe of an inner message, that texts set."""

    def __init__(self, path: str, field: FieldDescriptor, decoders: Decoders) -> None:
        self.repeated = bool(field.is_repeated)
        self.name = field.name
        self._parents = path.split(".")[:-1]
        self._set = _setter(field, decoders)

    def set(self, message: Any, text: str, parameter: str) -> None:
        """Sets the field, or adds to it; INVALID_INPUT naming the parameter."""
        for parent in self._parents:
            message = getattr(message, parent)
            message.SetInParent()
        self._set(message, text, parameter)


def _setter(field: FieldDescriptor, decoders: Decoders) -> Callable[[Any, str, str], None]:
    name = field.name
    if field.message_type is not None:
        fill = decoders.of(field.message_type)
        as_boolean = field.message_type.full_name == "google.protobuf.BoolValue"

        def set_message(message: Any, text: str, path: str) -> None:
            inner = getattr(message, name)
            inner = inner.add() if field.is_repeated else inner
            inner.SetInParent()
            fill(inner, scalars.boolean_text(text, path) if as_boolean else text, path)

        return set_message
    convert = scalars.text_converter(field, decoders.dialect)
    if field.is_repeated:
        return lambda message, text, path: getattr(message, name).append(convert(text, path))
    return lambda message, text, path: setattr(message, name, convert(text, path))


class TextFields:
    """The fields of a request that a query can set: all but those that path and body set."""

    def __init__(self, message: Descriptor, decoders: Decoders, taken: frozenset[str]) -> None:
        self._message = message
        self._decoders = decoders
        self._taken = taken
        self._found: dict[str, TextField] = {}

    def find(self, parameter: str) -> TextField:
        """The field; INVALID_INPUT where there is none, or where path or body set it."""
        found = self._found.get(parameter)
        if found is None:
            found = self._resolve(parameter)
            if len(self._found) < _MAX_KEPT:  # a message that holds itself has names without end
                self._found[parameter] = found
        return found

    def _resolve(self, parameter: str) -> TextField:
        standard = not self._decoders.dialect.delfin
        fields = find_fields(self._message, parameter, json_names=standard)
        if not fields or is_map(fields[-1]):
            raise invalid(shown(parameter), "There is no such parameter.")
        field = fields[-1]
        if field.message_type is not None and field.message_type.full_name not in TEXTUAL:
            raise invalid(parameter, "It is an object: give its fields, as in a.b.")
        path = ".".join(one.name for one in fields)
        if path in self._taken or fields[0].name in self._taken:
            raise invalid(parameter, "The path, a header or the body gives it already.")
        return TextField(path, field, self._decoders)

    def fill(self, message: Any, pairs: list[tuple[str, str]]) -> None:
        """Sets all parameters; one that is not repeated may come once."""
        seen: set[str] = set()
        for parameter, text in pairs:
            field = self.find(parameter)
            if parameter in seen and not field.repeated:
                raise invalid(parameter, "It is given twice.")
            seen.add(parameter)
            field.set(message, text, parameter)
