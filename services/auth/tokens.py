"""Tokens in the store."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select, update

from delphis.type.v1 import options_pb2
from services.auth.secret import hash_of, new_secret
from services.calls.errors import CallError, invalid
from services.calls.method import DriverLimits
from services.inventory.schema.auth import tokens
from services.store.connection import Connection, Row
from services.store.errors import DuplicateKey
from services.store.statement import statement

SCOPES = {
    "read": options_pb2.SCOPE_READ,
    "operate": options_pb2.SCOPE_OPERATE,
    "admin": options_pb2.SCOPE_ADMIN,
}
"""What a token may be given. Scope `service` is for our own processes, whose token is not in the store."""
CHANGED = "tokens"
"""The topic that is signalled when the table changed."""

DRIVER = options_pb2.SCOPE_DRIVER
"""The scope of tokens with which hosts announce themselves; it comes with limits, and alone."""
MOST_PAIRS = 1000

_DRIVER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NAMES = {**{number: name for name, number in SCOPES.items()}, DRIVER: "driver"}
_SCOPES = {name: number for number, name in _NAMES.items()}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_INSERT = statement(insert(tokens))
_ALL = statement(select(tokens).order_by(tokens.c.name))
_BY_NAME = statement(select(tokens.c.id).where(tokens.c.name == bindparam("name")))
_DELETE = statement(delete(tokens).where(tokens.c.id == bindparam("id")))
_USED = statement(
    update(tokens)
    .where(tokens.c.id == bindparam("token_id"), tokens.c.last_used_at < bindparam("at"))
    .values(last_used_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without its secret. Times are microseconds since 1970; 0: never."""

    id: uuid.UUID
    name: str
    secret_hash: bytes
    scopes: frozenset[options_pb2.Scope.ValueType]
    created_at: int
    expires_at: int
    last_used_at: int
    driver: DriverLimits | None = None


def create(
    connection: Connection,
    name: str,
    scopes: Iterable[options_pb2.Scope.ValueType],
    expires_at: int = 0,
    driver: DriverLimits | None = None,
) -> tuple[Token, str]:
    """Stores a new token; returns it and its secret, which is nowhere else.

    CallError INVALID_INPUT or TOKEN_ALREADY_EXISTS where it can't be made.
    """
    now = time.time_ns() // 1000
    if not 1 <= len(name) <= 255 or _CONTROL.search(name):
        raise invalid("name", "It must have 1 to 255 characters, none of them a control character.")
    if 0 < expires_at <= now:
        raise invalid("expires_at", "It must lie in the future.")
    granted = frozenset(scopes)
    if driver is not None:
        if not granted <= {DRIVER}:
            raise invalid("scopes", "A token for a driver's hosts has no other scope; make two tokens.")
        granted = frozenset({DRIVER})
        _check(driver)
    elif not granted or not granted <= _NAMES.keys() - {DRIVER}:
        raise invalid("scopes", f"Name one or more of {', '.join(SCOPES)}.")
    secret = new_secret()
    token = Token(uuid.uuid4(), name, hash_of(secret), granted, now, expires_at, 0, driver)
    limits = (driver.name, json.dumps(sorted(driver.serves))) if driver is not None else ("", "")
    row = (token.id.bytes, name, token.secret_hash, _text_of(granted), now, expires_at, 0, *limits)
    taken = CallError("TOKEN_ALREADY_EXISTS", f"There is a token {name}; use another name.", metadata={"name": name})
    if connection.one(_BY_NAME, {"name": name}) is not None:
        raise taken
    try:
        connection.run(_INSERT, row)
    except DuplicateKey:
        raise taken from None
    connection.signal(CHANGED)
    return token, secret


def load(connection: Connection) -> list[Token]:
    """All tokens by name."""
    return [_token(row) for row in connection.all(_ALL)]


def remove(connection: Connection, token_id: str) -> None:
    """Deletes a token; TOKEN_NOT_FOUND where there is none."""
    try:
        parsed = uuid.UUID(token_id)
    except ValueError:
        parsed = None
    if parsed is None or not connection.run(_DELETE, {"id": parsed.bytes}):
        raise CallError("TOKEN_NOT_FOUND", f"There is no token {token_id}.", metadata={"token_id": token_id})
    connection.signal(CHANGED)


def mark_used(connection: Connection, used: Iterable[tuple[uuid.UUID, int]]) -> None:
    """Notes when tokens were last used, in microseconds."""
    connection.many(_USED, [{"token_id": token_id.bytes, "at": at} for token_id, at in used])


def scopes_of(text: str) -> list[options_pb2.Scope.ValueType]:
    """The scopes in `read,operate`; INVALID_INPUT for other names."""
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in SCOPES]
    if unknown or not names:
        raise invalid("scopes", f"Name one or more of {', '.join(SCOPES)}, joined by commas.")
    return [SCOPES[name] for name in names]


def pair_of(text: str) -> tuple[str, str]:
    """The pair in `vendor/model`; INVALID_INPUT for other texts."""
    vendor, _, model = text.partition("/")
    if not vendor or not model:
        raise invalid("serves", f"Write VENDOR/MODEL, such as acme/box, not {text!r}.")
    return vendor, model


def _check(limits: DriverLimits) -> None:
    if not _DRIVER_NAME.fullmatch(limits.name):
        raise invalid("driver.name", "It must be letters, digits, dots, dashes and underscores, such as dev.acme.box.")
    if not 1 <= len(limits.serves) <= MOST_PAIRS:
        raise invalid("driver.serves", f"Name 1 to {MOST_PAIRS} pairs of vendor and model.")
    for text in (text for pair in limits.serves for text in pair):
        if not 1 <= len(text) <= 255 or text != text.strip() or _CONTROL.search(text):
            raise invalid(
                "driver.serves",
                "Vendor and model must have 1 to 255 characters, no control characters, no spaces around them.",
            )


def _text_of(scopes: Iterable[options_pb2.Scope.ValueType]) -> str:
    return ",".join(_NAMES[scope] for scope in sorted(scopes))


def _token(row: Row) -> Token:
    token_id, name, secret_hash, scopes, created_at, expires_at, last_used_at, driver, serves = row
    # A scope that this version doesn't know gives no right.
    known = frozenset(_SCOPES[scope] for scope in scopes.split(",") if scope in _SCOPES)
    if not driver:  # without limits it must give no right either
        known -= {DRIVER}
    limits = (
        DriverLimits(driver, frozenset((vendor, model) for vendor, model in json.loads(serves))) if driver else None
    )
    return Token(
        uuid.UUID(bytes=bytes(token_id)), name, bytes(secret_hash), known, created_at, expires_at, last_used_at, limits
    )
