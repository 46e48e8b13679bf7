"""Changes how one array is reached: only after the array itself answered to the new access info."""

from __future__ import annotations

import asyncio
import logging
from weakref import WeakValueDictionary

from delphis.driver.v1 import storage_driver_pb2
from delphis.inventory.v1 import change_pb2, inventory_pb2
from delphis.type.v1 import access_pb2
from services.calls.errors import CallError, invalid
from services.calls.method import Call
from services.inventory.access import infos, rules
from services.inventory.access.identity import endpoint_of, plain_keys
from services.inventory.access.infos import AccessInfos, StoredAccess
from services.inventory.access.merging import merged
from services.inventory.storages import rows
from services.inventory.storages.array import Arrays
from services.inventory.storages.duplicates import refuse_endpoint
from services.inventory.storages.history import note
from services.inventory.storages.serials import set_serial
from services.store.connection import Connection
from services.store.engine import Store
from services.values import uuids

log = logging.getLogger(__name__)

RESET_SECONDS = 30.0
# What is left of the caller's time for the answer.
_ANSWER_SECONDS = 0.5


class AccessUpdate:
    """Takes new access infos, one at a time for each storage."""

    def __init__(self, store: Store, arrays: Arrays, access: AccessInfos) -> None:
        self._store = store
        self._arrays = arrays
        self._access = access
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def update(self, request: inventory_pb2.UpdateAccessInfoRequest, call: Call) -> access_pb2.AccessInfo:
        """The new access info, without secrets."""
        _check(request)
        lock = self._locks.setdefault(request.storage_id, asyncio.Lock())
        async with lock:
            await self._update(request, call)
        return await self._store.read(lambda connection: infos.get_plain(connection, request.storage_id))

    async def _update(self, request: inventory_pb2.UpdateAccessInfoRequest, call: Call) -> None:
        stored = await self._access.load(request.storage_id)
        access = merged(stored.message, request)
        info = await self._arrays.driver_info(stored.pair)
        endpoint = endpoint_of(access, info.access_fields, self._access.vault)
        await self._store.read(
            lambda connection: refuse_endpoint(connection, stored.pair, endpoint, but=stored.storage_no)
        )
        said = await self._arrays.probe(stored.pair, access, deadline=call.deadline, request_id=call.request_id)
        sealed = self._access.seal(stored.storage_id, access, plain_keys(info.access_fields))

        def write(connection: Connection) -> None:
            rows.lock_registration(connection)
            row = rows.get(connection, request.storage_id)
            if not row.serial_number:  # it was imported without
                set_serial(connection, row, said.serial_number)
            elif said.serial_number != row.serial_number:
                raise _mismatch(request.storage_id, said.serial_number, row.serial_number)
            refuse_endpoint(connection, stored.pair, endpoint, but=row.no)
            if not infos.replace(connection, stored, sealed, endpoint):
                raise CallError(
                    "TOO_MANY_REQUESTS",
                    f"The access info of storage {request.storage_id} was changed meanwhile; look at it again.",
                    metadata={"storage_id": request.storage_id},
                    retry_after=1.0,
                )
            note(connection, row, change_pb2.CHANGE_TYPE_CHANGED, ("access_info",))

        await self._store.write(write)
        await self._reset(stored, info, call)

    async def _reset(self, stored: StoredAccess, info: storage_driver_pb2.GetDriverInfoResponse, call: Call) -> None:
        """Lets the driver log in anew. Its sessions are kept by revision, so a failure leaves no stale one in use."""
        storage_id = uuids.text(stored.storage_id)
        if info.rpcs and "ResetConnection" not in info.rpcs:
            return
        deadline = min(call.deadline - _ANSWER_SECONDS, asyncio.get_running_loop().time() + RESET_SECONDS)
        try:
            await self._arrays.router.unary(
                "ResetConnection", storage_id, deadline=deadline, request_id=call.request_id
            )
        except CallError as error:
            log.warning("the session of storage %s was not reset: %s", storage_id, error.message)


def _check(request: inventory_pb2.UpdateAccessInfoRequest) -> None:
    if not request.extra_attributes:
        rules.check_some_block(request)
    for field in ("vendor", "model"):
        if rules.has(request.rest, field):
            raise invalid(f"rest.{field}", "It is given at registration, and stays.")
    rules.check_blocks(request, update=True)
    rules.check_extra_attributes(request.extra_attributes)


def _mismatch(storage_id: str, serial: str, registered: str) -> CallError:
    return CallError(
        "STORAGE_SERIAL_NUMBER_MISMATCH",
        f"The array at this address has the serial number {serial}; storage {storage_id} is {registered}. Check the "
        "address. The access info was not changed.",
        metadata={"storage_id": storage_id, "serial_number": serial, "registered": registered},
    )
