"""Delfin's access infos: JSON with passwords in base64, told again in the words of the contract."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any

from delphis.inventory.v1 import inventory_pb2
from delphis.type.v1 import access_pb2
from services.importing.errors import Untakeable
from services.importing.source import Values

Block = access_pb2.RestAccess | access_pb2.SshAccess | access_pb2.CliAccess | access_pb2.SmisAccess

BLOCKS = ("rest", "ssh", "cli", "smis")
_LOGIN = ("host", "port", "username", "password")
_FIELDS = {
    "rest": _LOGIN,
    "ssh": (*_LOGIN, "pub_key", "pub_key_type"),
    "cli": _LOGIN,
    "smis": (*_LOGIN, "namespace"),
}
# An SSH key begins with the name of its type: the length in 4 bytes, then the text. None is longer than this.
_MOST_TYPE = 64


def add_access(request: inventory_pb2.ImportStorageRequest, row: Values) -> list[str]:
    """Puts what a row of access_info holds into the request; what its operator should know.

    Untakeable where something can't be told in the contract's words. No message repeats a value.
    """
    notes: list[str] = []
    for name in BLOCKS:
        values = _object(name, row[name])
        if values:
            notes += _add_block(getattr(request, name), name, values)
    for key, value in _object("extra_attributes", row["extra_attributes"]).items():
        if value is None:
            notes.append(f"extra_attributes.{key} is null and not taken")
        elif isinstance(value, dict | list):
            raise Untakeable(f"extra_attributes.{key} is neither a text nor a number")
        else:
            # What a driver got as True or 1 it now gets as a text, as JSON writes it.
            request.extra_attributes[key] = value if isinstance(value, str) else json.dumps(value)
    return notes


def decoded(path: str, encoded: str) -> str:
    """The password that Delfin's own cryptor encoded. Untakeable where it was not that one."""
    try:
        return base64.b64decode(encoded.strip().encode("ascii"), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeError):
        raise Untakeable(
            f"{path} is not base64 of a text: Delfin was run with another delfin_cryptor, or the row is damaged;"
            " register this array by hand"
        ) from None


def _object(name: str, text: str | None) -> dict[str, Any]:
    """The JSON object in a column; empty where there is none. Some writers encode twice."""
    found: Any = text
    for _ in range(2):
        if not isinstance(found, str) or not found.strip():
            break
        try:
            found = json.loads(found)
        except ValueError:  # its text quotes the value, and with it perhaps a password
            raise Untakeable(f"{name} is no JSON") from None
    if not found:
        return {}
    if not isinstance(found, dict):
        raise Untakeable(f"{name} is no JSON object")
    return found


def _add_block(block: Block, name: str, values: Mapping[str, Any]) -> list[str]:
    known = _FIELDS[name]
    for field in known:
        if values.get(field) is not None:
            _set(block, name, field, values[field])
    block.SetInParent()
    notes = _not_taken(name, (key for key in values if key not in known))
    if isinstance(block, access_pb2.SshAccess):
        notes += _host_key(block)
    return notes


def _set(block: Block, name: str, field: str, value: Any) -> None:
    path = f"{name}.{field}"
    if field == "port":
        block.port = _port(path, value)
        return
    if not isinstance(value, str):
        raise Untakeable(f"{path} is no text")
    if field == "password":
        block.password = decoded(path, value)
    else:
        setattr(block, field, value.strip() if field == "host" else value)


def _port(path: str, value: Any) -> int:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value.strip()[:10])
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 65535:
        raise Untakeable(f"{path} is no number from 0 to 65535")
    return value


def _not_taken(name: str, keys: Iterable[str]) -> list[str]:
    return [f"{name}.{key} is no field of Delfin's access info that is known here, and not taken" for key in keys]


def _host_key(block: access_pb2.SshAccess) -> list[str]:
    """Brings the host key into one form. Without one Delfin took any host; here the first that answers is pinned."""
    words = block.pub_key.split()
    if not words:
        block.ClearField("pub_key")
        block.ClearField("pub_key_type")
        block.host_key_policy = access_pb2.SSH_HOST_KEY_POLICY_TRUST_FIRST
        return ["ssh has no host key: the first one that the array shows will be pinned"]
    key = words[1] if len(words) > 1 else words[0]
    key_type = _key_type(key)
    if key_type is None:
        return []  # the inventory judges what it is
    block.pub_key = key
    if not block.pub_key_type:
        block.pub_key_type = key_type
        return [f"ssh.pub_key_type was not set: the key is one of {key_type}"]
    return []


def _key_type(key: str) -> str | None:
    """The type that an SSH public key names itself."""
    try:
        blob = base64.b64decode(key.encode("ascii"), validate=True)
        length = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 or not 0 < length <= _MOST_TYPE or len(blob) <= 4 + length:
            return None
        return blob[4 : 4 + length].decode("ascii")
    except (binascii.Error, UnicodeError):
        return None
