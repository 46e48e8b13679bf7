"""ResourceService: one resource by id, and pages of them, as stored, without looking inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import bindparam, select

from delphis.inventory.v1 import resource_pb2
from services.calls.errors import CallError
from services.calls.method import Call, Method, Stream, Unary, methods_of, parse
from services.inventory.kinds import KINDS, Kind
from services.inventory.resources import hosts
from services.inventory.resources.lists import list_of, shown
from services.inventory.resources.reading import is_cheap, page_of
from services.inventory.resources.storage import number_of
from services.inventory.sync.body import message
from services.listing.page import Listing, ListRequest, Page, UnknownMarker, listing
from services.store.connection import Connection
from services.store.engine import Store
from services.store.minting import seq_of
from services.store.statement import statement
from services.values import uuids


def methods(store: Store) -> Iterator[Method]:
    """The service for a method table."""
    handlers: dict[str, Unary | Stream] = {}
    for kind in KINDS.values():
        handlers[f"Get{kind.message.DESCRIPTOR.name}"] = _get(store, kind)
        handlers[f"List{kind.rpc}"] = _list(store, kind)
    return methods_of(resource_pb2.DESCRIPTOR.services_by_name["ResourceService"], handlers)


def _get(store: Store, kind: Kind) -> Unary:
    request_class: Any = getattr(resource_pb2, f"Get{kind.message.DESCRIPTOR.name}Request")
    table = kind.table
    found = statement(
        select(table.c.body, table.c.storage_no, table.c.native_id).where(
            table.c.seq == bindparam("seq"), table.c.id == bindparam("id"), shown(kind)
        )
    )
    with_initiators = kind.name == "storage_host"

    def read(connection: Connection, id_: bytes) -> bytes | None:
        row = connection.one(found, (seq_of(id_), id_))
        if row is None:
            return None
        return message(hosts.completed(connection, [row])[0] if with_initiators else row[0])

    async def get(body: bytes, _: Call) -> bytes:
        request = parse(request_class, body)
        id_ = uuids.parsed(request.id)
        answer = await store.read(lambda connection: read(connection, id_)) if id_ is not None else None
        if answer is None:
            raise _not_found(kind, request.id)
        return answer

    return get


def _list(store: Store, kind: Kind) -> Unary:
    request_class: Any = getattr(resource_pb2, f"List{kind.rpc}Request")
    with_initiators = kind.name == "storage_host"

    def read(connection: Connection, wanted: Listing, storage_id: str) -> bytes:
        storage_no = number_of(connection, storage_id) if storage_id else None
        try:
            page = page_of(connection, kind, wanted, storage_no)
        except UnknownMarker as marker:
            raise _not_found(kind, marker.id) from None
        return _answer(page, hosts.completed(connection, page.rows) if with_initiators else None)

    async def list_(body: bytes, _: Call) -> bytes:
        request = parse(request_class, body)
        scoped = bool(request.storage_id)
        wanted = listing(
            list_of(kind.name, "one" if scoped else "all"),
            ListRequest(
                request.page_size,
                request.page_token,
                request.filter,
                request.order_by,
                request.skip,
                request.storage_id,
                request.include_total,
            ),
        )
        run = store.read if is_cheap(kind, wanted, scoped=scoped) else store.scan
        return await run(lambda connection: read(connection, wanted, request.storage_id))

    return list_


def _answer(page: Page, bodies: list[bytes] | None) -> bytes:
    """A List…Response: items are field 1, as stored."""
    parts = bodies if bodies is not None else [row[0] for row in page.rows]
    return b"".join((*parts, page.tail()))


def _not_found(kind: Kind, id_: str) -> CallError:
    return CallError(kind.not_found, f"No {kind.name} has the id {id_[:80]!r}.", metadata={"id": id_[:80]})
