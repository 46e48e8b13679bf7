"""Lists of storages and of their access infos."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select

from delphis.inventory.v1 import inventory_pb2 as pb
from delphis.type.v1 import storage_pb2
from services.inventory.access import infos
from services.inventory.schema.storages import access_infos, storage_labels, storages
from services.inventory.storages import messages, rows
from services.inventory.storages.rows import StorageRow
from services.listing.page import Listing, ListRequest, Page, UnknownMarker, listing
from services.listing.spec import Bind, Field, ListSpec, by_column
from services.listing.values import enum_numbers, enum_value, is_label_key, time_value
from services.store.connection import Connection
from services.store.engine import Store
from services.store.wire import framed
from services.values import times, uuids

CHEAP_ROWS = 100
"""Pages of so many storages are put together in the event loop."""


def _id_value(text: str) -> bytes:
    return uuids.parsed(text) or b""


def _labelled(operator: str, *values: Bind) -> ColumnElement[bool]:
    """By the label of a key: the key is the first value."""
    found = select(storage_labels.c.storage_no)
    if operator != "set" or values:
        found = found.where(storage_labels.c.key == values[0])
    if operator not in {"set", "has"}:
        found = found.where(by_column(storage_labels.c.value, operator, *values[1:]))
    return storages.c.no.in_(found)


def _enum(name: str, enum: Any) -> Field:
    return Field(storages.c[name], enum_value(enum_numbers(enum.DESCRIPTOR)), type="enum")


_ID = Field(storages.c.id, _id_value, type="id")
_TIMES = ("created_at", "updated_at", "last_success_at", "next_sync_at")
_TEXTS = ("name", "vendor", "model", "serial_number", "firmware_version", "driver_vendor", "driver_model")
_FIELDS = {
    **{name: Field(storages.c[name]) for name in (*_TEXTS, "display_name")},
    "id": _ID,
    "status": _enum("status", storage_pb2.StorageStatus),
    "sync_status": _enum("sync_status", storage_pb2.SyncStatus),
    "sync_outcome": _enum("sync_outcome", storage_pb2.SyncOutcome),
    **{name: Field(storages.c[name], time_value, type="time") for name in _TIMES},
    "labels": Field(storage_labels.c.key, type="map", compare=_labelled, sortable=False),
}
STORAGES = ListSpec(
    name="storages",
    source=storages,
    key=storages.c.no,
    columns=rows.COLUMNS,
    fields=_FIELDS,
    always=(storages.c.deleted_at == 0,),
    id=_ID,
    maps={"labels": Field(storage_labels.c.value, compare=_labelled, sortable=False, wild=False)},
    map_key=is_label_key,
)
ACCESS_INFOS = ListSpec(
    name="access infos",
    source=storages.join(access_infos, access_infos.c.storage_no == storages.c.no),
    key=storages.c.no,
    columns=infos.PLAIN_COLUMNS,
    fields={
        "storage_id": _ID,
        "vendor": Field(storages.c.driver_vendor),
        "model": Field(storages.c.driver_model),
        "created_at": Field(access_infos.c.created_at, time_value, type="time"),
        "updated_at": Field(access_infos.c.updated_at, time_value, type="time"),
    },
    always=(storages.c.deleted_at == 0,),
    id=_ID,
)


async def list_storages(store: Store, request: pb.ListStoragesRequest) -> bytes:
    """A page of storages, serialised."""
    wanted = listing(
        STORAGES,
        ListRequest(
            request.page_size,
            request.page_token,
            request.filter,
            request.order_by,
            request.skip,
            include_total=request.include_total,
        ),
    )

    def read(connection: Connection) -> bytes:
        page, now = _page(connection, wanted), times.now()
        parts = [framed(messages.serialised(StorageRow._make(row), now)) for row in page.rows]
        return b"".join((*parts, page.tail()))

    cheap = wanted.size <= CHEAP_ROWS or await store.read(rows.count) <= CHEAP_ROWS
    return await (store.read(read) if cheap else store.scan(read))


async def list_access_infos(store: Store, request: pb.ListAccessInfosRequest) -> pb.ListAccessInfosResponse:
    """A page of access infos without secrets."""
    wanted = listing(
        ACCESS_INFOS,
        ListRequest(
            request.page_size,
            request.page_token,
            request.filter,
            request.order_by,
            request.skip,
            include_total=request.include_total,
        ),
    )

    def read(connection: Connection) -> pb.ListAccessInfosResponse:
        page = _page(connection, wanted)
        return pb.ListAccessInfosResponse(
            access_infos=map(infos.plain_message, page.rows),
            next_page_token=page.next_page_token,
            total_size=page.total,
        )

    return await store.scan(read)


def _page(connection: Connection, wanted: Listing) -> Page:
    try:
        return wanted.run(connection)
    except UnknownMarker as marker:
        raise rows.not_found(marker.id) from None
