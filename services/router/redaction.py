"""Takes the secrets of a call out of the error that answers it, should a driver have put them there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.message import Message

from delphis.type.v1 import access_pb2, options_pb2
from services.calls.errors import CallError

_MASK = "***"
# Shorter values occur in any text; to mask them would make errors unreadable and help nobody.
_SHORTEST = 4


def redact(error: CallError, access_info: access_pb2.AccessInfo, plain: Iterable[str]) -> CallError:
    """The error without the secrets of `access_info`. `plain` names the extra attributes that are none."""
    secrets = sorted({text for text in _secrets(access_info, frozenset(plain)) if len(text) >= _SHORTEST}, key=len)
    secrets.reverse()
    message, metadata = error.message, dict(error.metadata)
    for secret in secrets:
        message = message.replace(secret, _MASK)
        metadata = {key: value.replace(secret, _MASK) for key, value in metadata.items()}
    if message == error.message and metadata == error.metadata:
        return error
    return CallError(
        error.reason,
        message,
        metadata=metadata,
        retry_after=error.retry_after,
        code=error.code,
        domain=error.domain,
    )


def _secrets(message: Message, plain: frozenset[str]) -> Iterator[str]:
    for field, value in message.ListFields():
        secret = field.GetOptions().Extensions[options_pb2.secret]
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            if secret:
                yield from (str(text) for key, text in value.items() if key not in plain)
        elif secret:
            yield from (str(item) for item in (value if field.is_repeated else [value]))
        elif field.message_type is not None:
            for item in value if field.is_repeated else [value]:
                yield from _secrets(item, plain)
