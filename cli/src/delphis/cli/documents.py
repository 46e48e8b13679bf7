"""Messages of the contract from YAML or JSON files, with secrets that lie elsewhere.

Errors name the place in the file and never what stands there: it may be a secret.
"""

from __future__ import annotations

import datetime
import os
import re
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import yaml
from google.protobuf.descriptor import FieldDescriptor as Types
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from delphis.cli import cells
from delphis.cli.failures import WrongSettings

if TYPE_CHECKING:
    from delphis.cli.cells import FieldDescriptor

M = TypeVar("M", bound=Message)

_FROM = "From"
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_LARGEST_SECRET = 1 << 20
_MERGE = "tag:yaml.org,2002:merge"
_TWICE = "has a key that stands twice"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML that refuses keys which stand twice: one of them would silently win."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            # Keys that `<<` took over lie elsewhere in the file; to override them is what it is for.
            own = node.start_mark.index <= key.start_mark.index < node.end_mark.index
            if not own or not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, _TWICE, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load(file: IO[str]) -> Any:
    """The file's content.

    Raises:
        WrongSettings: it is no YAML.
    """
    name = getattr(file, "name", "the file")
    try:
        return yaml.load(file, Loader=_Loader)
    except yaml.constructor.ConstructorError as error:
        at = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        problem = _TWICE if error.problem == _TWICE else "has a value that can't be read"
        raise WrongSettings(f"{name}{at}: {problem}") from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        # YAML's own text quotes the file, and with it perhaps a secret.
        at = f", line {place.line + 1}" if place else ""
        raise WrongSettings(f"{name}{at}: is neither YAML nor JSON") from None
    except UnicodeDecodeError:
        raise WrongSettings(f"{name}: is no UTF-8 text") from None


class Reader:
    """Fills messages; `name` is the file that errors speak of, `folder` where paths in it begin.

    Without `resolve` references to secrets are checked for their form and followed by nobody.
    """

    def __init__(self, name: str, folder: Path, *, plain_secrets: bool, resolve: bool = True) -> None:
        self._name = name
        self._folder = folder
        self._plain_secrets = plain_secrets
        self._resolve = resolve

    def wrong(self, place: str, problem: str) -> WrongSettings:
        """The error about a place in the file."""
        return WrongSettings(f"{self._name}: {place}: {problem}" if place else f"{self._name}: {problem}")

    def mapping(self, value: Any, place: str) -> dict[str, Any]:
        """The value, which must be a mapping with texts as keys."""
        if not isinstance(value, dict):
            raise self.wrong(place, "must be a mapping (key: value)")
        for key in value:
            if not isinstance(key, str):
                raise self.wrong(place, f"the key {str(key)[:40]!r} is no text; put it in quotes")
        return value

    def fill(self, message: M, content: Any, place: str = "") -> M:
        """Sets the message's fields from a mapping; `passwordFrom: {env: X}` sets `password`."""
        for key, value in self.mapping(content, place or "the file").items():
            where = f"{place}.{key}" if place else key
            if (field := _referring(message, key)) is not None:
                self._fill_from(message, field, value, content, where)
                continue
            found = _field(message, key)
            if found is None:
                raise self.wrong(where, f"is unknown; here may stand {', '.join(_known(message))}")
            self._set(message, found, value, where)
        return message

    def _fill_from(self, message: Message, field: FieldDescriptor, value: Any, content: Any, place: str) -> None:
        if cells.is_map(field):
            for key, reference in self.mapping(value, place).items():
                getattr(message, field.name)[key] = self.secret(reference, f"{place}.{key}")
            return
        if field.name in content or field.json_name in content:
            raise self.wrong(place, f"contradicts {field.name}: give one of them")
        setattr(message, field.name, self.secret(value, place))

    def secret(self, reference: Any, place: str) -> str:
        """What `{env: NAME}` or `{file: PATH}` refers to."""
        said = self.mapping(reference, place)
        if len(said) != 1 or not said.keys() <= {"env", "file"} or not all(isinstance(v, str) for v in said.values()):
            raise self.wrong(place, "must be {env: NAME} or {file: PATH}")
        if not self._resolve:
            return ""
        if name := said.get("env"):
            if not (secret := os.environ.get(name)):
                raise self.wrong(place, f"the environment variable {name} is not set, or empty")
            return secret
        path = self._folder / Path(said["file"]).expanduser()
        try:
            with path.open(encoding="utf-8") as file:
                secret = file.read(_LARGEST_SECRET).rstrip("\r\n")
        except OSError as error:
            raise self.wrong(place, f"{path} can't be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise self.wrong(place, f"{path} is no UTF-8 text") from None
        if not secret:
            raise self.wrong(place, f"{path} is empty")
        return secret

    def _set(self, message: Message, field: FieldDescriptor, value: Any, place: str) -> None:
        if value is None:
            return
        if cells.is_map(field):
            # The values of a driver's attributes are marked as secret, yet most are none; references are for those.
            for key, item in self.mapping(value, place).items():
                getattr(message, field.name)[key] = self._text(item, f"{place}.{key}")
            return
        if cells.is_secret(field) and not self._plain_secrets:
            name = f"{field.json_name}{_FROM}"
            raise self.wrong(place, f"no secret may stand in this file: say {name}: {{env: NAME}} or {{file: PATH}}")
        if cells.is_repeated(field):
            self._extend(message, field, value, place)
            return
        if field.message_type is not None:
            self._fill_message(getattr(message, field.name), value, place)
            return
        setattr(message, field.name, self._scalar(field, value, place))

    def _extend(self, message: Message, field: FieldDescriptor, value: Any, place: str) -> None:
        if not isinstance(value, list):
            raise self.wrong(place, "must be a list")
        items = getattr(message, field.name)
        for number, item in enumerate(value):
            where = f"{place}[{number}]"
            if field.message_type is not None:
                self._fill_message(items.add(), item, where)
            else:
                items.append(self._scalar(field, item, where))

    def _fill_message(self, message: Message, value: Any, place: str) -> None:
        if isinstance(message, Duration):
            message.FromTimedelta(self.span(value, place))
        elif isinstance(message, Timestamp):
            message.FromDatetime(self._moment(value, place))
        else:
            message.SetInParent()
            self.fill(message, value, place)

    def _scalar(self, field: FieldDescriptor, value: Any, place: str) -> Any:
        if field.enum_type is not None:
            enum = field.enum_type
            number = cells.enum_number(enum, value) if isinstance(value, str) else None
            if number is None and isinstance(value, str) and value in enum.values_by_name:
                number = enum.values_by_name[value].number
            if number is None:
                known = ", ".join(cells.enum_text(enum, each) for each in enum.values_by_number if each > 1)
                raise self.wrong(place, f"must be one of {known}")
            return number
        if field.cpp_type == Types.CPPTYPE_STRING:
            return self._text(value, place)
        if field.cpp_type == Types.CPPTYPE_BOOL:
            if not isinstance(value, bool):
                raise self.wrong(place, "must be true or false")
            return value
        if field.cpp_type in (Types.CPPTYPE_DOUBLE, Types.CPPTYPE_FLOAT):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise self.wrong(place, "must be a number")
            return float(value)
        return self._whole(field, value, place)

    def _whole(self, field: FieldDescriptor, value: Any, place: str) -> int:
        shown = f", not {value!r}" if isinstance(value, str | int | float) and not cells.is_secret(field) else ""
        most = (1 << 31) - 1 if field.cpp_type == Types.CPPTYPE_INT32 else (1 << 63) - 1
        what = "a whole number"
        if field.name == "port":
            most, what = 65535, "a TCP port, a whole number from 0 to 65535"
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise self.wrong(place, f"must be {what}{shown}")
        return value

    def _text(self, value: Any, place: str) -> str:
        if not isinstance(value, str):
            # YAML reads 0123 as 83 and no as false: what was meant is only known in quotes.
            raise self.wrong(place, "must be a text; put it in quotes")
        return value

    def span(self, value: Any, place: str) -> datetime.timedelta:
        """A length of time such as `15 min`, `90s`, or seconds as a number."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = float(value)
        elif isinstance(value, str) and (found := _SPAN.fullmatch(value.strip())):
            seconds = float(found[1]) * _SECONDS[found[2]]
        else:
            raise self.wrong(place, "must be a length of time such as 30s, 15min, 2h or 1d")
        if not 0 <= seconds < 1e9:
            raise self.wrong(place, "is too long")
        return datetime.timedelta(seconds=seconds)

    def _moment(self, value: Any, place: str) -> datetime.datetime:
        if isinstance(value, str):
            try:
                value = datetime.datetime.fromisoformat(value)
            except ValueError:
                value = None
        if not isinstance(value, datetime.datetime):
            raise self.wrong(place, "must be a time such as 2027-01-31T08:00:00Z")
        return value.astimezone(datetime.UTC) if value.tzinfo else value.replace(tzinfo=datetime.UTC)


def _field(message: Message, key: str) -> FieldDescriptor | None:
    fields = message.DESCRIPTOR.fields_by_name
    return fields.get(key) or message.DESCRIPTOR.fields_by_camelcase_name.get(key)


def _referring(message: Message, key: str) -> FieldDescriptor | None:
    """The secret field that `passwordFrom` or `password_from` is about."""
    for suffix in (_FROM, "_from"):
        field = _field(message, key.removesuffix(suffix)) if key.endswith(suffix) else None
        if field is not None and cells.is_secret(field):
            return field
    return None


def _known(message: Message) -> list[str]:
    names: list[str] = []
    for field in message.DESCRIPTOR.fields:
        names.append(field.name)
        if cells.is_secret(field):
            names.append(field.json_name + _FROM)
    return names


def folder_of(file: IO[str]) -> Path:
    """Where paths in the file begin: its folder; for standard input the current one."""
    name = getattr(file, "name", "")
    return Path(name).parent if isinstance(name, str) and name not in ("", "<stdin>") else Path()
