"""What resources say of each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import NotRun, demands
from delphis.sdk.conformance.listing import Listing
from delphis.sdk.conformance.report import Problem
from delphis.sdk.host.contract import item_of
from delphis.sdk.redaction import is_repeated
from delphis.type.v1 import options_pb2

# A port's parent is a controller, or another port.
_ALSO = {"native_parent_id": ("port",)}


@demands("relations.resolvable", "Each native id of another resource names one that the driver lists.")
def resolvable(bench: Bench) -> Iterator[Problem]:
    known = bench.known_ids()
    unread = {method.name for method in bench.list_methods()} - {listing.rpc for listing in bench.lists()}
    for listing in bench.lists():
        descriptor: Any = item_of(listing.method).kind.DESCRIPTOR
        for field in descriptor.fields:
            kind = field.GetOptions().Extensions[options_pb2.references]
            if not kind:
                continue
            kinds = (kind, *_ALSO.get(field.name, ()))
            if kind not in known and unread:
                continue  # lists.read says which
            targets = frozenset[str]().union(*(known.get(each, frozenset()) for each in kinds))
            lost = [(item, value) for item in listing.items for value in _values(item, field) if value not in targets]
            if lost:
                item, value = lost[0]
                which = getattr(item, descriptor.fields_by_number[1].name)
                listed = f"which no list of {kind} has" if kind in known else f"and the driver doesn't list {kind}"
                yield Problem(
                    f"{len(lost)} times {field.name} names nothing: {which!r} names {value!r}, {listed}.",
                    listing.rpc,
                    "Give the same native id in both lists, or leave the field unset.",
                )


def _values(item: Any, field: Any) -> list[str]:
    value = getattr(item, field.name)
    if is_repeated(field):
        return list(value)
    return [value] if item.HasField(field.name) else []


@demands("relations.masking-views", "A masking view has a host or a host group, and a volume or a volume group.")
def masking_views(bench: Bench) -> Iterator[Problem]:
    listing = _of(bench, "masking_view")
    for view in listing.items:
        for one, other in (
            ("native_storage_host_id", "native_storage_host_group_id"),
            ("native_volume_id", "native_volume_group_id"),
        ):
            if view.HasField(one) == view.HasField(other):
                both = "both" if view.HasField(one) else "neither"
                yield Problem(
                    f"View {view.native_masking_view_id!r} has {both} of {one} and {other}.", listing.rpc, "Set one."
                )


@demands("relations.members", "A group names each member once.")
def members(bench: Bench) -> Iterator[Problem]:
    for listing in bench.lists():
        descriptor: Any = item_of(listing.method).kind.DESCRIPTOR
        for field in descriptor.fields:
            if not is_repeated(field) or not field.GetOptions().Extensions[options_pb2.references]:
                continue
            for item in listing.items:
                values = list(getattr(item, field.name))
                if len(values) != len(set(values)):
                    which = getattr(item, descriptor.fields_by_number[1].name)
                    yield Problem(f"{field.name} of {which!r} names a member twice.", listing.rpc)


def _of(bench: Bench, kind: str) -> Listing:
    for listing in bench.lists():
        if listing.kind == kind:
            return listing
    raise NotRun(f"the driver lists no {kind}, or they could not be read")
