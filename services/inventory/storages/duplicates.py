"""An array is registered once: no two storages of a driver with the same serial number, or the same endpoint."""

from __future__ import annotations

from services.calls.errors import CallError
from services.inventory.storages import rows
from services.inventory.storages.rows import Endpoint
from services.registry.manifest import Pair
from services.store.connection import Connection
from services.values import uuids


def refuse_serial(connection: Connection, pair: Pair, serial: str, *, but: int = 0) -> None:
    """STORAGE_ALREADY_EXISTS where another storage than `but` has the serial number."""
    for no, storage_id in rows.with_serial(connection, pair.vendor, pair.model, serial):
        if no != but:
            raise _exists(f"An array {pair} with the serial number {serial}", storage_id)


def refuse_endpoint(connection: Connection, pair: Pair, endpoint: Endpoint, *, but: int = 0) -> None:
    """STORAGE_ALREADY_EXISTS where another storage than `but` was registered with the endpoint."""
    for no, storage_id in rows.with_endpoint(connection, pair.vendor, pair.model, endpoint):
        if no != but:
            port = f", port {endpoint.port}" if endpoint.port else ""
            raise _exists(f"An array {pair} at {endpoint.host}{port}", storage_id)


def _exists(what: str, storage_id: bytes) -> CallError:
    existing = uuids.text(storage_id)
    return CallError(
        "STORAGE_ALREADY_EXISTS",
        f"{what} is registered already: use the storage {existing}.",
        metadata={"storage_id": existing},
    )
