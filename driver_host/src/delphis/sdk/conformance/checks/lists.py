"""The lists: that they come, whole, in messages of the right size, and name the same things twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import NotRun, demands
from delphis.sdk.conformance.listing import Listing
from delphis.sdk.conformance.report import Problem
from delphis.sdk.host.contract import FIRST_CORE_OWNED, item_of
from delphis.type.v1 import errors_pb2

MOST_ITEMS = 500
MOST_BYTES = 1 << 20
MOST_NATIVE_KEYS = 32
MOST_NATIVE_BYTES = 4096


@demands("lists.read", "Each announced list is answered in time and without an error.")
def read(bench: Bench) -> Iterator[Problem]:
    _ = bench.storage
    for method in bench.list_methods():
        listing = bench.listing(method)
        if not listing.reply.ok:
            yield Problem(str(listing.reply), method.name, "A list of a healthy array must be read to its end.")
        elif len(listing.messages) != len(listing.reply.payloads):
            yield Problem("A message is no part of the list.", method.name, "Generate the stubs anew.")


@demands("lists.complete", "Each list ends with `complete`, in the last message and only there, and lacks nothing.")
def complete(bench: Bench) -> Iterator[Problem]:
    for listing in bench.lists():
        yield from completeness(listing)


def completeness(listing: Listing) -> Iterator[Problem]:
    """What is wrong with the end of a stream."""
    marked = [number for number, message in enumerate(listing.messages) if message.complete]
    warnings = [warning for message in listing.messages for warning in message.warnings]
    if not marked:
        said = f": {warnings[0].message.rstrip('.')}" if warnings else ", and no warning says why"
        yield Problem(
            f"It is not marked complete{said}.", listing.rpc, "Nothing is ever removed by an incomplete list."
        )
    elif marked != [len(listing.messages) - 1]:
        yield Problem(
            f"`complete` stands in message {', '.join(str(n + 1) for n in marked)} of {len(listing.messages)}.",
            listing.rpc,
            "Set it in the last message only.",
        )


@demands("lists.warnings", "No list warns that the driver broke the contract.")
def warnings(bench: Bench) -> Iterator[Problem]:
    for listing in bench.lists():
        yield from broken_contract(listing)


def broken_contract(listing: Listing) -> Iterator[Problem]:
    """What the host says of the driver in a stream."""
    for message in listing.messages:
        for warning in message.warnings:
            if warning.reason == errors_pb2.REASON_DRIVER_BROKE_CONTRACT:
                yield Problem(f"The host warns: {warning.message}", listing.rpc, "See the contract's comments.")


@demands("lists.batches", "A message holds at most 500 items and 1 MiB.")
def batches(bench: Bench) -> Iterator[Problem]:
    for listing in bench.lists():
        yield from sizes(listing)


def sizes(listing: Listing) -> Iterator[Problem]:
    """What is wrong with the sizes of a stream's messages."""
    for number, message in enumerate(listing.messages, 1):
        if len(message.items) > MOST_ITEMS:
            yield Problem(
                f"Message {number} has {len(message.items)} items.", listing.rpc, f"Send at most {MOST_ITEMS}."
            )
        warnings = sum(warning.ByteSize() + 8 for warning in message.warnings)
        if message.ByteSize() - warnings - 16 > MOST_BYTES:
            yield Problem(f"Message {number} has {message.ByteSize()} bytes.", listing.rpc, "Send at most 1 MiB.")


@demands("lists.empty-messages", "Only the last message of a list may have no items.")
def empty_messages(bench: Bench) -> Iterator[Problem]:
    for listing in bench.lists():
        if any(not message.items for message in listing.messages[:-1]):
            yield Problem("An empty message stands before others.", listing.rpc, "Send it only at the end.")


@demands("lists.ids-set", "Each resource has its native id, without control characters.")
def ids_set(bench: Bench) -> Iterator[Problem]:
    for listing in bench.lists():
        for number, native_id in enumerate(listing.native_ids):
            if not native_id.strip() or not native_id.isprintable():
                name = getattr(listing.items[number], "name", "")
                yield Problem(f"The native id of item {number} ({name!r}) is {native_id!r}.", listing.rpc)


@demands("lists.ids-unique", "A native id stands in a list once.")
def ids_unique(bench: Bench) -> Iterator[Problem]:
    for listing in bench.lists():
        twice = [native_id for native_id, count in Counter(listing.native_ids).items() if count > 1]
        if twice:
            yield Problem(
                f"{len(twice)} native ids stand in it more than once, such as {twice[0]!r}.",
                listing.rpc,
                "Use the array's immutable id; two things never share one.",
            )


@demands("lists.ids-stable", "Two lists name the same native ids.")
def ids_stable(bench: Bench) -> Iterator[Problem]:
    for listing in bench.lists():
        yield from _stable(bench, listing)


def _stable(bench: Bench, first: Listing) -> Iterator[Problem]:
    before, differ = first, list[str]()
    for attempt in range(1, 4):  # something may have come or gone meanwhile
        after = bench.listing(first.method, attempt)
        if not after.reply.ok:
            yield Problem(f"The list could not be read again: {after.reply}", first.rpc)
            return
        differ = sorted(set(before.native_ids) ^ set(after.native_ids))
        if not differ:
            return
        before = after
    yield Problem(
        f"Lists differ each time, in {len(differ)} native ids, such as {differ[0]!r}.",
        first.rpc,
        "Take the array's own immutable id, no counter and no hash of a process.",
    )


@demands("lists.core-owned", "A driver sets no field that the inventory owns (numbers from 200).")
def core_owned(bench: Bench) -> Iterator[Problem]:
    for listing in bench.lists():
        fields = {
            field.name for item in listing.items for field, _ in item.ListFields() if field.number >= FIRST_CORE_OWNED
        }
        for name in sorted(fields):
            yield Problem(f"{name} is set.", listing.rpc, "Leave it to the inventory.")


@demands("lists.native", "`native` has at most 32 keys and 4 KiB.")
def native(bench: Bench) -> Iterator[Problem]:
    storage = bench.storage
    yield from native_map(storage.native, "the array", "GetStorage")
    for listing in bench.lists():
        for item in listing.items:
            yield from native_map(item.native, repr(item.name), listing.rpc)


def native_map(words: Mapping[str, str], which: str, where: str) -> Iterator[Problem]:
    """What is wrong with the vendor's words of an item."""
    size = sum(len(key.encode()) + len(value.encode()) for key, value in words.items())
    if len(words) > MOST_NATIVE_KEYS or size > MOST_NATIVE_BYTES or "" in words:
        yield Problem(f"`native` of {which} has {len(words)} keys and {size} bytes.", where, "Leave some out.")


@demands("lists.wwns-unique", "A volume's WWN stands in the list once.")
def wwns_unique(bench: Bench) -> Iterator[Problem]:
    listing = next((each for each in bench.lists() if each.kind == "volume"), None)
    if listing is None:
        raise NotRun("no volumes could be read")
    counted = Counter(volume.wwn for volume in listing.items if volume.wwn)
    for wwn, count in counted.items():
        if count > 1:
            yield Problem(f"{count} volumes have the WWN {wwn!r}.", listing.rpc, "It is unique in the world.")


@demands("lists.types", "Items carry no fields of another message.")
def types(bench: Bench) -> Iterator[Problem]:
    for listing in bench.lists():
        kind = item_of(listing.method).kind
        for item in listing.items:
            known: Any = kind.FromString(item.SerializeToString())
            size = known.ByteSize()
            known.DiscardUnknownFields()
            if known.ByteSize() != size:
                yield Problem(
                    f"An item has fields that {kind.DESCRIPTOR.name} has not.",
                    listing.rpc,
                    "Generate the stubs from the contract that this kit has, or update the kit.",
                )
                break
