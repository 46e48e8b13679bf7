"""Cuts what a driver lists into messages, and checks it on the way.

Runs in the driver's thread. The cost of an item is what protobuf takes to copy and serialise it; checks are done by
whole chunks in C, and looked into only where one fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter, methodcaller
from typing import Any

from google.protobuf.message import Message

from delphis.sdk import errors
from delphis.sdk.context import Context
from delphis.sdk.host.contract import Item, Method, item_of
from delphis.sdk.host.natives import cut_natives, may_be_too_much

MOST_ITEMS = 500
MOST_BYTES = 1 << 20
# The first message is small, so that the caller soon has something to do; between chunks other calls get a turn.
FIRST_ITEMS = 100
CHUNK_ITEMS = 100

Take = Callable[[int], Sequence[Any]]


def batches(take: Take, method: Method, context: Context, give_way: Callable[[], None]) -> Iterator[bytes]:
    """The messages of a stream, serialised.

    Args:
        take: Gives the next so many items of the driver; fewer only at the end.
        method: The RPC.
        context: The call: what the driver said in it goes into the last message.
        give_way: Called between chunks.

    Raises:
        errors.DriverBrokeContract: An item is of another type.
    """
    item = item_of(method)
    size = FIRST_ITEMS
    ended = False
    while not ended:
        response: Any = method.response()
        while size > 0 and not ended:
            asked = min(size, CHUNK_ITEMS)
            chunk = take(asked)
            ended = len(chunk) < asked
            size -= asked
            _add(response, chunk, item, method, context)
            if not ended:
                give_way()
        payloads = list(_cut(response, item, context))
        if ended:
            # Appending to a serialised message merges into it.
            payloads[-1] += tail(method, context)
        yield from payloads
        size = MOST_ITEMS if len(payloads) == 1 else max(1, len(response.items) // len(payloads))


def tail(method: Method, context: Context) -> bytes:
    """The part of a stream's last message that says how it ended."""
    last: Any = method.response(warnings=context.warnings)
    if context.is_complete:
        last.complete = True
    return bytes(last.SerializeToString(deterministic=True))


def _add(response: Any, chunk: Sequence[Any], item: Item, method: Method, context: Context) -> None:
    if item.native_id is not None and not all(map(attrgetter(item.native_id), _typed(chunk, item, method))):
        chunk = _with_native_id(chunk, item.native_id, context)
    begin = len(response.items)
    try:
        response.items.extend(chunk)
    except TypeError:
        _typed(chunk, item, method)
        raise
    if item.has_native and may_be_too_much(chunk):
        cut_natives(response.items[begin:], context)


def _typed(chunk: Sequence[Any], item: Item, method: Method) -> Sequence[Any]:
    """The chunk, all of whose items are of the type that the contract asks for."""
    if set(map(type, chunk)) - {item.kind}:
        wrong = next(each for each in chunk if type(each) is not item.kind)
        raise errors.DriverBrokeContract(
            f"{method.python_name} must return {item.kind.__name__} messages, not {type(wrong).__name__}.",
            method=method.name,
            returned=type(wrong).__name__,
        )
    return chunk


def _with_native_id(chunk: Sequence[Any], native_id: str, context: Context) -> list[Any]:
    kept: list[Any] = []
    for each in chunk:
        if getattr(each, native_id):
            kept.append(each)
        else:
            named = f" named {each.name!r}" if getattr(each, "name", "") else ""
            kind = each.DESCRIPTOR.name
            context.incomplete(f"A {kind}{named} has no {native_id}: left out.", reason=errors.DriverBrokeContract)
    return kept


def _serialised(response: Any, item: Item, context: Context) -> bytes:
    """The message without what the inventory owns.

    A driver sets that only by mistake, so the bytes are searched for the fields' tags, which costs next to nothing; to
    ask each item for each field took two of five microseconds. Where the tags are found, which may be by chance, the
    items are looked at.
    """
    payload: bytes = response.SerializeToString(deterministic=True)
    if item.core_owned_tags.search(payload) and _strip(response.items, item, context):
        payload = response.SerializeToString(deterministic=True)
    return payload


def _strip(items: Sequence[Message], item: Item, context: Context) -> bool:
    """Clears what the inventory owns; whether there was any."""
    found = [name for name in item.core_owned if any(map(methodcaller("HasField", name), items))]
    found += [name for name in item.core_owned_repeated if any(map(attrgetter(name), items))]
    for name in found:
        for each in items:
            each.ClearField(name)
        context.warn_once(
            f"{items[0].DESCRIPTOR.name}.{name} belongs to the inventory: left out.", reason=errors.DriverBrokeContract
        )
    return bool(found)


def _cut(response: Any, item: Item, context: Context) -> Iterator[bytes]:
    """The message serialised; in several parts where it is too long."""
    payload = _serialised(response, item, context)
    count = len(response.items)
    if len(payload) <= MOST_BYTES:
        yield payload
        return
    if count == 1:
        descriptor = response.items[0].DESCRIPTOR
        native_id = str(getattr(response.items[0], descriptor.fields_by_number[1].name))
        context.incomplete(
            f"A {descriptor.name} takes {len(payload)} bytes, more than fit into a message: left out.",
            native_id=native_id[:200],
            reason=errors.DriverBrokeContract,
        )
        yield b""
        return
    for half in (response.items[: count // 2], response.items[count // 2 :]):
        part = type(response)()
        part.items.extend(half)
        yield from _cut(part, item, context)
