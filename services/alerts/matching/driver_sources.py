"""What drivers say their arrays send traps from, asked for again when something of the array changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import grpc
from sqlalchemy import bindparam, delete, select

from delphis.driver.v1 import storage_driver_pb2
from services.alerts.arrays import Array, Arrays
from services.alerts.drivers import Drivers
from services.alerts.matching.sources import Place
from services.alerts.schema.traps import alert_sources
from services.calls.errors import CallError
from services.fleet.core import Core, target
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import StoreFault
from services.store.statement import sql, statement
from services.values import times, uuids

log = logging.getLogger(__name__)

AGE_SECONDS = 3600.0
RETRY_SECONDS = 60.0
AT_ONCE = 4
METHOD = "GetAlertSources"

_ALL = statement(select(alert_sources.c.storage_id, alert_sources.c.sources))
_REMOVE = statement(delete(alert_sources).where(alert_sources.c.storage_id == bindparam("storage_id")))
_PUT_TEXT = (
    "INSERT INTO alert_sources (storage_id, sources, read_at) VALUES (:storage_id, :sources, :read_at) "
    "ON CONFLICT (storage_id) DO UPDATE SET sources = excluded.sources, read_at = excluded.read_at"
)
_PUT = sql(sqlite=_PUT_TEXT, postgresql=_PUT_TEXT)


@dataclass(slots=True)
class _Asked:
    revision: tuple[int, str]
    """Of the access info, and the driver: the answer depends on both."""
    due: float
    """Loop time at which it is asked again."""


class DriverSources:
    """The answers, kept over restarts: the array may be silent just when its traps come."""

    def __init__(
        self, store: Store, core: Core, arrays: Arrays, drivers: Drivers, changed: Callable[[], object]
    ) -> None:
        """`changed` is called when an array sends from elsewhere now."""
        self._store = store
        self._core = core
        self._arrays = arrays
        self._drivers = drivers
        self._changed = changed
        self._answers: dict[str, storage_driver_pb2.GetAlertSourcesResponse] = {}
        self._asked: dict[str, _Asked] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Reads what is kept, and begins to ask."""
        for storage_id, answer in await self._store.scan(lambda connection: connection.all(_ALL)):
            self._answers[uuids.text(storage_id)] = storage_driver_pb2.GetAlertSourcesResponse.FromString(bytes(answer))
        self._task = asyncio.create_task(self._run(), name="trap sources of drivers")

    async def stop(self) -> None:
        """Asks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def refresh(self) -> None:
        """Arrays or drivers changed."""
        self._wake.set()

    async def forget(self, storage_id: str) -> None:
        """The storage was removed."""
        self._asked.pop(storage_id, None)
        if self._answers.pop(storage_id, None) is not None:
            key = {"storage_id": uuids.parsed(storage_id) or b""}
            await self._store.write(lambda connection: connection.run(_REMOVE, key))

    def places(self, storage_id: str) -> list[Place]:
        """What the driver said."""
        answer = self._answers.get(storage_id)
        if answer is None:
            return []
        return [
            Place(source.host, "driver", source.engine_id.lower(), source.controller_name)
            for source in answer.alert_sources
            if source.host
        ]

    async def _run(self) -> None:
        gate = asyncio.Semaphore(AT_ONCE)
        while True:
            self._wake.clear()
            due = [array for array in self._arrays.all().values() if self._is_due(array)]
            if due:
                await asyncio.gather(*(self._ask(array, gate) for array in due))
            try:
                async with asyncio.timeout(RETRY_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _is_due(self, array: Array) -> bool:
        driver = self._drivers.of(array.pair)
        if driver is None or METHOD not in driver.rpcs or array.paused:
            return False
        asked = self._asked.get(array.id)
        now = asyncio.get_running_loop().time()
        return asked is None or asked.due <= now or asked.revision != self._revision(array)

    def _revision(self, array: Array) -> tuple[int, str]:
        return array.access_revision, self._drivers.named(array.pair)

    async def _ask(self, array: Array, gate: asyncio.Semaphore) -> None:
        asked = self._asked[array.id] = _Asked(self._revision(array), asyncio.get_running_loop().time() + RETRY_SECONDS)
        request = storage_driver_pb2.GetAlertSourcesRequest(target=target(array.id))
        async with gate:
            try:
                answer = await self._core.ask_array(METHOD, request, storage_driver_pb2.GetAlertSourcesResponse)
            except CallError as error:
                if error.code is not grpc.StatusCode.UNIMPLEMENTED:
                    log.info("the driver of %s does not say where its traps come from: %s", array.id, error)
                    return
                answer = storage_driver_pb2.GetAlertSourcesResponse()
        asked.due = asyncio.get_running_loop().time() + AGE_SECONDS
        if self._answers.get(array.id, storage_driver_pb2.GetAlertSourcesResponse()) == answer:
            return
        self._answers[array.id] = answer
        self._changed()
        try:
            await self._store.write(partial(_put, storage_id=array.id, answer=answer))
        except StoreFault as fault:
            log.error("where the traps of %s come from can't be stored: %s", array.id, fault)


def _put(connection: Connection, storage_id: str, answer: storage_driver_pb2.GetAlertSourcesResponse) -> None:
    values = {
        "storage_id": uuids.parsed(storage_id) or b"",
        "sources": answer.SerializeToString(),
        "read_at": times.now(),
    }
    connection.run(_PUT, values)
