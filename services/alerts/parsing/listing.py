"""The list of traps that became no alert."""

from __future__ import annotations

from typing import Any

from delphis.alert.v1 import trap_pb2 as pb
from delphis.type.v1 import alert_pb2
from services.alerts.matching.address import normalised
from services.alerts.parsing.records import COLUMNS, ids
from services.alerts.schema.traps import traps
from services.listing.page import ListRequest, listing
from services.listing.spec import Field, ListSpec
from services.listing.values import enum_numbers, enum_value
from services.store.connection import Connection
from services.store.engine import Store
from services.values import times, uuids

TRAPS = ListSpec(
    name="traps",
    source=traps,
    key=traps.c.seq,
    columns=COLUMNS,
    fields={
        "state": Field(traps.c.state, enum_value(enum_numbers(pb.TrapState.DESCRIPTOR)), type="enum", sortable=False),
        "source_address": Field(traps.c.source_address, lambda text: normalised(text) or text, sortable=False),
        "storage_id": Field(traps.c.storage_id, lambda text: uuids.parsed(text) or b"", type="id", sortable=False),
    },
)


async def list_traps(store: Store, request: pb.ListTrapsRequest) -> pb.ListTrapsResponse:
    """A page of traps, newest first."""
    wanted = listing(TRAPS, ListRequest(request.page_size, request.page_token, request.filter))

    def read(connection: Connection) -> pb.ListTrapsResponse:
        page = wanted.run(connection)
        return pb.ListTrapsResponse(traps=map(_message, page.rows), next_page_token=page.next_page_token)

    return await store.scan(read)


def _message(row: tuple[Any, ...]) -> pb.KeptTrap:
    seq, state, source, received_at, storage_id, candidates, _, problem, size, trap = row
    return pb.KeptTrap(
        number=seq,
        state=state,
        source_address=source,
        received_at=times.stamp(received_at),
        storage_id=uuids.text(storage_id) or None,
        candidates=ids(bytes(candidates)),
        problem=problem or None,
        trap=alert_pb2.Trap.FromString(bytes(trap)) if trap else None,
        size=size,
    )
