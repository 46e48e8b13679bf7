"""An operator's word that an array with another serial number is the registered one."""

from __future__ import annotations

from typing import NamedTuple

from delphis.inventory.v1 import inventory_pb2
from services.calls.errors import CallError
from services.inventory.jobs import records
from services.inventory.jobs.records import Job
from services.inventory.storages import rows
from services.inventory.storages.serials import set_serial
from services.inventory.storages.syncing import Started, start_sync, stop_sync
from services.store.connection import Connection
from services.values import times


class Accepted(NamedTuple):
    """What follows from it."""

    started: Started | None
    """The sync that reads the array under its new serial number; None where one waits already, or none may."""
    stopped: Job | None
    """The sync that it takes the place of. The caller cancels it once this is committed."""


def accept_serial(connection: Connection, request: inventory_pb2.AcceptSerialRequest, requested_by: str) -> Accepted:
    """Takes the waiting serial number for the registered one."""
    row = rows.get(connection, request.storage_id)
    if not row.pending_serial_number or row.pending_serial_number != request.serial_number:
        waiting = f"it is {row.pending_serial_number!r}" if row.pending_serial_number else "none waits"
        raise CallError(
            "NOTHING_TO_ACCEPT",
            f"The serial number {request.serial_number!r} does not wait to be accepted: {waiting}.",
            metadata={"storage_id": request.storage_id, "pending_serial_number": row.pending_serial_number},
        )
    set_serial(connection, row, row.pending_serial_number)
    if row.is_paused(times.now()):
        return Accepted(None, None)
    job = records.open_job_of(connection, row.no)
    if job is not None and job.state == records.WAITING:
        return Accepted(None, None)
    # One that runs compares with the serial number that it found when it began.
    stopped = stop_sync(connection, row, "Another serial number was accepted for the array; a new sync reads it.")
    started = start_sync(connection, rows.get(connection, request.storage_id), requested_by)
    return Accepted(started, stopped)
