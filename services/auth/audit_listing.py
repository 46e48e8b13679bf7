"""The list of audit entries."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from delphis.auth.v1 import auth_pb2 as pb
from services.auth.audit import COLUMNS
from services.inventory.schema.auth import audit_entries
from services.listing.page import ListRequest, listing
from services.listing.spec import Field, ListSpec
from services.listing.values import time_value
from services.store.connection import Connection, Row
from services.store.engine import Store

ENTRIES = ListSpec(
    name="audit entries",
    source=audit_entries,
    key=audit_entries.c.no,
    columns=tuple(audit_entries.c[name] for name in COLUMNS),
    fields={
        "at": Field(audit_entries.c.at, time_value, type="time"),
        **{name: Field(audit_entries.c[name]) for name in COLUMNS if name != "at"},
    },
)


async def list_entries(store: Store, request: pb.ListAuditEntriesRequest) -> pb.ListAuditEntriesResponse:
    """A page of entries, newest first."""
    wanted = listing(
        ENTRIES,
        ListRequest(request.page_size, request.page_token, request.filter, include_total=request.include_total),
    )

    def read(connection: Connection) -> pb.ListAuditEntriesResponse:
        page = wanted.run(connection)
        return pb.ListAuditEntriesResponse(
            audit_entries=map(_message, page.rows), next_page_token=page.next_page_token, total_size=page.total
        )

    return await store.scan(read)


def _message(row: Row) -> pb.AuditEntry:
    at, caller, method, resource_id, code, reason, request_id, peer = row
    return pb.AuditEntry(
        at=Timestamp(seconds=at // 1_000_000, nanos=at % 1_000_000 * 1000),
        caller=caller,
        method=method,
        resource_id=resource_id,
        code=code,
        reason=reason,
        request_id=request_id,
        peer=peer,
    )
