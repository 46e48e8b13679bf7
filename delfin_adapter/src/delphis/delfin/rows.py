"""From a driver's dicts to messages of the contract.

The ordinary row costs a look-up and a check of the type for each key. What is odd is read by `odd_values`, and noted.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Generic, TypeVar

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from delphis.delfin import odd_values, words
from delphis.delfin.notes import Notes
from delphis.delfin.odd_values import Unreadable
from delphis.sdk.redaction import is_repeated

M = TypeVar("M", bound=Message)
Read = Callable[[Any], Any]

_FIRST_CORE_OWNED = 200
_LARGEST = 2**63
# What Delfin's core keeps in a row, not the array.
_OF_CORE = frozenset({"storage_id", "id", "created_at", "updated_at", "deleted", "deleted_at", "sync_status"})
_FREE_TEXT = frozenset({"description", "recovery_advice"})
_SECRET = re.compile(r"(?i)passw|secret|token|credential|community")
# Other names of the same thing, too far apart to be taken for slips.
_ALSO: dict[str, dict[str, str]] = {
    "Filesystem": {"native_storage_pool_id": "native_pool_id"},
    "Volume": {"native_pool_id": "native_storage_pool_id"},
    "Controller": {"firmware_version": "soft_version", "ip": "mgmt_ip"},
}
_SPELLING = 0.9
_HEX = re.compile("[0-9a-f]+")
_PAIRS = re.compile("[0-9A-Fa-f]+(?::[0-9A-Fa-f]+)*")
_SPECIAL: dict[str, tuple[Read, re.Pattern[str]]] = {
    "wwn": (odd_values.wwn, re.compile(r"[0-9a-f]+|[a-z][!-~]+")),
    "mac_address": (odd_values.mac, re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")),
    "ipv4": (odd_values.ipv4, re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")),
    "ipv6": (odd_values.ipv6, re.compile(r"(?!)")),
    "mgmt_ip": (odd_values.ip, re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")),
}


class Rows(Generic[M]):
    """Reads the rows of one kind."""

    def __init__(self, message: type[M], *, ignored: Iterable[str] = (), skip: Iterable[str] = ()) -> None:
        """
        Args:
            message: What a row becomes.
            ignored: Keys that are not read, beside those that Delfin's core owns.
            skip: Fields of the message that rows don't set.
        """
        self.name = message.DESCRIPTOR.name
        self._make = message
        self._texts: set[str] = set()
        self._numbers: set[str] = set()
        self._speeds: set[str] = set()
        self._booleans: set[str] = set()
        self._makers: dict[tuple[str, ...], Callable[..., M]] = {}
        self._enums: dict[str, tuple[dict[str, int], EnumDescriptor]] = {}
        self._matched: dict[str, re.Pattern[str]] = {}
        self._read: dict[str, Read] = {}
        self._ignored = _OF_CORE | frozenset(ignored)
        self._spellings: dict[str, str] = dict(_ALSO.get(self.name, {}))
        left_out = frozenset(skip)
        descriptor: Any = message.DESCRIPTOR
        for field in descriptor.fields:
            if field.number < _FIRST_CORE_OWNED and not is_repeated(field) and field.name not in left_out:
                self._add(field)
        # With them, what the loop below does for each key is one look-up.
        self._kinds: dict[str, int] = {
            **dict.fromkeys(self._texts, _TEXT),
            **dict.fromkeys(self._numbers, _NUMBER),
            **dict.fromkeys(self._speeds, _SPEED),
            **dict.fromkeys(self._enums, _ENUM),
            **dict.fromkeys(self._booleans, _BOOLEAN),
            **dict.fromkeys(self._matched, _MATCHED),
            **dict.fromkeys(self._ignored - self._read.keys() - self._enums.keys(), _IGNORED),
        }

    def _add(self, field: FieldDescriptor) -> None:
        name = field.name
        if field.enum_type is not None:
            self._enums[name] = (words.numbers(field.enum_type), field.enum_type)
        elif field.message_type is not None:
            return
        elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            if name in _SPECIAL:
                self._read[name], self._matched[name] = _SPECIAL[name]
            else:
                self._texts.add(name)
                self._read[name] = odd_values.text if name in _FREE_TEXT else odd_values.one_line
        elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            self._booleans.add(name)
            self._read[name] = odd_values.boolean
        elif name in ("speed", "max_speed") and self.name == "Port":
            self._speeds.add(name)
            self._read[name] = odd_values.speed
        else:
            self._numbers.add(name)
            self._read[name] = _int32 if field.cpp_type == FieldDescriptor.CPPTYPE_INT32 else odd_values.integer

    def messages(self, rows: Iterable[Any], notes: Notes) -> Iterator[M]:
        """The messages of rows, one by one; what was odd is told at the end."""
        source = iter(rows)
        while chunk := list(islice(source, _CHUNK)):
            if (columns := self._columns(chunk, notes)) is not None:
                yield from map(self._maker(tuple(columns)), *columns.values())
                continue
            for row in chunk:
                if (found := as_row(row)) is not None:
                    yield self.message(found, notes)
                else:
                    notes.lacks("row", f"is of type {type(row).__name__}, not a dict: left out", row)
        notes.tell()

    def _columns(self, chunk: Sequence[Any], notes: Notes) -> dict[str, Sequence[Any]] | None:
        """Rows of the same keys, by key: where nothing is odd about a key, one check is for all rows.

        A value of None stands for a field that is not set, as in the constructors of messages. None instead of columns:
        look at each row.
        """
        if set(map(type, chunk)) != {dict} or len(set(map(len, chunk))) != 1:
            return None
        try:
            found: dict[Any, Sequence[Any]] = {key: list(map(itemgetter(key), chunk)) for key in chunk[0]}
        except KeyError:
            return None
        columns: dict[str, Sequence[Any]] = {}
        odd: list[tuple[Any, Sequence[Any]]] = []
        for key, column in found.items():
            kind = self._kinds.get(key, _OTHER)
            if kind == _IGNORED:
                continue
            types = set(map(type, column))
            if types == {_None}:
                continue
            said = column if _None not in types else [value for value in column if value is not None]
            types.discard(_None)
            name = key
            if kind == _OTHER and isinstance(key, str) and (meant := self._meant(key)) and meant not in found | columns:
                name, kind = meant, self._kinds[meant]
            if (read := self._usual(name, kind, types, said, column)) is not None:
                columns[name] = read
                if name != key:
                    notes.odd(key, f"is read as {name}", times=len(said))
            else:
                odd.append((key, column))
        for name, read in self._odd_columns(chunk, odd, notes).items():
            before = columns.get(name)
            columns[name] = read if before is None else [_either(*both) for both in zip(read, before, strict=True)]
        return columns or None

    def _usual(
        self, key: Any, kind: int, types: set[type], said: Sequence[Any], column: Sequence[Any]
    ) -> Sequence[Any] | None:
        """A column as the message's constructor takes it; None where a value is odd.

        Args:
            key: Its key.
            kind: Of the key.
            types: Of its values.
            said: Its values without None.
            column: Its values.
        """
        if kind == _ENUM and types == {str}:
            numbers, enum = self._enums[key]
            own: dict[str, int | None] = {word: numbers.get(word) or words.number_of(enum, word) for word in set(said)}
            return list(map(own.get, column)) if all(own.values()) else None
        if kind == _NUMBER and float in types and types <= {int, float}:
            if not all(map(math.isfinite, said)) or not self._are_usual(key, kind, said):
                return None
            return [None if value is None else int(value) for value in column]
        if kind == _TEXT and types == {int}:
            return [None if value is None else str(value) for value in column]
        if types != {_TYPES.get(kind)} or not self._are_usual(key, kind, said):
            if key != "wwn" or types != {str} or not all(map(_PAIRS.fullmatch, said)):
                return None
            return [None if value is None else value.replace(":", "").lower() for value in column]
        return [value or None for value in column] if kind == _TEXT and "" in said else column

    def _odd_columns(
        self, chunk: Sequence[Any], odd: Sequence[tuple[Any, Sequence[Any]]], notes: Notes
    ) -> dict[str, Sequence[Any]]:
        """What stands for columns whose values have to be looked at one by one, by field."""
        if not odd:
            return {}
        read: list[dict[str, Any]] = [{} for _ in chunk]
        for key, column in odd:
            for value, row, values in zip(column, chunk, read, strict=True):
                if value is not None:
                    self._odd(key, value, row, values, notes)
        return {name: [values.get(name) for values in read] for name in dict.fromkeys(chain.from_iterable(read))}

    def _maker(self, names: tuple[str, ...]) -> Callable[..., M]:
        """The message's constructor, with values in this order: quicker than to make a dict for each."""
        if names not in self._makers:
            listed = ", ".join(names)
            # The names are those of the message's fields.
            text = f"lambda {listed}: make({', '.join(f'{name}={name}' for name in names)})"
            self._makers[names] = eval(text, {"make": self._make})
        return self._makers[names]

    def _are_usual(self, key: str, kind: int, values: Sequence[Any]) -> bool:
        """Whether values of the right type say what they seem to."""
        if kind == _BOOLEAN:
            return True
        if kind == _TEXT:
            joined = "|".join(values)
            return joined.isprintable() and not (
                " |" in joined or "| " in joined or joined.startswith(" ") or joined.endswith(" ")
            )
        if kind == _NUMBER:
            return bool(
                min(values) >= 0 and max(values) < (_LARGEST if self._read[key] is odd_values.integer else 2**31)
            )
        if kind == _SPEED:
            return bool(min(values) >= _SLOWEST and max(values) < _LARGEST)
        if key == "wwn" and all(values) and _HEX.fullmatch("".join(values)):
            return True
        return all(map(self._matched[key].fullmatch, values))

    def message(self, row: Mapping[Any, Any], notes: Notes) -> M:
        """The message of a row."""
        kinds, values = self._kinds, dict[str, Any]()
        for key, value in row.items():
            if value is None:
                continue
            kind = kinds.get(key, _OTHER)
            if kind == _TEXT:
                if value.__class__ is str and value.isprintable():
                    if value and value[0] != " " != value[-1]:
                        values[key] = value
                        continue
                    if not value:
                        continue
            elif kind == _NUMBER:
                if value.__class__ is int and 0 <= value < 2147483648:
                    values[key] = value
                    continue
                if value.__class__ is int and 0 <= value < _LARGEST and self._read[key] is odd_values.integer:
                    values[key] = value
                    continue
            elif kind == _ENUM:
                if value.__class__ is str and (number := self._enums[key][0].get(value)) is not None:
                    values[key] = number
                    continue
            elif kind == _BOOLEAN:
                if value.__class__ is bool:
                    values[key] = value
                    continue
            elif kind == _MATCHED:
                if value.__class__ is str and self._matched[key].fullmatch(value):
                    values[key] = value
                    continue
            elif kind == _SPEED:
                if value.__class__ is int and _SLOWEST <= value < _LARGEST:
                    values[key] = value
                    continue
            elif kind == _IGNORED:
                continue
            self._odd(key, value, row, values, notes)
        return self._make(**values)

    def _odd(self, key: Any, value: Any, row: Mapping[Any, Any], values: dict[str, Any], notes: Notes) -> None:
        if not isinstance(key, str):
            notes.odd(str(key), "is no text as a key: left out")
        elif key in self._enums:
            self._set_enum(key, value, values, notes)
        elif key in self._read:
            self._set(key, value, values, notes)
        elif (meant := self._meant(key)) is not None and row.get(meant) is None:
            notes.odd(key, f"is read as {meant}")
            self._odd(meant, value, {}, values, notes)
        elif _keep(key, value, values):
            notes.extra(key)

    def _set(self, key: str, value: Any, values: dict[str, Any], notes: Notes) -> None:
        try:
            found = self._read[key](value)
        except Unreadable as error:
            notes.odd(key, f"{error}: see `native`", value)
            _keep(key, value, values)
            return
        if found is None:
            return
        values[key] = found
        # An id or a size of another type, or a name with blanks around it, is no slip worth telling.
        if not isinstance(odd_values.alone(value), (str, int, float)) or value.__class__ in (tuple, list):
            notes.odd(key, f"is of type {type(value).__name__}", value)
        elif value.__class__ is str and key in self._numbers and not value.strip().isdecimal():
            notes.odd(key, "is a text with a unit", value)

    def _set_enum(self, key: str, value: Any, values: dict[str, Any], notes: Notes) -> None:
        enum = self._enums[key][1]
        word = odd_values.alone(value)
        if isinstance(word, str) and not word.strip(" -"):
            return
        number = words.number_of(enum, word) if isinstance(word, str) else None
        if number is None:
            notes.odd(key, "is no value of its enum: unknown; see `native`", value)
            _keep(key, value, values)
            number = words.UNKNOWN
        values[key] = number

    def _meant(self, key: str) -> str | None:
        """The field that a key stands for which is no field's name."""
        if key not in self._spellings:
            names = [*self._read, *self._enums]
            plain = {words.plain(name): name for name in names}
            close = difflib.get_close_matches(key.lower(), names, n=1, cutoff=_SPELLING)
            self._spellings[key] = plain.get(words.plain(key)) or (close[0] if close else "")
        return self._spellings[key] or None


def _either(first: Any, second: Any) -> Any:
    return second if first is None else first


_None = type(None)
_CHUNK = 250
_SLOWEST = 1_000_000
_OTHER, _TEXT, _NUMBER, _ENUM, _BOOLEAN, _MATCHED, _SPEED, _IGNORED = range(8)
_TYPES = {_TEXT: str, _NUMBER: int, _SPEED: int, _BOOLEAN: bool, _MATCHED: str}


def _int32(value: Any) -> int | None:
    found = odd_values.integer(value)
    if found is not None and found >= 2**31:
        raise Unreadable("is too large")
    return found


def _keep(key: str, value: Any, values: dict[str, Any]) -> bool:
    """Keeps the vendor's own word, if it is short and no secret."""
    if _SECRET.search(key) or value in ("", [], {}, ()):
        return False
    values.setdefault("native", {})[key] = str(value)[:200]
    return True


def as_row(value: Any) -> Mapping[Any, Any] | None:
    """A row that is no dict itself: another mapping, a named tuple, an object with attributes; None: it is no row."""
    if isinstance(value, Mapping):
        return value
    if hasattr(value, "_asdict"):
        found = value._asdict()
        return found if isinstance(found, Mapping) else None
    if isinstance(value, (str, bytes, int, float, list, tuple, set)) or value is None:
        return None
    return getattr(value, "__dict__", None)


def listed(answer: Any, notes: Notes) -> list[Any]:
    """The rows of a list method's answer, in whatever shape it came."""
    if isinstance(answer, list):
        return answer
    if answer is None:
        notes.odd("list", "is None: taken for an empty one")
        return []
    if isinstance(answer, Mapping):
        lists = [value for value in answer.values() if isinstance(value, list)]
        if len(lists) == 1 and all(isinstance(row, Mapping) for row in lists[0]):
            notes.odd("list", "is in a dict: taken out of it")
            return lists[0]
        if not answer:
            notes.odd("list", "is an empty dict: taken for an empty list")
            return []
        if all(isinstance(row, Mapping) for row in answer.values()):
            notes.odd("list", "is a dict of rows: taken for a list of them")
            return list(answer.values())
        notes.odd("list", "is one dict: taken for a row")
        return [answer]
    if isinstance(answer, (str, bytes)) or not isinstance(answer, Iterable):
        notes.lacks("list", f"is of type {type(answer).__name__}: nothing in it can be read", answer)
        return []
    return list(answer)
