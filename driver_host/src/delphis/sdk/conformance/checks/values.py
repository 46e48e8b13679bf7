"""Fields of resources: enums, texts, addresses, zeros."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import demands
from delphis.sdk.conformance.report import Problem
from delphis.sdk.redaction import is_repeated

_HEX_WITH_SEPARATORS = re.compile(r"(0[xX])?[0-9A-Fa-f]{2}([:. -]?[0-9A-Fa-f]{2})+")
_HEX = re.compile(r"[0-9a-f]+")
_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}")
_FREE_TEXT = frozenset({"description", "location", "cpu_info"})


def resources(bench: Bench) -> Iterator[tuple[str, Any]]:
    """The array and everything on it, each with the method that gave it."""
    yield "GetStorage", bench.storage
    if any(method.streams for method in _list_methods(bench)):
        for listing in bench.lists():
            for item in listing.items:
                yield listing.rpc, item


def _list_methods(bench: Bench) -> list[Any]:
    names = {rpc for rpc in bench.announced if rpc.startswith("List") and rpc != "ListAlerts"}
    return bench.list_methods() if names else []


def named(item: Any) -> str:
    """How an item is called in a sentence."""
    first = item.DESCRIPTOR.fields_by_number[1].name
    return f"{item.DESCRIPTOR.name} {getattr(item, first)!r}"


@demands("values.enums", "An enum has a value of the contract; unset, not UNSPECIFIED, where the array says nothing.")
def enums(bench: Bench) -> Iterator[Problem]:
    for where, item in resources(bench):
        yield from enum_values(where, item)


def enum_values(where: str, item: Any) -> Iterator[Problem]:
    """What is wrong with the enums of an item."""
    for field in item.DESCRIPTOR.fields:
        if field.type != FieldDescriptor.TYPE_ENUM or field.number >= 200 or not item.HasField(field.name):
            continue
        number = getattr(item, field.name)
        if number == 0:
            yield Problem(f"{field.name} of {named(item)} is UNSPECIFIED.", where, "Leave it unset.")
        elif number not in field.enum_type.values_by_number:
            yield Problem(
                f"{field.name} of {named(item)} is {number}, which {field.enum_type.name} has not.",
                where,
                "Use a value of the contract, or UNKNOWN, and put the array's word into `native`.",
            )


@demands("values.texts", "Names and ids have no control characters and no spaces around them.")
def texts(bench: Bench) -> Iterator[Problem]:
    for where, item in resources(bench):
        for field, value in item.ListFields():
            if field.type != FieldDescriptor.TYPE_STRING or is_repeated(field):
                continue
            allowed = value.replace("\n", "").replace("\t", "") if field.name in _FREE_TEXT else value
            if any(ord(character) < 32 or ord(character) == 127 for character in allowed):
                yield Problem(f"{field.name} of {named(item)} has control characters.", where, "Clean or leave it out.")
            elif field.name in ("name", "wwn", "serial_number") and value != value.strip():
                yield Problem(f"{field.name} of {named(item)} has spaces around it: {value!r}.", where, "Strip it.")


@demands("values.formats", "WWNs are lower case hexadecimal without separators; IP and MAC addresses are such.")
def formats(bench: Bench) -> Iterator[Problem]:
    looks: dict[str, tuple[Callable[[str], bool], str]] = {
        "wwn": (_is_wwn, "Write it in lower case, without 0x, colons, dots, dashes or spaces."),
        "ipv4": (lambda text: _is_address(text, 4), "Give an IPv4 address."),
        "ipv6": (lambda text: _is_address(text, 6), "Give an IPv6 address."),
        "mgmt_ip": (lambda text: _is_address(text, 0), "Give an IP address."),
        "mac_address": (lambda text: _MAC.fullmatch(text) is not None, "Give six bytes in hexadecimal, with colons."),
    }
    for where, item in resources(bench):
        for field, value in item.ListFields():
            if field.name in looks and not looks[field.name][0](value):
                yield Problem(f"{field.name} of {named(item)} is {value!r}.", where, looks[field.name][1])


def _is_wwn(text: str) -> bool:
    """What isn't hexadecimal at all is another id that is unique in the world."""
    if _HEX_WITH_SEPARATORS.fullmatch(text):
        return _HEX.fullmatch(text) is not None
    return bool(text) and not any(character.isspace() for character in text)


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text.partition("%")[0]).version == (version or ipaddress.ip_address(text).version)
    except ValueError:
        return False


@demands("values.zeros", "Zero is sent as zero: it is not left out, nor sent for what the array doesn't say.")
def zeros(bench: Bench) -> Iterator[Problem]:
    groups: dict[str, list[Any]] = {}
    for where, item in resources(bench):
        groups.setdefault(where, []).append(item)
    for where, items in groups.items():
        fields = items[0].DESCRIPTOR.fields_by_name
        if not all(name in fields for name in _CAPACITIES):
            continue
        for one, other in (("used_capacity", "free_capacity"), ("free_capacity", "used_capacity")):
            left_out = [
                item
                for item in items
                if item.HasField("total_capacity")
                and item.total_capacity > 0
                and item.HasField(other)
                and getattr(item, other) == item.total_capacity
                and not item.HasField(one)
            ]
            if left_out:
                yield Problem(
                    f"{one} of {named(left_out[0])} is unset, where {other} is all of total_capacity: it was 0.",
                    where,
                    "Set fields that are 0, too: test for absence, not for truth.",
                )
        unsaid = [
            item for item in items if all(item.HasField(name) and not getattr(item, name) for name in _CAPACITIES)
        ]
        if unsaid and len(unsaid) == len(items):
            yield Problem(
                f"All three capacities of {named(unsaid[0])} are 0, and so for all {len(items)}.",
                where,
                "Leave unset what the array doesn't say.",
            )


_CAPACITIES = ("total_capacity", "used_capacity", "free_capacity")
