"""Lists of storages and of their access infos."""

from __future__ import annotations

import re
from functools import cache

from google.protobuf.descriptor import EnumDescriptor
from sqlalchemy import select

from delphis.inventory.v1 import inventory_pb2 as pb
from delphis.type.v1 import storage_pb2
from services.inventory import times, uuids
from services.inventory.access import infos
from services.inventory.kinds import enum_text
from services.inventory.listing.page import Listing, ListRequest, Page, UnknownMarker, listing
from services.inventory.listing.spec import Field, ListSpec, enum_value, time_value
from services.inventory.storages import messages, rows
from services.inventory.storages.rows import StorageRow
from services.inventory.sync.body import framed, varint
from services.store.connection import Connection
from services.store.engine import Store
from services.store.schema.storages import access_infos, storage_labels, storages

CHEAP_ROWS = 100
"""Pages of so many storages are put together in the event loop."""
_LABEL = re.compile(r"labels\.([A-Za-z0-9\-_./]{1,63})")


def _id_value(text: str) -> bytes:
    return uuids.parsed(text) or b""


def enum_numbers(enum: EnumDescriptor) -> dict[str, int]:
    """The enum's numbers by their texts, in lower case."""
    return {enum_text(value).lower(): value.number for value in enum.values if value.number}


@cache
def _label_field(name: str) -> Field | None:
    found = _LABEL.fullmatch(name)
    if found is None:
        return None
    labelled = select(storage_labels.c.storage_no).where(storage_labels.c.key == found[1])
    return Field(
        storage_labels.c.value,
        equals=lambda value: storages.c.no.in_(labelled.where(storage_labels.c.value == value)),
        sortable=False,
    )


_ID = Field(storages.c.id, _id_value)
_TEXTS = ("name", "vendor", "model", "serial_number", "firmware_version", "driver_vendor", "driver_model")
_FIELDS = {
    **{name: Field(storages.c[name]) for name in (*_TEXTS, "display_name")},
    "id": _ID,
    "status": Field(storages.c.status, enum_value(enum_numbers(storage_pb2.StorageStatus.DESCRIPTOR))),
    "sync_status": Field(storages.c.sync_status, enum_value(enum_numbers(storage_pb2.SyncStatus.DESCRIPTOR))),
    "sync_outcome": Field(storages.c.sync_outcome, enum_value(enum_numbers(storage_pb2.SyncOutcome.DESCRIPTOR))),
    "created_at": Field(storages.c.created_at, time_value),
    "updated_at": Field(storages.c.updated_at, time_value),
}
STORAGES = ListSpec(
    name="storages",
    source=storages,
    key=storages.c.no,
    columns=rows.COLUMNS,
    fields=_FIELDS,
    always=(storages.c.deleted_at == 0,),
    id=_ID,
    dynamic=_label_field,
)
ACCESS_INFOS = ListSpec(
    name="access infos",
    source=storages.join(access_infos, access_infos.c.storage_no == storages.c.no),
    key=storages.c.no,
    columns=infos.PLAIN_COLUMNS,
    fields={},
    always=(storages.c.deleted_at == 0,),
    id=_ID,
)


async def list_storages(store: Store, request: pb.ListStoragesRequest) -> bytes:
    """A page of storages, serialised."""
    wanted = listing(
        STORAGES,
        ListRequest(request.page_size, request.page_token, request.filter, request.order_by, request.skip),
    )

    def read(connection: Connection) -> bytes:
        page, now = _page(connection, wanted), times.now()
        parts = [framed(messages.serialised(StorageRow._make(row), now)) for row in page.rows]
        if page.next_page_token:
            token = page.next_page_token.encode()
            parts += [b"\x12", varint(len(token)), token]
        return b"".join(parts)

    cheap = wanted.size <= CHEAP_ROWS or await store.read(rows.count) <= CHEAP_ROWS
    return await (store.read(read) if cheap else store.scan(read))


async def list_access_infos(store: Store, request: pb.ListAccessInfosRequest) -> pb.ListAccessInfosResponse:
    """A page of access infos without secrets."""
    wanted = listing(ACCESS_INFOS, ListRequest(request.page_size, request.page_token))

    def read(connection: Connection) -> pb.ListAccessInfosResponse:
        page = _page(connection, wanted)
        return pb.ListAccessInfosResponse(
            access_infos=map(infos.plain_message, page.rows), next_page_token=page.next_page_token
        )

    return await store.scan(read)


def _page(connection: Connection, wanted: Listing) -> Page:
    try:
        return wanted.run(connection)
    except UnknownMarker as marker:
        raise rows.not_found(marker.id) from None
