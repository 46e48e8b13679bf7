"""Registers arrays: login, duplicates, the row, and the first sync, before the caller has an answer."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import bindparam, delete, insert, select

from delphis.driver.v1 import storage_driver_pb2
from delphis.inventory.v1 import change_pb2, inventory_pb2
from delphis.type.v1 import access_pb2
from services.calls.errors import CallError, invalid
from services.calls.method import Call
from services.inventory.access import infos
from services.inventory.access.identity import endpoint_of, plain_keys
from services.inventory.access.infos import AccessInfos
from services.inventory.finishing import to_the_end
from services.inventory.jobs.schedule import next_due
from services.inventory.schema.storages import request_ids
from services.inventory.storages import messages, rows
from services.inventory.storages.array import Arrays, Said
from services.inventory.storages.candidate import checked, sync_interval
from services.inventory.storages.duplicates import refuse_endpoint, refuse_serial
from services.inventory.storages.history import note
from services.inventory.storages.rows import Endpoint, StorageRow
from services.inventory.storages.settings import DEFAULT_INTERVAL
from services.inventory.storages.syncing import Started, Syncs, start_sync
from services.registry.manifest import Pair
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import DuplicateKey
from services.store.statement import statement
from services.values import times, uuids

REQUEST_IDS_KEPT = times.DAY
_REQUEST_ID = re.compile(r"[\x20-\x7e]{1,128}")
_KNOWN_REQUEST = statement(
    select(request_ids.c.digest, request_ids.c.storage_id).where(
        request_ids.c.request_id == bindparam("request_id"), request_ids.c.created_at > bindparam("since")
    )
)
_FORGET_REQUEST = statement(delete(request_ids).where(request_ids.c.request_id == bindparam("request_id")))
_ADD_REQUEST = statement(insert(request_ids))
_PRUNE_REQUESTS = statement(delete(request_ids).where(request_ids.c.created_at < bindparam("before")))


def prune_requests(connection: Connection) -> int:
    """Forgets request ids after their time."""
    return connection.run(_PRUNE_REQUESTS, {"before": times.now() - REQUEST_IDS_KEPT})


class Registration:
    """Makes storages of arrays."""

    def __init__(self, store: Store, arrays: Arrays, access: AccessInfos, syncs: Syncs) -> None:
        self._store = store
        self._arrays = arrays
        self._access = access
        self._syncs = syncs
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()
        self._storing: dict[str, asyncio.Task[StorageRow]] = {}

    async def register(self, request: inventory_pb2.RegisterStorageRequest, call: Call) -> bytes:
        """The new storage, serialised."""
        access = checked(request)
        if request.request_id and not _REQUEST_ID.fullmatch(request.request_id):
            raise invalid("request_id", "It must have 1 to 128 printable ASCII characters.")
        if not request.request_id or request.validate_only:
            return await self._register(request, access, call, b"")
        digest = self._digest(request)
        async with self._alone(request.request_id):
            left = self._storing.get(request.request_id)
            if left is not None:  # by a caller who gave up, which does not end it
                await asyncio.wait({left})
            known = await self._repeat(request.request_id, digest)
            if known is not None:
                call.resource_id = uuids.text(known.id)
                return messages.serialised(known, times.now())
            return await self._register(request, access, call, digest)

    async def _register(
        self,
        request: inventory_pb2.RegisterStorageRequest,
        access: access_pb2.AccessInfo,
        call: Call,
        digest: bytes,
    ) -> bytes:
        pair = Pair(access.vendor, access.model)
        info = await self._arrays.driver_info(pair)
        endpoint = endpoint_of(access, info.access_fields, self._access.vault)
        await self._store.read(lambda connection: refuse_endpoint(connection, pair, endpoint))
        storage_id = uuid.uuid4()
        access.storage_id = str(storage_id)
        async with self._arrays.login(
            pair, str(storage_id), access, deadline=call.deadline, request_id=call.request_id
        ) as said:
            row = _new_row(storage_id.bytes, pair, request, said)
            if request.validate_only:
                await self._store.read(lambda connection: refuse_serial(connection, pair, said.serial_number))
                self._arrays.close_login(pair, str(storage_id), access)
                return messages.serialised(row._replace(id=b"", created_at=0), times.now())
            storing = asyncio.create_task(self._store_all(request, access, row, endpoint, info, digest))
            if digest:
                self._storing[request.request_id] = storing
                storing.add_done_callback(lambda _: self._storing.pop(request.request_id))
            stored = await to_the_end(storing)
        call.resource_id = str(storage_id)
        return messages.serialised(stored, times.now())

    async def _store_all(
        self,
        request: inventory_pb2.RegisterStorageRequest,
        access: access_pb2.AccessInfo,
        row: StorageRow,
        endpoint: Endpoint,
        info: storage_driver_pb2.GetDriverInfoResponse,
        digest: bytes,
    ) -> StorageRow:
        sealed = self._access.seal(row.id, access, plain_keys(info.access_fields))
        pair = Pair(row.driver_vendor, row.driver_model)

        def write(connection: Connection) -> tuple[StorageRow, Started]:
            rows.lock_registration(connection)
            refuse_serial(connection, pair, row.serial_number)
            refuse_endpoint(connection, pair, endpoint)
            no = rows.add(connection, row)
            rows.set_labels(connection, no, request.labels)
            infos.add(connection, no, sealed, endpoint)
            if digest:
                connection.run(_FORGET_REQUEST, {"request_id": request.request_id})
                connection.run(_ADD_REQUEST, (request.request_id, digest, row.id, times.now()))
            stored = rows.by_no(connection, no)
            assert stored is not None
            note(connection, stored, change_pb2.CHANGE_TYPE_REGISTERED)
            started = start_sync(connection, stored, "registration")
            return stored._replace(sync_status=rows.SYNCING), started

        try:
            stored, started = await self._store.write(write)
        except DuplicateKey as error:
            raise CallError(
                "TOO_MANY_REQUESTS", f"The same registration runs elsewhere ({error}); try again.", retry_after=1.0
            ) from None
        self._syncs.put(started)
        self._syncs.expect(stored)
        return stored

    async def _repeat(self, request_id: str, digest: bytes) -> StorageRow | None:
        """The storage that an earlier call with this id made."""

        def look(connection: Connection) -> StorageRow | None:
            since = times.now() - REQUEST_IDS_KEPT
            known = connection.one(_KNOWN_REQUEST, {"request_id": request_id, "since": since})
            if known is None:
                return None
            if bytes(known[0]) != digest:
                raise CallError(
                    "REQUEST_ID_REUSED",
                    f"The request_id {request_id} was used with other content in the last 24 hours; make a new one.",
                    metadata={"request_id": request_id},
                )
            row = rows.find(connection, bytes(known[1]))
            if row is None:
                gone = uuids.text(known[1])
                raise CallError(
                    "STORAGE_NOT_FOUND",
                    f"The storage {gone}, which was registered with this request_id, was removed since.",
                    metadata={"storage_id": gone},
                )
            return row

        return await self._store.read(look)

    def _digest(self, request: inventory_pb2.RegisterStorageRequest) -> bytes:
        """With a key, since there are passwords in the request."""
        content = inventory_pb2.RegisterStorageRequest()
        content.CopyFrom(request)
        content.ClearField("request_id")
        return self._access.vault.fingerprint(b"registration", content.SerializeToString(deterministic=True))

    @asynccontextmanager
    async def _alone(self, request_id: str) -> AsyncIterator[None]:
        """Of several calls with one request_id the first does the work, the others wait for its result."""
        lock = self._locks.setdefault(request_id, asyncio.Lock())
        self._users[request_id] += 1
        try:
            async with lock:
                yield
        finally:
            self._users[request_id] -= 1
            if not self._users[request_id]:
                del self._users[request_id], self._locks[request_id]


def _new_row(storage_id: bytes, pair: Pair, request: inventory_pb2.RegisterStorageRequest, said: Said) -> StorageRow:
    interval, now = sync_interval(request), times.now()
    return StorageRow(
        no=0,
        id=storage_id,
        driver_vendor=pair.vendor,
        driver_model=pair.model,
        serial_number=said.serial_number,
        display_name=request.storage_name,
        sync_interval=interval,
        labels=messages.labels_part(request.labels),
        next_sync_at=next_due(storage_id, interval or DEFAULT_INTERVAL, now),
        created_at=now,
        **messages.columns(said.storage),
    )
