"""From JSON to messages, fast: for each message type a function, written and compiled when it is first needed.

The written function makes the arguments of the message's constructor of an object, and the constructor, which is
native code, sets and checks all fields at once. Whatever is not plainly right, from an unknown name to a number that is
a text, it leaves to the strict reader in `decode`, which takes it or says what is wrong with it. So nothing may pass
here that would not pass there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from gateway import scalars
from gateway.dialect import INT64_TYPES, Dialect, is_map, is_object_when_unset
from gateway.times import parse_duration, parse_timestamp
from gateway.wellknown_decode import Fill
from services.calls.errors import CallError

Arguments = Callable[[Any], dict[str, Any]]
"""The constructor's arguments of a JSON value."""
Read = Callable[[object, str], Any]
"""A message of a JSON value; the text is the value's path."""

_TIMESTAMP = "google.protobuf.Timestamp"
_DURATION = "google.protobuf.Duration"
_NULL_HAS_MEANING = frozenset({"google.protobuf.Value", "google.protobuf.NullValue"})
_INTEGERS = frozenset(scalars.RANGES)


class Unclear(Exception):
    """The strict reader must look at it."""


_WHOLE = len("2026-11-22T13:42:55")
_MAX_KEPT = 10_000
_UNCLEAR = (Unclear, CallError, TypeError, ValueError, LookupError, OverflowError, AttributeError, RecursionError)


class Strict(Protocol):
    """The strict readers."""

    @property
    def dialect(self) -> Dialect: ...

    def of(self, message: Descriptor) -> Fill: ...


class Constructors:
    """The constructors of one pool's messages in one dialect."""

    def __init__(self, strict: Strict) -> None:
        self._strict = strict
        self._dialect = strict.dialect
        self._reads: dict[str, Read] = {}
        self._names: dict[str, str] = {}
        self._scope: dict[str, Any] = {
            "U": Unclear,
            "T": _timestamp if self._dialect.delfin else _zoned,
            "D": _duration,
            "I": _integer_text,
            "NUMBERS": frozenset({int, float}),
            "BOOLEANS": frozenset({bool}),
        }

    def of(self, message: Descriptor) -> Read:
        """What makes a message of this type."""
        read = self._reads.get(message.full_name)
        if read is None:
            read = self._reads[message.full_name] = self._reader(message)
        return read

    def _reader(self, message: Descriptor) -> Read:
        make = GetMessageClass(message)
        fill = self._strict.of(message)
        if message.full_name.startswith("google.protobuf."):
            return _strictly(make, fill)
        arguments: Arguments = self._scope[self._function(message)]

        def read(value: object, path: str) -> Any:
            try:
                made: Any = make(**arguments(value))
            except _UNCLEAR:
                return strictly(value, path)
            return made

        strictly = _strictly(make, fill)
        return read

    def _function(self, message: Descriptor) -> str:
        name = self._names.get(message.full_name)
        if name is None:
            name = self._names[message.full_name] = f"m{len(self._names)}"
            # The name is taken before the source is made: a message may hold itself.
            source = "\n".join(self._source(name, message))
            exec(compile(source, f"<constructor of {message.full_name}>", "exec"), self._scope)
        return name

    def _keep(self, name: str, value: object) -> str:
        self._scope[name] = value
        return name

    def _source(self, name: str, message: Descriptor) -> list[str]:
        delfin = self._dialect.delfin
        keys = {self._dialect.key(field): field.name for field in message.fields}
        known = self._keep(f"{name}_k", frozenset(keys))
        lines = [
            f"def {name}(v):",
            f" if v.__class__ is not dict or not v.keys() <= {known}: raise U",
        ]
        if delfin or all(key == proto for key, proto in keys.items()):
            lines.append(" k = {n: x for n, x in v.items() if x is not None} if None in v.values() else dict(v)")
        else:
            renamed = self._keep(f"{name}_n", keys)
            lines.append(f" k = {{{renamed}[n]: x for n, x in v.items() if x is not None}}")
        for field in message.fields:
            work = self._field(field, name)
            if work:
                lines.append(f" if (x := k.get({field.name!r})) is not None:")
                lines += [f"  {line}" for line in work]
            if _null_has_meaning(field):
                lines.append(f" if {self._dialect.key(field)!r} in v: raise U")
        for oneof in message.oneofs:
            if len(oneof.fields) > 1:
                members = self._keep(f"{name}_o{oneof.index}", frozenset(field.name for field in oneof.fields))
                lines.append(f" if len(k.keys() & {members}) > 1: raise U")
        lines.append(" return k")
        return lines

    def _field(self, field: FieldDescriptor, owner: str) -> list[str]:
        """Lines that check and replace the value `x`; none where the constructor checks enough."""
        target = f"k[{field.name!r}]"
        if is_map(field):
            return self._map(field)
        if field.is_repeated:
            return ["if x.__class__ is not list: raise U", *self._list(field, target, owner)]
        if field.message_type is not None:
            value = f"{target} = {self._message(field.message_type, 'x')}"
            if self._dialect.delfin and is_object_when_unset(field):
                return [f"if x: {value}", f"elif x == {{}}: del {target}", "else: raise U"]
            return [value]
        if field.type == FieldDescriptor.TYPE_BOOL:
            return ["if x.__class__ is not bool: raise U"]
        if field.type == FieldDescriptor.TYPE_DOUBLE:
            return ["if x.__class__ not in NUMBERS: raise U"]
        converted = self._scalar(field, "x", owner)
        return [] if converted == "x" else [f"{target} = {converted}"]

    def _map(self, field: FieldDescriptor) -> list[str]:
        assert field.message_type is not None
        entry = field.message_type.fields_by_name
        key, value = entry["key"], entry["value"]
        plain = value.type == FieldDescriptor.TYPE_STRING or (
            value.type in _INTEGERS and not (value.type in INT64_TYPES and self._dialect.int64_text)
        )
        if key.type != FieldDescriptor.TYPE_STRING or not plain:
            return ["raise U"]
        return ["if x.__class__ is not dict: raise U"]

    def _list(self, field: FieldDescriptor, target: str, owner: str) -> list[str]:
        if field.message_type is not None:
            return [f"{target} = [{self._message(field.message_type, 'y')} for y in x]"]
        if field.type == FieldDescriptor.TYPE_BOOL:
            return ["if not {*map(type, x)} <= BOOLEANS: raise U"]
        if field.type == FieldDescriptor.TYPE_DOUBLE:
            return ["if not {*map(type, x)} <= NUMBERS: raise U"]
        converted = self._scalar(field, "y", owner)
        return [] if converted == "y" else [f"{target} = [{converted} for y in x]"]

    def _message(self, message: Descriptor, value: str) -> str:
        if message.full_name == _TIMESTAMP:
            return f"T({value})"
        if message.full_name == _DURATION:
            return f"D({value})"
        if message.full_name.startswith("google.protobuf."):
            name = self._names.get(message.full_name)
            if name is None:
                name = self._names[message.full_name] = f"w{len(self._names)}"
                self._scope[name] = _strictly(GetMessageClass(message), self._strict.of(message))
            return f"{name}({value}, '')"
        return f"{self._function(message)}({value})"

    def _scalar(self, field: FieldDescriptor, value: str, owner: str) -> str:
        """An expression for the value; the value itself where the constructor takes nothing that is wrong."""
        if field.enum_type is not None:
            name = f"e_{field.enum_type.full_name.replace('.', '_')}"
            if name not in self._scope:
                self._scope[name] = scalars.enum_numbers(field.enum_type, self._dialect)
            return f"{name}[{value}]"
        if field.type in INT64_TYPES and self._dialect.int64_text:
            return f"I({value})"
        if field.type in _INTEGERS or field.type == FieldDescriptor.TYPE_STRING:
            return value
        converter = self._keep(f"{owner}_c{field.number}", scalars.converter(field, self._dialect))
        return f"{converter}({value}, '')"


def _strictly(make: type[Message], fill: Fill) -> Read:
    def read(value: object, path: str) -> Message:
        message = make()
        fill(message, value, path)
        return message

    return read


def _null_has_meaning(field: FieldDescriptor) -> bool:
    kind = field.message_type or field.enum_type
    return kind is not None and kind.full_name in _NULL_HAS_MEANING


class _Seconds(dict[str, int]):
    """Seconds of times without fractions and zone, kept: what is sent together was often written together."""

    def __missing__(self, text: str) -> int:
        parsed = parse_timestamp(text, naive=True)
        if parsed is None or len(text) != _WHOLE:
            raise Unclear
        if len(self) >= _MAX_KEPT:
            self.clear()
        self[text] = parsed[0]
        return parsed[0]


_seconds = _Seconds()


def _timestamp(value: Any) -> dict[str, int]:
    """A time as the dialects write it, to the second or finer, in UTC."""
    fraction = value[_WHOLE:].removesuffix("Z")
    if not fraction:
        return {"seconds": _seconds[value[:_WHOLE]]}
    if fraction[0] != "." or len(fraction) > 10 or not fraction[1:].isdigit() or not fraction.isascii():
        raise Unclear
    return {"seconds": _seconds[value[:_WHOLE]], "nanos": int(fraction[1:].ljust(9, "0"))}


def _zoned(value: Any) -> dict[str, int]:
    """The same where the zone must be given."""
    if value[-1:] != "Z":
        raise Unclear
    return _timestamp(value)


def _duration(value: Any) -> dict[str, int]:
    parsed = parse_duration(value)
    if parsed is None:
        raise Unclear
    return {"seconds": parsed[0], "nanos": parsed[1]}


def _integer_text(value: Any) -> int:
    """A number as text, as the dialect writes it, or as a number."""
    if value.__class__ is int:
        return value
    if value.__class__ is str and len(value) < 19 and value.isascii() and value.removeprefix("-").isdigit():
        return int(value)
    raise Unclear
