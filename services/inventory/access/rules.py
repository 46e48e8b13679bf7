"""What an operator may give as access info: the rules of SODA Delfin's API, and those of the fields it has not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from delphis.type.v1 import access_pb2
from services.calls.errors import CallError, invalid

BLOCKS = ("rest", "ssh", "cli", "smis")
"""In the order in which they name an array's address."""

HOST = re.compile(r"[a-zA-Z0-9\-_.:]*")
EXTRA_KEY = re.compile(r"[a-zA-Z0-9\-_:. ]{1,255}")
PUB_KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "ssh-dss",
)
MAX_TIMEOUT = 600.0
_SHA256 = re.compile(r"(?:[0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}")
_KNOWN_BY_POLICY = (access_pb2.SSH_HOST_KEY_POLICY_TRUST_FIRST, access_pb2.SSH_HOST_KEY_POLICY_OFF)

Block = access_pb2.RestAccess | access_pb2.SshAccess | access_pb2.CliAccess | access_pb2.SmisAccess
Check = Callable[[str, Any], None]


class HasBlocks(Protocol):
    """RegisterStorageRequest, UpdateAccessInfoRequest and AccessInfo alike."""

    @property
    def rest(self) -> access_pb2.RestAccess: ...
    @property
    def ssh(self) -> access_pb2.SshAccess: ...
    @property
    def cli(self) -> access_pb2.CliAccess: ...
    @property
    def smis(self) -> access_pb2.SmisAccess: ...
    @property
    def HasField(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class BlockRules:
    """What a block must have, and what its fields may be."""

    required: tuple[str, ...]
    required_in_update: tuple[str, ...]
    fields: Mapping[str, Check]


def text(least: int, most: int, pattern: re.Pattern[str] | None = None) -> Check:
    """A text of so many characters."""

    def check(path: str, value: str) -> None:
        if not least <= len(value) <= most:
            raise invalid(path, f"It must have {least} to {most} characters, this has {len(value)}.")
        if pattern is not None and not pattern.fullmatch(value):
            raise invalid(path, "It may have letters, digits and `-_.:` only.")

    return check


def _port(path: str, value: int) -> None:
    if not 0 <= value <= 65535:
        raise invalid(path, f"It must be a number from 0 to 65535, this is {value}.")


def _pub_key_type(path: str, value: str) -> None:
    if value not in PUB_KEY_TYPES:
        raise invalid(path, f"It must be one of {', '.join(PUB_KEY_TYPES)}.")


def _timeout(path: str, value: Duration) -> None:
    if not 0 < value.seconds + value.nanos / 1e9 <= MAX_TIMEOUT:
        raise invalid(path, f"It must be more than 0 s and at most {MAX_TIMEOUT:g} s.")


def _rate(path: str, value: float) -> None:
    if not math.isfinite(value) or value < 0:
        raise invalid(path, "It must be a number of at least 0.")


def _policy(path: str, value: int) -> None:
    names = access_pb2.SshHostKeyPolicy.DESCRIPTOR.values_by_number
    if value not in names or value == access_pb2.SSH_HOST_KEY_POLICY_UNKNOWN:
        raise invalid(path, "It must be pinned, trust_first or off.")


def _tls(path: str, tls: access_pb2.Tls) -> None:
    if tls.mode not in access_pb2.TlsMode.DESCRIPTOR.values_by_number or tls.mode == access_pb2.TLS_MODE_UNKNOWN:
        raise invalid(f"{path}.mode", "It must be verify, pinned or off.")
    pin = tls.pinned_certificate_sha256
    if tls.HasField("pinned_certificate_sha256") and not _SHA256.fullmatch(pin):
        raise invalid(f"{path}.pinned_certificate_sha256", "It must be 64 hexadecimal digits.")
    if tls.mode == access_pb2.TLS_MODE_PINNED and not pin:
        raise invalid(f"{path}.pinned_certificate_sha256", "It is required where mode is pinned.")
    if tls.HasField("ca_certificates") and "-----BEGIN CERTIFICATE-----" not in tls.ca_certificates:
        raise invalid(f"{path}.ca_certificates", "It must hold certificates in PEM form.")
    text(0, 65536)(f"{path}.ca_certificates", tls.ca_certificates)
    text(0, 255, HOST)(f"{path}.server_name", tls.server_name)


_LOGIN: dict[str, Check] = {
    "host": text(0, 255, HOST),
    "port": _port,
    "username": text(1, 255),
    "password": text(1, 255),
}

RULES: dict[str, BlockRules] = {
    "rest": BlockRules(
        required=("host", "port", "username", "password"),
        required_in_update=("host", "port", "username", "password"),
        fields={
            **_LOGIN,
            "token": text(1, 65536),
            "tls": _tls,
            "connect_timeout": _timeout,
            "read_timeout": _timeout,
            "max_requests_per_second": _rate,
        },
    ),
    "ssh": BlockRules(
        required=("host", "port", "username", "password", "pub_key"),
        required_in_update=("host", "port", "username"),
        fields={
            **_LOGIN,
            "pub_key": text(1, 4096),
            "pub_key_type": _pub_key_type,
            "host_key_policy": _policy,
            "private_key": text(1, 65536),
            "private_key_passphrase": text(1, 1024),
        },
    ),
    "cli": BlockRules(
        required=("host", "username", "password"), required_in_update=("host", "username", "password"), fields=_LOGIN
    ),
    "smis": BlockRules(
        required=("host", "username", "password"),
        required_in_update=("host", "username", "password"),
        fields={**_LOGIN, "namespace": text(1, 255), "tls": _tls},
    ),
}


def has(message: Message, field: str) -> bool:
    """Whether the field is set; its name known at run time only."""
    return message.HasField(field)


def given_blocks(message: HasBlocks) -> list[tuple[str, Block]]:
    """The blocks that are there, by name."""
    return [(name, getattr(message, name)) for name in BLOCKS if message.HasField(name)]


def check_blocks(message: HasBlocks, *, update: bool = False) -> None:
    """INVALID_INPUT with the field's name where a block breaks its rules."""
    for name, block in given_blocks(message):
        rules = RULES[name]
        for required in rules.required_in_update if update else rules.required:
            if not has(block, required) and not _replaced(block, required):
                raise invalid(f"{name}.{required}", f"'{required}' is a required property.")
        for field, check in rules.fields.items():
            if has(block, field):
                check(f"{name}.{field}", getattr(block, field))


def check_some_block(message: HasBlocks) -> None:
    """INVALID_INPUT where there is no way to reach the array at all."""
    if not given_blocks(message):
        raise CallError(
            "INVALID_INPUT",
            f"Invalid input for field/attribute access_info. At least one of {', '.join(BLOCKS)} must be given.",
            metadata={"field": "access_info"},
        )


def check_extra_attributes(attributes: Mapping[str, str]) -> None:
    """INVALID_INPUT where a key or a value can't be taken. Values are secret: none is repeated."""
    for key, value in attributes.items():
        if not EXTRA_KEY.fullmatch(key):
            raise invalid("extra_attributes", "Keys must have 1 to 255 letters, digits and `-_:. `.")
        if len(value) > 255:
            raise invalid(f"extra_attributes.{key}", f"It must have at most 255 characters, this has {len(value)}.")


def _replaced(block: Message, field: str) -> bool:
    """Whether something that Delfin has no word for stands in the required field's place."""
    if isinstance(block, access_pb2.RestAccess):
        return field in ("username", "password") and block.HasField("token")
    if isinstance(block, access_pb2.SshAccess):
        if field == "pub_key" and block.host_key_policy in _KNOWN_BY_POLICY:
            return True
        return field in ("password", "pub_key") and block.HasField("private_key")
    return False
