"""Numbers: capacities in bytes, speeds in bit/s, and whether they can be true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import NotRun, demands
from delphis.sdk.conformance.checks.values import named, resources
from delphis.sdk.conformance.report import Problem

_INTEGERS = (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64)
# Reserves, metadata and rounding of the array's own.
_TOLERANCE = 0.1
# A wrong unit is off by 512 or more; snapshots, spares and RAID by less.
_SAME_UNIT = 64
# Least and most that can be true, where it isn't 0: a port of 1 Mbit/s to 10 Tbit/s, and so on.
_PLAUSIBLE: dict[tuple[str, str], tuple[int, int, str]] = {
    ("Port", "speed"): (10**6, 10**13, "Speeds are bit/s: 16 Gbit/s is 16000000000."),
    ("Port", "max_speed"): (10**6, 10**13, "Speeds are bit/s: 16 Gbit/s is 16000000000."),
    ("Disk", "speed"): (1_000, 30_000, "Revolutions per minute; 0 where nothing turns."),
    ("Disk", "health_score"): (0, 100, "Remaining health, 0 to 100."),
    ("Controller", "memory_size"): (1 << 20, 1 << 50, "Memory is in bytes."),
    ("Controller", "cpu_count"): (1, 4096, "The number of processors."),
}


@demands("values.negative", "No number of a resource is negative.")
def negative(bench: Bench) -> Iterator[Problem]:
    for where, item in resources(bench):
        for field, value in item.ListFields():
            if field.type in _INTEGERS and value < 0:
                yield Problem(
                    f"{field.name} of {named(item)} is {value}.", where, "Leave unset what is unknown or unlimited."
                )


@demands("values.capacities", "Used and free capacity make up the total, within a tenth.")
def capacities(bench: Bench) -> Iterator[Problem]:
    for where, item in resources(bench):
        if not all(name in item.DESCRIPTOR.fields_by_name and item.HasField(name) for name in _THREE):
            continue
        total, used, free = (getattr(item, name) for name in _THREE)
        if item.DESCRIPTOR.name in _HOLD_SNAPSHOTS and used > total and not free:
            continue
        if abs(used + free - total) > max(total, used + free) * _TOLERANCE:
            yield Problem(
                f"{named(item)} has {used} used and {free} free of {total} bytes.",
                where,
                "Give all three in bytes, of the same kind of space (usable or raw), or leave one unset.",
            )


# What their snapshots use may be more than they are large.
_HOLD_SNAPSHOTS = ("Volume", "Filesystem")
_THREE = ("total_capacity", "used_capacity", "free_capacity")


@demands("values.plausible", "Speeds, health scores, memory and processors can be true.")
def plausible(bench: Bench) -> Iterator[Problem]:
    for where, item in resources(bench):
        for (kind, name), (least, most, remedy) in _PLAUSIBLE.items():
            if item.DESCRIPTOR.name != kind or not item.HasField(name):
                continue
            value = getattr(item, name)
            if value and not least <= value <= most:
                yield Problem(f"{name} of {named(item)} is {value}.", where, remedy)
        if item.DESCRIPTOR.name == "Port" and item.HasField("speed") and 0 < item.max_speed < item.speed:
            yield Problem(f"{named(item)} is faster ({item.speed}) than its max_speed ({item.max_speed}).", where)


@demands("values.units", "Capacities of the array, its pools, its disks and what lies in them are in one unit: bytes.")
def units(bench: Bench) -> Iterator[Problem]:
    storage = bench.storage
    totals = {listing.kind: _total(listing.items) for listing in bench.lists()}
    pairs = (
        ("the array's total_capacity", storage.total_capacity, "its pools", totals.get("storage_pool", 0)),
        ("the array's raw_capacity", storage.raw_capacity, "its disks", totals.get("disk", 0)),
        ("the array's raw_capacity", storage.raw_capacity, "its total_capacity", storage.total_capacity),
    )
    compared = 0
    for name, one, other_name, other in pairs:
        if one <= 0 or other <= 0:
            continue
        compared += 1
        if not 1 / _SAME_UNIT <= one / other <= _SAME_UNIT:
            yield _different(name, one, other_name, other)
    for listing in bench.lists():
        if listing.kind == "volume":
            compared += 1
            yield from _within_pools(bench, listing.items)
    if not compared:
        raise NotRun("there are no two capacities to compare")


def _within_pools(bench: Bench, volumes: list[Any]) -> Iterator[Problem]:
    """What a volume uses lies in its pool."""
    pools = {
        pool.native_storage_pool_id: pool.total_capacity
        for listing in bench.lists()
        if listing.kind == "storage_pool"
        for pool in listing.items
    }
    for volume in volumes:
        size = pools.get(volume.native_storage_pool_id, 0)
        if size > 0 and volume.used_capacity > size * _SAME_UNIT:
            yield _different(f"what {named(volume)} uses", volume.used_capacity, "its pool", size)
            return


def _different(name: str, one: int, other_name: str, other: int) -> Problem:
    return Problem(
        f"{name[0].upper()}{name[1:]} is {one}, that of {other_name} {other}: one is in another unit.",
        "capacities",
        "Capacities are bytes.",
    )


def _total(items: list[Any]) -> int:
    if not items:
        return 0
    name = "total_capacity" if "total_capacity" in items[0].DESCRIPTOR.fields_by_name else "capacity"
    return sum(getattr(item, name, 0) for item in items)
