"""Keeps secrets out of logs, errors and printed requests.

What is secret is said once, by the option `delphis.type.v1.secret` in the protos. Messages are redacted on a copy; text
is scrubbed of every secret that the process holds at the moment.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from typing import TypeVar
from urllib.parse import quote, quote_plus

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from delphis.type.v1 import access_pb2, options_pb2

MASK = "***"

# A shorter secret is masked only where it stands alone: else the password "1" would blank every digit of the log.
SHORTEST_ANYWHERE = 6

_M = TypeVar("_M", bound=Message)


def is_secret(field: FieldDescriptor) -> bool:
    """Whether the contract marks a field as a secret."""
    return bool(field.GetOptions().Extensions[options_pb2.secret])


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether a field is repeated, asked in a way that protobuf 5 understands as well as 7."""
    if hasattr(field, "is_repeated"):
        return field.is_repeated
    return bool(getattr(field, "label") == FieldDescriptor.LABEL_REPEATED)  # noqa: B009 - unknown to newer stubs


def _map_value(field: FieldDescriptor) -> FieldDescriptor | None:
    """The field of a map's values; None where the field is no map."""
    entry = field.message_type
    return entry.fields_by_name["value"] if entry is not None and entry.GetOptions().map_entry else None


@cache
def _fields_to_look_at(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """The fields that are secret, or under which a secret may lie."""
    return tuple(
        field
        for field in descriptor.fields
        if is_secret(field)
        or (field.message_type is not None and _holds_secrets(field.message_type, frozenset({descriptor.full_name})))
    )


def _holds_secrets(descriptor: Descriptor, seen: frozenset[str]) -> bool:
    if descriptor.full_name in seen:
        return False
    return any(
        is_secret(field)
        or (field.message_type is not None and _holds_secrets(field.message_type, seen | {descriptor.full_name}))
        for field in descriptor.fields
    )


def _below(message: Message, field: FieldDescriptor) -> Iterator[Message]:
    """The messages in a field, be it single, repeated or a map."""
    value = getattr(message, field.name)
    if (entry := _map_value(field)) is not None:
        yield from value.values() if entry.message_type is not None else ()
    elif is_repeated(field):
        yield from value
    elif message.HasField(field.name):
        yield value


def redacted(message: _M) -> _M:
    """A copy of a message without its secrets. The message itself stays as it is.

    Secret texts become `***`, so that it can be seen that there is one; secret messages are left out; of secret maps
    the keys remain. Fields that this version doesn't know are left out, as they may be secret.
    """
    copy = type(message)()
    copy.CopyFrom(message)
    copy.DiscardUnknownFields()
    _redact(copy)
    return copy


def _redact(message: Message) -> None:
    for field in _fields_to_look_at(message.DESCRIPTOR):
        if not is_secret(field):
            for part in _below(message, field):
                _redact(part)
        elif (entry := _map_value(field)) is not None and entry.type == FieldDescriptor.TYPE_STRING:
            entries = getattr(message, field.name)
            for key in list(entries):
                entries[key] = MASK
        elif field.type == FieldDescriptor.TYPE_STRING and not is_repeated(field) and getattr(message, field.name):
            setattr(message, field.name, MASK)
        else:
            message.ClearField(field.name)


def secrets_of(message: Message, plain: Collection[str] = ()) -> set[str]:
    """All secret texts in a message.

    Args:
        message: Any message of the contract.
        plain: Keys of secret maps whose values are no secrets: those `extra_attributes` that the driver declares plain.
    """
    return {text for text in _secret_texts(message, frozenset(plain)) if text}


def _secret_texts(message: Message, plain: frozenset[str]) -> Iterator[str]:
    for field in _fields_to_look_at(message.DESCRIPTOR):
        secret = is_secret(field)
        if secret and _map_value(field) is not None:
            for key, value in getattr(message, field.name).items():
                if key not in plain and isinstance(value, str):
                    yield value
        elif field.message_type is not None:
            # Target.access_info is secret as a whole, yet not every text in it (host, port) is one.
            for part in _below(message, field):
                yield from _secret_texts(part, plain)
        elif secret:
            value = getattr(message, field.name)
            for text in value if is_repeated(field) else (value,):
                yield text.decode("latin-1") if isinstance(text, bytes) else str(text)


def basic_credentials(access_info: access_pb2.AccessInfo) -> set[str]:
    """The `user:password` pairs of HTTP's basic authentication, which reach logs in base64."""
    blocks = (access_info.rest, access_info.ssh, access_info.cli, access_info.smis)
    return {f"{block.username}:{block.password}" for block in blocks if block.password}


def spellings_of(secret: str) -> set[str]:
    """How a secret looks in logs: as it is, escaped for URL, JSON, Python, XML; in base64."""
    raw = secret.encode("utf-8", "surrogateescape")
    spellings = {
        secret,
        quote(raw),
        quote(raw, safe=""),
        quote_plus(raw),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
    }
    if len(raw) >= SHORTEST_ANYWHERE:
        spellings |= {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    # A key of several lines is also printed line by line.
    spellings |= {line.strip() for line in secret.splitlines() if len(line.strip()) >= 16}
    return spellings


class Secrets:
    """The secrets that the process holds, each kept as long as one of its owners lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_owner: dict[object, set[str]] = {}
        self._gone: deque[object] = deque()
        self._spellings: tuple[str, ...] = ()
        self._stale = False

    def add(self, owner: object, secrets: Iterable[str]) -> None:
        """Masks these texts until the owner (any hashable) is discarded."""
        fresh = {secret for secret in secrets if secret.strip()}
        if not fresh:
            return
        with self._lock:
            self._forget_gone()
            held = self._by_owner.setdefault(owner, set())
            if not fresh <= held:
                held |= fresh
                self._stale = True

    def discard(self, owner: object) -> None:
        """Forgets what the owner held. Waits for nobody: the garbage collector may call it while `_lock` is held."""
        self._gone.append(owner)
        self._stale = True

    def scrub(self, text: str) -> str:
        """The text with every secret in it replaced by `***`."""
        if self._stale:
            with self._lock:
                self._forget_gone()
                self._spellings = self._longest_first()
                self._stale = bool(self._gone)  # last: until then other threads must not go on with the old ones
        # A search for each is faster than one regular expression of thousands of alternatives (1,000 sessions).
        for spelling in self._spellings:
            if spelling in text:
                if len(spelling) >= SHORTEST_ANYWHERE:
                    text = text.replace(spelling, MASK)
                else:
                    text = re.sub(rf"(?<!\w){re.escape(spelling)}(?!\w)", lambda _: MASK, text)
        return text

    def _forget_gone(self) -> None:
        while self._gone:
            self._by_owner.pop(self._gone.popleft(), None)

    def _longest_first(self) -> tuple[str, ...]:
        secrets = {secret for held in self._by_owner.values() for secret in held}
        spellings = {spelling for secret in secrets for spelling in spellings_of(secret)}
        return tuple(sorted(spellings, key=lambda spelling: (-len(spelling), spelling)))


SECRETS = Secrets()


def one_line(text: str, longest: int = 600) -> str:
    """A text fit for an error: without the process's secrets, without line breaks, of so many bytes at most."""
    line = " ".join(SECRETS.scrub(text).split())
    raw = line.encode("utf-8", "backslashreplace")
    return raw.decode() if len(raw) <= longest else raw[: longest - 3].decode("utf-8", "ignore") + "…"
