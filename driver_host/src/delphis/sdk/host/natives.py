"""The vendor's own words of a resource, of which only so many are taken."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from delphis.sdk import errors
from delphis.sdk.context import Context

MOST_KEYS = 32
MOST_BYTES = 4096

_native = attrgetter("native")


def may_be_too_much(messages: Sequence[Any]) -> bool:
    """Whether `cut_natives` should look at these. Quick, for messages whose words are few."""
    # What is shorter as a whole can't have too many bytes of words.
    return any(map(_native, messages)) and any(
        len(message.native) > MOST_KEYS or message.ByteSize() > MOST_BYTES for message in messages
    )


def cut_natives(messages: Sequence[Any], context: Context) -> None:
    """Leaves out what is too much of each message's `native`, and says so in a warning.

    Keys are taken in their order, as long as they fit: the same words always leave the same, however the driver put
    them together.
    """
    for message in messages:
        if len(message.native) > MOST_KEYS or _size(message.native) > MOST_BYTES:
            _cut(message)
            context.warn_once(
                f"{message.DESCRIPTOR.name}.native has more than {MOST_KEYS} keys or {MOST_BYTES} bytes: what is too "
                "much, in the order of the keys, was left out.",
                reason=errors.DriverBrokeContract,
            )


def _size(words: Any) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in words.items())


def _cut(message: Any) -> None:
    left, keys = MOST_BYTES, MOST_KEYS
    for key in sorted(message.native):
        size = len(key.encode()) + len(message.native[key].encode())
        if size > left or not keys:
            del message.native[key]
        else:
            left, keys = left - size, keys - 1
