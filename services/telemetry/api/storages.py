"""The storage that a request names."""

from __future__ import annotations

from services.calls.errors import CallError
from services.fleet.fleet import Fleet
from services.fleet.storage import Storage
from services.values import uuids


async def require(fleet: Fleet, storage_id: str) -> Storage:
    """The storage; CallError STORAGE_NOT_FOUND. One that was registered just now is asked for."""
    known = uuids.parsed(storage_id)
    storage = None
    if known:
        wanted = uuids.text(known)
        storage = fleet.get(wanted)
        if storage is None:
            await fleet.refresh({wanted})
            storage = fleet.get(wanted)
    if storage is None:
        raise CallError(
            "STORAGE_NOT_FOUND",
            f"Storage {storage_id[:100]} could not be found.",
            metadata={"storage_id": storage_id[:100]},
        )
    return storage
