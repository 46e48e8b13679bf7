"""InventoryService."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from delphis.inventory.v1 import change_pb2
from delphis.inventory.v1 import inventory_pb2 as pb
from delphis.type.v1 import access_pb2, storage_pb2
from services.calls.errors import CallError
from services.calls.method import Call, Method, methods_of, unary
from services.inventory.access import infos
from services.inventory.access.updating import AccessUpdate
from services.inventory.finishing import to_the_end
from services.inventory.jobs import progress, records
from services.inventory.jobs.schedule import next_due
from services.inventory.kinds import KINDS
from services.inventory.storages import listing, messages, rows, settings
from services.inventory.storages.accepting import accept_serial
from services.inventory.storages.capabilities import capabilities, in_delfins_shape
from services.inventory.storages.history import note
from services.inventory.storages.importing import Imports
from services.inventory.storages.registration import Registration
from services.inventory.storages.removal import Removals
from services.inventory.storages.rows import StorageRow
from services.inventory.storages.syncing import Syncs, stop_sync
from services.inventory.sync import cleanup
from services.inventory.sync.result import StorageGone
from services.registry.manifest import Pair
from services.router.router import Router
from services.store.connection import Connection
from services.store.engine import Store
from services.values import times, uuids


class InventoryService:
    """The handlers."""

    def __init__(
        self,
        store: Store,
        router: Router,
        *,
        registration: Registration,
        imports: Imports,
        access_update: AccessUpdate,
        syncs: Syncs,
        removals: Removals,
    ) -> None:
        self._store = store
        self._router = router
        self._registration = registration
        self._imports = imports
        self._access_update = access_update
        self._syncs = syncs
        self._removals = removals

    def methods(self) -> Iterator[Method]:
        """The service for a method table."""
        return methods_of(
            pb.DESCRIPTOR.services_by_name["InventoryService"],
            {
                "RegisterStorage": unary(pb.RegisterStorageRequest, self._register_storage),
                "ImportStorage": unary(pb.ImportStorageRequest, self._import_storage),
                "GetStorage": unary(pb.GetStorageRequest, self._get_storage),
                "ListStorages": unary(pb.ListStoragesRequest, self._list_storages),
                "UpdateStorage": unary(pb.UpdateStorageRequest, self._update_storage),
                "DeleteStorage": unary(pb.DeleteStorageRequest, self._delete_storage),
                "SyncStorage": unary(pb.SyncStorageRequest, self._sync_storage),
                "SyncStorages": unary(pb.SyncStoragesRequest, self._sync_storages),
                "GetSyncState": unary(pb.GetSyncStateRequest, self._get_sync_state),
                "AcceptSerial": unary(pb.AcceptSerialRequest, self._accept_serial),
                "AcceptRemovals": unary(pb.AcceptRemovalsRequest, self._accept_removals),
                "GetAccessInfo": unary(pb.GetAccessInfoRequest, self._get_access_info),
                "ListAccessInfos": unary(pb.ListAccessInfosRequest, self._list_access_infos),
                "UpdateAccessInfo": unary(pb.UpdateAccessInfoRequest, self._update_access_info),
                "GetStorageCapabilities": unary(pb.GetStorageCapabilitiesRequest, self._get_capabilities),
            },
        )

    # -- storages -------------------------------------------------------------------------------------------------

    async def _register_storage(self, request: pb.RegisterStorageRequest, call: Call) -> bytes:
        return await self._registration.register(request, call)

    async def _import_storage(self, request: pb.ImportStorageRequest, call: Call) -> pb.ImportStorageResponse:
        return await self._imports.import_storage(request, call)

    async def _get_storage(self, request: pb.GetStorageRequest, call: Call) -> bytes:
        return messages.serialised(await self._row(request.storage_id), times.now())

    async def _list_storages(self, request: pb.ListStoragesRequest, call: Call) -> bytes:
        return await listing.list_storages(self._store, request)

    async def _update_storage(self, request: pb.UpdateStorageRequest, call: Call) -> bytes:
        call.resource_id = request.storage_id
        return await to_the_end(self._update(request))

    async def _update(self, request: pb.UpdateStorageRequest) -> bytes:
        def write(connection: Connection) -> tuple[StorageRow, records.Job | None]:
            return self._write_settings(connection, request)

        row, stopped = await self._store.write(write)
        if stopped is not None:
            self._syncs.cancel(stopped.id)
        self._syncs.expect(row)
        return messages.serialised(row, times.now())

    def _write_settings(
        self, connection: Connection, request: pb.UpdateStorageRequest
    ) -> tuple[StorageRow, records.Job | None]:
        row = rows.get(connection, request.storage_id)
        values = settings.changes(row, request)
        if not values:
            return row, None
        # The columns of a pause are one field of the storage.
        fields = sorted({"pause" if name.startswith("pause") else name for name in values})
        now = times.now()
        values["updated_at"] = now
        if "labels" in values:
            rows.set_labels(connection, row.no, request.settings.labels)
        new = row._replace(**values)  # type: ignore[arg-type]  # names and types of its columns
        paused = new.is_paused(now)
        if paused or "paused" in values or "sync_interval" in values:
            values["next_sync_at"] = 0 if paused else next_due(row.id, settings.interval(new), now)
        rows.change(connection, row.no, **values)
        note(connection, row, change_pb2.CHANGE_TYPE_CHANGED, fields)
        # A pause stops all automatic calls to the array, those that run included.
        stopped = stop_sync(connection, row, "The storage was paused.") if paused else None
        return rows.get(connection, request.storage_id), stopped

    async def _delete_storage(self, request: pb.DeleteStorageRequest, call: Call) -> pb.DeleteStorageResponse:
        call.resource_id = request.storage_id
        job = await self._removals.remove(request.storage_id, call.caller.name)
        return pb.DeleteStorageResponse(job_id=uuids.text(job.id))

    # -- syncs ----------------------------------------------------------------------------------------------------

    async def _sync_storage(self, request: pb.SyncStorageRequest, call: Call) -> pb.SyncStorageResponse:
        call.resource_id = request.storage_id
        job = await self._syncs.request(request.storage_id, call.caller.name)
        return pb.SyncStorageResponse(job_id=uuids.text(job.id))

    async def _sync_storages(self, request: pb.SyncStoragesRequest, call: Call) -> pb.SyncStoragesResponse:
        batch, started, skipped = await self._syncs.request_all(call.caller.name)
        return pb.SyncStoragesResponse(batch_id=uuids.text(batch), started=started, skipped=skipped)

    async def _get_sync_state(self, request: pb.GetSyncStateRequest, call: Call) -> pb.SyncState:
        return await self._sync_state(request.storage_id)

    async def _sync_state(self, storage_id: str) -> pb.SyncState:
        row = await self._row(storage_id)
        kinds, job = await self._store.read(
            lambda connection: (progress.of_storage(connection, row.no), records.last_sync_of(connection, row.no))
        )
        running = self._syncs.kinds_of(job.id) if job is not None else None
        return pb.SyncState(
            storage_id=storage_id,
            sync_status=storage_pb2.SyncStatus.ValueType(row.sync_status),
            sync_outcome=storage_pb2.SyncOutcome.ValueType(row.sync_outcome),
            last_success_at=times.stamp(row.last_success_at),
            next_sync_at=times.stamp(row.next_sync_at),
            kinds=progress.overlaid(kinds, running or ()),
            job_id=uuids.text(job.id) if job is not None else "",
        )

    async def _accept_serial(self, request: pb.AcceptSerialRequest, call: Call) -> bytes:
        call.resource_id = request.storage_id
        return await to_the_end(self._accept(request, call.caller.name))

    async def _accept(self, request: pb.AcceptSerialRequest, caller: str) -> bytes:
        accepted = await self._store.write(lambda connection: accept_serial(connection, request, caller))
        if accepted.stopped is not None:
            self._syncs.cancel(accepted.stopped.id)
        if accepted.started is not None:
            self._syncs.put(accepted.started)
        return messages.serialised(await self._row(request.storage_id), times.now())

    async def _accept_removals(self, request: pb.AcceptRemovalsRequest, call: Call) -> pb.SyncState:
        call.resource_id = request.storage_id
        if request.kind and request.kind not in KINDS:
            raise CallError(
                "INVALID_INPUT",
                f"Invalid input for field/attribute kind. There is no kind {request.kind[:64]!r}; there are "
                f"{', '.join(KINDS)}.",
                metadata={"field": "kind"},
            )
        row = await self._row(request.storage_id)
        try:
            await cleanup.accept_removals(self._store, row.id, request.kind)
        except StorageGone:
            raise rows.not_found(request.storage_id) from None
        return await self._sync_state(request.storage_id)

    # -- access ---------------------------------------------------------------------------------------------------

    async def _get_access_info(self, request: pb.GetAccessInfoRequest, call: Call) -> access_pb2.AccessInfo:
        return await self._store.read(lambda connection: infos.get_plain(connection, request.storage_id))

    async def _list_access_infos(self, request: pb.ListAccessInfosRequest, call: Call) -> pb.ListAccessInfosResponse:
        return await listing.list_access_infos(self._store, request)

    async def _update_access_info(self, request: pb.UpdateAccessInfoRequest, call: Call) -> access_pb2.AccessInfo:
        call.resource_id = request.storage_id
        return await self._access_update.update(request, call)

    async def _get_capabilities(self, request: pb.GetStorageCapabilitiesRequest, call: Call) -> pb.StorageCapabilities:
        row = await self._row(request.storage_id)
        pair = Pair(row.driver_vendor, row.driver_model)
        info = await self._router.driver_info(pair)
        if "GetCapabilities" not in info.rpcs and not info.load_error:
            raise CallError(
                "STORAGE_CAPABILITY_NOT_SUPPORTED",
                f"The driver of {pair} does not say what its arrays can measure.",
                metadata={"storage_id": request.storage_id},
            )
        # A little earlier than the caller's own deadline, so that he hears what it was that took so long.
        deadline = max(call.deadline - 0.1, asyncio.get_running_loop().time())
        answer = await self._router.unary(
            "GetCapabilities", request.storage_id, deadline=deadline, request_id=call.request_id
        )
        spec = in_delfins_shape(capabilities(answer, str(pair)))
        return pb.StorageCapabilities(metadata=pb.CapabilitiesMetadata(vendor=row.vendor, model=row.model), spec=spec)

    async def _row(self, storage_id: str) -> StorageRow:
        return await self._store.read_kept(("storage", storage_id), lambda connection: rows.get(connection, storage_id))
