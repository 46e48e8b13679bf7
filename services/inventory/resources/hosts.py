"""Hosts with the initiators that name them: the one field of an answer that is not stored."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, select

from services.inventory.schema.resources import storage_host_initiators as initiators
from services.inventory.sync.body import message, with_initiators
from services.store.connection import Connection, Row
from services.store.statement import statement
from services.store.wire import framed

_CHUNK = 500
_OF_HOSTS = statement(
    select(initiators.c.native_storage_host_id, initiators.c.native_id)
    .where(
        initiators.c.storage_no == bindparam("storage_no"),
        initiators.c.native_storage_host_id.in_(bindparam("hosts", expanding=True)),
    )
    .order_by(initiators.c.native_storage_host_id, initiators.c.seq)
)


def completed(connection: Connection, rows: Sequence[Row]) -> list[bytes]:
    """The bodies of hosts' rows (body, storage_no, native_id) with their initiators' native ids."""
    by_storage: dict[int, list[str]] = {}
    for _, storage_no, native_id in rows:
        by_storage.setdefault(storage_no, []).append(native_id)
    found: dict[tuple[int, str], list[str]] = {}
    for storage_no, hosts in by_storage.items():
        for begin in range(0, len(hosts), _CHUNK):
            for host, initiator in connection.all(_OF_HOSTS, (storage_no, hosts[begin : begin + _CHUNK])):
                found.setdefault((storage_no, host), []).append(initiator)
    return [
        framed(with_initiators(message(body), found[storage_no, native_id]))
        if (storage_no, native_id) in found
        else body
        for body, storage_no, native_id in rows
    ]
