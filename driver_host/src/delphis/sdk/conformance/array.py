"""The array that a driver is checked against: how it is reached, and what can't be expected of it.

A file in YAML, JSON or TOML:

    access:
      rest: {host: 10.0.0.5, port: 443, username: monitor, password: {env: ACME_PASSWORD}}
      extra_attributes: {array_id: "0001"}
    second:                       # another array of the same driver: what differs
      extra_attributes: {array_id: "0002"}
    wrong:                        # what makes the login wrong; default: other passwords, tokens and keys
      rest: {password: nonsense}

Secrets are named, not written: `{env: NAME}`, `{file: PATH}`, or `{generate: true}` for arrays that take any.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from delphis.sdk.conformance import documents
from delphis.sdk.conformance.errors import UsageError
from delphis.sdk.enums import UNKNOWN, from_text
from delphis.sdk.redaction import is_secret
from delphis.type.v1 import access_pb2
from delphis.type.v1.access_pb2 import AccessInfo

BLOCKS = ("rest", "ssh", "cli", "smis")
_VARIANTS = ("second", "wrong", "unreachable", "slow")
_FACTS = ("accepts_any_credentials", "makes_no_connection", "may_be_changed")
_ENUMS: dict[str, Any] = {"mode": access_pb2.TlsMode, "host_key_policy": access_pb2.SshHostKeyPolicy}


@dataclass(frozen=True)
class Array:
    """One array, and variants of its access info.

    Attributes:
        access: How it is reached.
        second: Another array of the same driver.
        wrong: A login that the array refuses; None: there is nothing to make wrong.
        unreachable: The same, where nobody listens; None: to be made from `access`.
        slow: An array that takes its time to answer.
        given: It comes from the author, and was not made up.
        accepts_any_credentials: The array has no login that it could refuse.
        makes_no_connection: There is no network behind the driver.
        may_be_changed: Calls that change the array (trap receivers, clearing of alerts) may be made.
    """

    access: AccessInfo
    second: AccessInfo | None = None
    wrong: AccessInfo | None = None
    unreachable: AccessInfo | None = None
    slow: AccessInfo | None = None
    given: bool = True
    accepts_any_credentials: bool = False
    makes_no_connection: bool = False
    may_be_changed: bool = False
    blocks: tuple[str, ...] = field(default=())

    def elsewhere(self, host: str, port: int) -> AccessInfo:
        """The access info with all its addresses replaced."""
        moved = AccessInfo()
        moved.CopyFrom(self.access)
        for name in self.blocks:
            block = getattr(moved, name)
            block.host, block.port = host, port
        return moved


def made_up() -> Array:
    """Access info for drivers that take any, such as that of the tutorial."""
    access = AccessInfo()
    access.rest.host, access.rest.port = "127.0.0.1", 443
    access.rest.username, access.rest.password = "conformance", secrets.token_urlsafe(18)
    return Array(access, given=False, blocks=("rest",))


def read(path: Path) -> Array:
    """The array of a file. UsageError where it can't be used."""
    return parse(documents.table(documents.read(path), str(path)), str(path), path.parent)


def parse(document: Mapping[str, Any], origin: str, folder: Path) -> Array:
    """The array of a document; files of secrets are relative to `folder`."""
    left = dict(document)
    access = _message(AccessInfo(), _table(left.pop("access", {}), f"{origin}: access"), f"{origin}: access", folder)
    variants: dict[str, AccessInfo] = {}
    for name in _VARIANTS:
        if name in left:
            where = f"{origin}: {name}"
            variant = AccessInfo()
            variant.CopyFrom(access)
            # What is wrong on purpose is no secret.
            written = name in ("wrong", "unreachable")
            variants[name] = _message(variant, _table(left.pop(name), where), where, folder, written=written)
    facts = {name: _fact(left.pop(name, False), f"{origin}: {name}") for name in _FACTS}
    if left:
        known = ", ".join(("access", *_VARIANTS, *_FACTS))
        raise UsageError(f"{origin} has {', '.join(map(repr, left))}; known are {known}.")
    blocks = tuple(name for name in BLOCKS if access.HasField(name))
    if "wrong" not in variants and (refused := _made_wrong(access)) is not None:
        variants["wrong"] = refused
    return Array(
        access,
        second=variants.get("second"),
        wrong=variants.get("wrong"),
        unreachable=variants.get("unreachable"),
        slow=variants.get("slow"),
        accepts_any_credentials=facts["accepts_any_credentials"],
        makes_no_connection=facts["makes_no_connection"],
        may_be_changed=facts["may_be_changed"],
        blocks=blocks,
    )


def _table(value: Any, where: str) -> dict[str, Any]:
    return documents.table(value, where)


def _fact(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{where} must be true or false, not {value!r}.")
    return value


def _message(message: Any, values: Mapping[str, Any], where: str, folder: Path, *, written: bool = False) -> Any:
    """Sets the fields of a message that a table names."""
    for key, value in values.items():
        place = f"{where}.{key}"
        found = message.DESCRIPTOR.fields_by_name.get(key)
        if found is None or found.number >= 200:
            known = ", ".join(each.name for each in message.DESCRIPTOR.fields if each.number < 200)
            raise UsageError(f"{place}: there is no such field; known are {known}.")
        if found.name == "extra_attributes":
            for name, text in _table(value, place).items():
                message.extra_attributes[name] = _text(text, f"{place}.{name}", folder)
        elif is_secret(found):
            if not isinstance(value, dict) and not written:
                raise UsageError(
                    f"{place} is a secret: write {{env: NAME}}, {{file: PATH}}, or {{generate: true}} if any will do."
                )
            setattr(message, key, _text(value, place, folder))
        elif isinstance(value, dict) and found.message_type is not None:
            getattr(message, key).SetInParent()
            _message(getattr(message, key), value, place, folder, written=written)
        else:
            _scalar(message, key, value, place, folder)
    return message


def _scalar(message: Any, key: str, value: Any, place: str, folder: Path) -> None:
    try:
        if key in _ENUMS and isinstance(value, str):
            found = from_text(_ENUMS[key], value)
            if found == UNKNOWN:
                raise ValueError("there is no such value")
            setattr(message, key, found)
        elif message.DESCRIPTOR.fields_by_name[key].message_type is not None:
            json_format.ParseDict({key: value}, message)  # a duration: "10s"
        else:
            setattr(message, key, _text(value, place, folder) if isinstance(value, dict) else value)
    except (TypeError, ValueError, json_format.ParseError) as error:
        raise UsageError(f"{place}: {value!r} can't be taken: {error}.") from None


def _text(value: Any, place: str, folder: Path) -> str:
    """A text, or the secret that a reference names."""
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case {"env": str(name), **rest} if not rest:
            if name not in os.environ:
                raise UsageError(f"{place}: the environment variable {name} is not set.")
            return os.environ[name]
        case {"file": str(name), **rest} if not rest:
            try:
                return (folder / name).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"{place}: {folder / name} can't be read: {error}.") from None
        case {"generate": True, **rest} if not rest:
            return secrets.token_urlsafe(18)
        case _:
            raise UsageError(f"{place} must be a text, {{env: NAME}}, {{file: PATH}} or {{generate: true}}.")


def _made_wrong(access: AccessInfo) -> AccessInfo | None:
    """The same with other secrets; None where it has none."""
    wrong = AccessInfo()
    wrong.CopyFrom(access)
    changed = False
    for name in BLOCKS:
        if wrong.HasField(name):  # type: ignore[arg-type]
            block: Message = getattr(wrong, name)
            for each, _ in block.ListFields():
                if is_secret(each):
                    changed = True
                    setattr(block, each.name, secrets.token_urlsafe(18))
    return wrong if changed else None


def closed_port() -> int:
    """A port of 127.0.0.1 at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
