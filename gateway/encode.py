"""From messages to JSON: for each message type a function, written and compiled when it is first needed.

The written function reads each field once by name and builds one dict, which orjson then dumps; that is some ten times
faster than json_format, which asks the descriptors anew for every field of every message.
"""

from __future__ import annotations

import keyword
from collections import Counter
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from gateway import wellknown
from gateway.dialect import INT64_TYPES, Dialect, enum_texts, is_map, is_object_when_unset, is_secret
from gateway.times import TimestampTexts
from gateway.wellknown import Encode

_TIMESTAMP = "google.protobuf.Timestamp"
_ZERO = {"str": '""', "bool": "False", "int": "0"}


class _EnumTexts(dict[int, str | None]):
    """Texts of an enum. A number that is not listed is kept apart from errors: it is counted."""

    def __init__(self, enum: EnumDescriptor, unlisted: Counter[str]) -> None:
        super().__init__(enum_texts(enum))
        self._name = enum.full_name
        self._unlisted = unlisted

    def __missing__(self, number: int) -> str:
        self._unlisted[self._name] += 1
        return "unknown"


class _EnumNames(dict[int, str | int]):
    """Names of an enum; a number that is not listed stands for itself."""

    def __init__(self, enum: EnumDescriptor) -> None:
        super().__init__()
        for value in enum.values:
            self.setdefault(value.number, value.name)

    def __missing__(self, number: int) -> int:
        return number


class Encoders:
    """The encoders of one pool's messages in one dialect."""

    def __init__(self, dialect: Dialect, pool: DescriptorPool | None = None) -> None:
        self.dialect = dialect
        self.unlisted: Counter[str] = Counter()
        """How often an enum, by its full name, had a number that it doesn't list."""
        self._pool = pool
        self._timestamps = TimestampTexts(naive=dialect.delfin)
        self._scope: dict[str, Any] = {
            "T": self._timestamps,
            "B": wellknown.base64_text,
            "F": wellknown.finite,
            "F32": wellknown.float32,
            "EPOCH": (0, 0),
        }
        self._names: dict[str, str] = {}

    def find(self, name: str) -> Descriptor | None:
        """The message with this full name, here or among those that are compiled in."""
        for pool in (self._pool, descriptor_pool.Default()):
            if pool is not None:
                try:
                    return pool.FindMessageTypeByName(name)
                except KeyError:
                    continue
        return None

    def of(self, message: Descriptor) -> Encode:
        """The encoder of a message type: takes a message, answers what orjson can dump."""
        encode: Encode = self._scope[self._function(message)]
        return encode

    def _function(self, message: Descriptor) -> str:
        name = self._names.get(message.full_name)
        if name is None:
            name = self._names[message.full_name] = f"m{len(self._names)}"
            known = wellknown.encoder(message, self.dialect, self, self._timestamps)
            if known is None:
                # The name is taken before the source is made: a message may hold itself.
                source = _Source(self, message).text(name)
                exec(compile(source, f"<encoder of {message.full_name}>", "exec"), self._scope)
            else:
                self._scope[name] = known
        return name

    def message(self, message: Descriptor, value: str) -> str:
        """An expression that encodes the message that `value` names."""
        if message.full_name == _TIMESTAMP:
            return f"T[(t := {value}).seconds, t.nanos]"
        return f"{self._function(message)}({value})"

    def enum(self, enum: EnumDescriptor) -> str:
        """The name of the enum's table."""
        name = self._names.get(enum.full_name)
        if name is None:
            name = self._names[enum.full_name] = f"e{len(self._names)}"
            self._scope[name] = _EnumTexts(enum, self.unlisted) if self.dialect.delfin else _EnumNames(enum)
        return name


class _Source:
    """The Python source of one message's encoder."""

    def __init__(self, encoders: Encoders, message: Descriptor) -> None:
        self._encoders = encoders
        self._dialect = encoders.dialect
        self._message = message

    def text(self, name: str) -> str:
        always, present = [], []
        for field in self._message.fields:
            key = repr(self._dialect.key(field))
            # Which values of a secret map may be shown is the driver's to say: the service leaves the others out.
            if is_secret(field) and not is_map(field):
                continue
            if self._left_out(field):
                present.append(self._if_present(field, key))
            else:
                always.append(f"  {key}: {self._expression(field)},")
        lines = [f"def {name}(m):", " H = m.HasField", " d = {", *always, " }", *present, " return d"]
        return "\n".join(lines)

    def _if_present(self, field: FieldDescriptor, key: str) -> str:
        if (_python_type(field) in _ZERO or field.enum_type is not None) and not _has_other_default(field):
            # As in `_expression`: presence is asked only where the value is the default.
            return f" if (x := {_get(field)}) or H({field.name!r}): d[{key}] = {self._value(field, 'x')}"
        return f" if H({field.name!r}): d[{key}] = {self._value(field, _get(field))}"

    def _left_out(self, field: FieldDescriptor) -> bool:
        """As protojson's EmitUnpopulated has it: optional scalars and members of a oneof are there only if set."""
        return not self._dialect.delfin and field.has_presence and field.containing_oneof is not None

    def _expression(self, field: FieldDescriptor) -> str:
        get = _get(field)
        if is_map(field):
            return self._map(field, get)
        if field.is_repeated:
            item = self._value(field, "x")
            return f"{get}[:]" if item == "x" else f"[{item} for x in {get}]"
        if self._dialect.delfin and field.enum_type is not None and not _has_other_default(field):
            return self._value(field, get)  # the table has null for "not set"
        if not field.has_presence:
            return self._value(field, get)
        there = f"H({field.name!r})"
        zero = _ZERO.get(_python_type(field))
        if zero is None or _has_other_default(field):
            unset = "{}" if self._dialect.delfin and is_object_when_unset(field) else "None"
            if field.message_type is not None and field.message_type.full_name == _TIMESTAMP:
                # As below: the epoch is the default.
                return f"(T[k] if (k := ((t := {get}).seconds, t.nanos)) != EPOCH or {there} else {unset})"
            return f"({self._value(field, get)} if {there} else {unset})"
        # Asking for presence costs more than reading: it is asked only where the value is the default.
        value = self._value(field, "x")
        if value == "x":
            return f"({get} or ({zero} if {there} else None))"
        return f"({value} if (x := {get}) or {there} else None)"

    def _map(self, field: FieldDescriptor, get: str) -> str:
        entry = field.message_type
        assert entry is not None
        item = entry.fields_by_name["value"]
        value = self._value(item, "v")
        key = _key(field)
        if value == "v" and key == "k":
            return f"(dict(x) if (x := {get}) else {{}})"
        return f"{{{key}: {value} for k, v in {get}.items()}}"

    def _value(self, field: FieldDescriptor, get: str) -> str:
        """An expression for one value of the field, which is there."""
        if field.message_type is not None:
            return self._encoders.message(field.message_type, get)
        if field.enum_type is not None:
            return f"{self._encoders.enum(field.enum_type)}[{get}]"
        if field.type in INT64_TYPES and self._dialect.int64_text:
            return f"str({get})"
        function = {
            FieldDescriptor.TYPE_BYTES: "B",
            FieldDescriptor.TYPE_DOUBLE: "F",
            FieldDescriptor.TYPE_FLOAT: "F32",
        }
        return f"{function[field.type]}({get})" if field.type in function else get


def _get(field: FieldDescriptor) -> str:
    if keyword.iskeyword(field.name) or not field.name.isidentifier():
        return f"getattr(m, {field.name!r})"
    return f"m.{field.name}"


def _key(field: FieldDescriptor) -> str:
    """An expression for a map's key `k`: JSON's keys are strings."""
    assert field.message_type is not None
    kind = field.message_type.fields_by_name["key"].type
    if kind == FieldDescriptor.TYPE_STRING:
        return "k"
    return '("true" if k else "false")' if kind == FieldDescriptor.TYPE_BOOL else "str(k)"


def _python_type(field: FieldDescriptor) -> str:
    if field.message_type is not None or field.enum_type is not None:
        return "other"
    if field.type == FieldDescriptor.TYPE_STRING:
        return "str"
    if field.type == FieldDescriptor.TYPE_BOOL:
        return "bool"
    floating = (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_BYTES)
    return "other" if field.type in floating else "int"


def _has_other_default(field: FieldDescriptor) -> bool:
    """Whether an unset field reads as something else than zero (proto2)."""
    if field.enum_type is not None:
        return bool(field.has_default_value) or field.enum_type.values[0].number != 0
    return bool(field.has_default_value)
