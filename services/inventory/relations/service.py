"""RelationService: ListRelated, page by page."""

from __future__ import annotations

import base64
import binascii
import itertools
import struct
from collections.abc import Iterator

import xxhash
from sqlalchemy import bindparam, select

from delphis.inventory.v1 import relation_pb2 as pb
from services.calls.errors import CallError, invalid
from services.calls.method import Call, Method, methods_of, unary
from services.inventory.kinds import KINDS
from services.inventory.relations.walk import Found, Start, Way, start_at, walk
from services.inventory.schema.storages import storages
from services.store.connection import Connection
from services.store.engine import Store
from services.store.statement import statement
from services.values import uuids

MAX_DEPTH = 6
MAX_PAGE = 1000

_DIRECTIONS: dict[Way, pb.RelationDirection.ValueType] = {
    "down": pb.RELATION_DIRECTION_DOWN,
    "up": pb.RELATION_DIRECTION_UP,
}
_WAYS: dict[int, tuple[Way, ...]] = {
    pb.RELATION_DIRECTION_UNSPECIFIED: ("down", "up"),
    pb.RELATION_DIRECTION_BOTH: ("down", "up"),
    pb.RELATION_DIRECTION_DOWN: ("down",),
    pb.RELATION_DIRECTION_UP: ("up",),
}
_TOKEN = struct.Struct(">IQ")
_LIVE_STORAGE = statement(
    select(storages.c.id).where(storages.c.no == bindparam("no")).where(storages.c.deleted_at == 0)
)


def methods(store: Store) -> Iterator[Method]:
    """The service for a method table."""

    async def list_related(request: pb.ListRelatedRequest, _: Call) -> pb.ListRelatedResponse:
        ways = _WAYS.get(request.direction)
        if ways is None:
            raise invalid("direction", f"{request.direction} is no direction.")
        if not 0 <= request.depth <= MAX_DEPTH:
            raise invalid("depth", f"{request.depth} is not between 1 and {MAX_DEPTH}.")
        if request.kind and request.kind not in KINDS:
            raise invalid("kind", f"{request.kind!r} is none of {', '.join(KINDS)}.")
        if request.page_size < 0:
            raise invalid("page_size", f"{request.page_size} is negative.")
        return await store.scan(lambda connection: _page(connection, request, ways))

    return methods_of(
        pb.DESCRIPTOR.services_by_name["RelationService"],
        {"ListRelated": unary(pb.ListRelatedRequest, list_related)},
    )


def _page(connection: Connection, request: pb.ListRelatedRequest, ways: tuple[Way, ...]) -> pb.ListRelatedResponse:
    identity = uuids.parsed(request.id)
    start = start_at(connection, identity) if identity is not None else None
    storage = connection.value(_LIVE_STORAGE, (start.storage_no,)) if start is not None else None
    if start is None or storage is None:
        raise CallError("RESOURCE_NOT_FOUND", f"No resource has the id {request.id!r}.", metadata={"id": request.id})
    query = _fingerprint(request)
    skip = _offset(request.page_token, query) if request.page_token else 0
    size = min(request.page_size or MAX_PAGE, MAX_PAGE)
    results = itertools.islice(_results(connection, start, ways, request), skip, skip + size + 1)
    response = pb.ListRelatedResponse()
    storage_id = uuids.text(storage)
    for number, found in enumerate(results):
        if number == size:
            response.next_page_token = _token(skip + size, query)
            break
        response.related.add(
            id=uuids.text(found.id or b""),
            kind=found.kind,
            native_id=found.native_id,
            name=found.name,
            storage_id=storage_id,
            depth=found.depth,
            via_id=uuids.text(found.via or b""),
            relation=found.relation,
            direction=_DIRECTIONS[found.way],
        )
    return response


def _results(
    connection: Connection, start: Start, ways: tuple[Way, ...], request: pb.ListRelatedRequest
) -> Iterator[Found]:
    """Nearest first over both ways."""
    depth = request.depth or 1
    walks = [walk(connection, start, way, depth) for way in ways]
    nearest = walks[0] if len(walks) == 1 else _merged(walks)
    return (found for found in nearest if not request.kind or found.kind == request.kind)


def _merged(walks: list[Iterator[Found]]) -> Iterator[Found]:
    steps = [itertools.groupby(found, lambda one: one.depth) for found in walks]
    pending = [next(step, None) for step in steps]
    while any(pending):
        depth = min(found[0] for found in pending if found is not None)
        for number, found in enumerate(pending):
            if found is not None and found[0] == depth:
                yield from found[1]
                pending[number] = next(steps[number], None)


def _fingerprint(request: pb.ListRelatedRequest) -> int:
    """What a page token belongs to."""
    return xxhash.xxh3_64_intdigest(f"{request.id}\0{request.direction}\0{request.depth}\0{request.kind}".encode())


def _token(offset: int, query: int) -> str:
    return base64.urlsafe_b64encode(_TOKEN.pack(offset, query)).decode().rstrip("=")


def _offset(token: str, query: int) -> int:
    try:
        offset, belongs_to = _TOKEN.unpack(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, struct.error, ValueError):
        belongs_to, offset = None, 0
    if belongs_to != query:
        raise CallError(
            "INVALID_PAGE_TOKEN",
            "The page token is not ours or belongs to another query; start again without one.",
            metadata={"page_token": token[:64]},
        )
    return int(offset)
