"""A core without ports: a real store, registry, router and inventory behind a real pipeline, with real driver hosts."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from google.protobuf.message import Message

from delphis.inventory.v1 import inventory_pb2 as pb
from delphis.inventory.v1 import job_pb2, resource_pb2
from delphis.type.v1 import access_pb2, storage_pb2
from services.auth.authenticator import TokenAuthenticator
from services.calls.errors import CallError
from services.calls.method import MethodTable
from services.calls.pipeline import AnonymousAdmin, Ingress, Pipeline
from services.inventory.access.infos import AccessInfos
from services.inventory.preferences import DriverPreferences
from services.inventory.schema import SCHEMA
from services.inventory.service import Inventory, open_vault
from services.registry.registry import Registry
from services.registry.service import RegistryService
from services.registry.settings import HostSettings
from services.router import service as router_service
from services.router.router import Router
from services.store.engine import Store

DRIVERS = Path(__file__).parents[2] / "drivers"
INVENTORY, JOBS = "/delphis.inventory.v1.InventoryService/", "/delphis.inventory.v1.JobService/"
RESOURCES = "/delphis.inventory.v1.ResourceService/"
PASSWORD = "sentinel-4f1c-password"

T = TypeVar("T")
M = TypeVar("M", bound=Message)


class Core:
    """What the tests hold in hand."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        router: Router,
        access: AccessInfos,
        inventory: Inventory,
        pipeline: Pipeline,
    ) -> None:
        self.store = store
        self.registry = registry
        self.router = router
        self.access = access
        self.inventory = inventory
        self.pipeline = pipeline
        self.answers: list[bytes] = []
        self.token: str | None = None

    async def call(self, path: str, request: Message, answer: type[M], *, timeout: float | None = 30.0) -> M:
        """Calls through the pipeline. CallError where it fails."""
        ingress = Ingress(token=self.token, request_id="req-test", timeout=timeout, peer="test")
        body = (await self.pipeline.unary(path, request.SerializeToString(), ingress)).body
        self.answers.append(body)
        return answer.FromString(body)

    async def register(self, port: int = 1, **attributes: str) -> storage_pb2.Storage:
        """Registers a generated array; `attributes` are its extra attributes."""
        return await self.call(INVENTORY + "RegisterStorage", registration(port, **attributes), storage_pb2.Storage)

    async def update(self, storage_id: str, settings: pb.StorageSettings, *paths: str) -> storage_pb2.Storage:
        """Changes settings: those that are set, or those of the paths."""
        request = pb.UpdateStorageRequest(storage_id=storage_id, settings=settings)
        if paths:
            request.update_mask.paths.extend(paths)
        return await self.call(INVENTORY + "UpdateStorage", request, storage_pb2.Storage)

    async def delete(self, storage_id: str) -> str:
        """Removes a storage; the job's id."""
        request = pb.DeleteStorageRequest(storage_id=storage_id)
        return (await self.call(INVENTORY + "DeleteStorage", request, pb.DeleteStorageResponse)).job_id

    async def storages(self, text: str = "", **fields: Any) -> pb.ListStoragesResponse:
        """A page of storages."""
        request = pb.ListStoragesRequest(filter=text, **fields)
        return await self.call(INVENTORY + "ListStorages", request, pb.ListStoragesResponse)

    async def volumes(self, storage_id: str) -> int:
        """How many volumes are listed."""
        request = resource_pb2.ListVolumesRequest(storage_id=storage_id)
        return len((await self.call(RESOURCES + "ListVolumes", request, resource_pb2.ListVolumesResponse)).volumes)

    async def synced(self, port: int = 1, **attributes: str) -> storage_pb2.Storage:
        """Registers a generated array and waits for its first sync."""
        return await self.wait_synced((await self.register(port, **attributes)).id)

    async def get(self, storage_id: str) -> storage_pb2.Storage:
        """One storage."""
        return await self.call(
            INVENTORY + "GetStorage", pb.GetStorageRequest(storage_id=storage_id), storage_pb2.Storage
        )

    async def sync(self, storage_id: str) -> str:
        """Starts a sync; its job's id."""
        request = pb.SyncStorageRequest(storage_id=storage_id)
        return (await self.call(INVENTORY + "SyncStorage", request, pb.SyncStorageResponse)).job_id

    async def state(self, storage_id: str) -> pb.SyncState:
        """The storage's sync state."""
        return await self.call(INVENTORY + "GetSyncState", pb.GetSyncStateRequest(storage_id=storage_id), pb.SyncState)

    async def kind(self, storage_id: str, kind: str) -> job_pb2.KindState:
        """The state of one kind."""
        return next(state for state in (await self.state(storage_id)).kinds if state.kind == kind)

    async def job(self, job_id: str) -> job_pb2.Job:
        """One job."""
        return await self.call(JOBS + "GetJob", job_pb2.GetJobRequest(job_id=job_id), job_pb2.Job)

    async def jobs(self) -> job_pb2.ListJobsResponse:
        """The newest jobs."""
        return await self.call(JOBS + "ListJobs", job_pb2.ListJobsRequest(), job_pb2.ListJobsResponse)

    async def ended(self, job_id: str) -> job_pb2.Job:
        """The job, once it has ended."""
        running = (job_pb2.JOB_STATE_WAITING, job_pb2.JOB_STATE_RUNNING)
        return await until(functools.partial(self.job, job_id), lambda job: job.state not in running)

    async def wait_synced(self, storage_id: str) -> storage_pb2.Storage:
        """The storage, once no sync of it waits or runs."""
        return await until(
            functools.partial(self.get, storage_id),
            lambda storage: storage.sync_status == storage_pb2.SYNC_STATUS_SYNCED,
        )


async def refusal(call: Awaitable[object]) -> CallError:
    """The error with which the call ends."""
    with pytest.raises(CallError) as raised:
        await call
    assert PASSWORD not in f"{raised.value} {raised.value.metadata}"
    return raised.value


async def until(look: Callable[[], Awaitable[T]], done: Callable[[T], bool], *, seconds: float = 60.0) -> T:
    """What `look` gives once it is as wanted."""
    last: list[T] = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                last = [await look()]
                if done(last[0]):
                    return last[0]
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s; last seen: {last}") from None


def registration(port: int = 1, **attributes: str) -> pb.RegisterStorageRequest:
    """A valid request for a generated array."""
    return pb.RegisterStorageRequest(
        vendor="fake_storage", model="fake_driver", rest=rest(port), extra_attributes=attributes
    )


def rest(port: int = 1, *, password: str = PASSWORD, host: str = "127.9.0.1") -> access_pb2.RestAccess:
    """An address, which is a generated array, and a login."""
    return access_pb2.RestAccess(host=host, port=port, username="operator", password=password)


@asynccontextmanager
async def core(
    folder: Path,
    *,
    database: str = "",
    drivers: Sequence[Path] = (DRIVERS,),
    authenticate: bool = False,
    service_token: str | None = None,
) -> AsyncGenerator[Core]:
    """A core on the folder's store and key, for as long as the block lasts."""
    store = Store.open(database or f"sqlite:///{folder / 'inventory.db'}", SCHEMA)
    try:
        vault = await open_vault(store, folder / "key")
        access = AccessInfos(store, vault)
        settings = HostSettings(runtime_dir=folder / "run", watch_interval=0.1)
        registry = Registry(settings, drivers, DriverPreferences(store), entry_points=False)
        router = Router(registry, access)
        authenticator = TokenAuthenticator(store, service_token=service_token) if authenticate else None
        inventory = Inventory(store, router, access, forget=registry.forget, authenticator=authenticator)
        methods = [*inventory.methods(), *RegistryService(registry).methods(), *router_service.methods(router)]
        pipeline = Pipeline(MethodTable(methods), authenticator or AnonymousAdmin(), inventory.audit)
        await registry.start()
        try:
            await inventory.start()
            try:
                yield Core(store, registry, router, access, inventory, pipeline)
            finally:
                await inventory.stop()
        finally:
            await registry.stop(1.0)
    finally:
        await store.close()
