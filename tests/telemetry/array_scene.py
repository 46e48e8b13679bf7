"""A collector at work on arrays that a test makes up, with a clock that the test sets."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from google.protobuf.message import Message

from delphis.driver.v1 import storage_driver_pb2 as driver
from delphis.telemetry.v1 import telemetry_pb2 as pb
from delphis.type.v1 import metric_pb2, storage_pb2
from services.calls.errors import CallError
from services.calls.method import Call, Caller, MethodTable
from services.fleet.core import Core
from services.fleet.fleet import Fleet
from services.fleet.storage import Storage, storage_of
from services.store.engine import Store
from services.telemetry.api.collection_service import CollectionService
from services.telemetry.collection.collector import Collector
from services.telemetry.exposition.latest import Latest
from services.telemetry.history import reader
from services.telemetry.history.recorder import Recorder
from services.telemetry.schema import SCHEMA
from services.telemetry.window import Window
from services.values import times

Batches = Callable[[int, int], Iterator[metric_pb2.MetricBatch]]


def batch(
    values: list[float],
    *,
    at: int,
    ids: tuple[str, ...] = ("v1",),
    metrics: tuple[str, ...] = ("iops",),
    kind: str = "volume",
) -> metric_pb2.MetricBatch:
    """Values by metric and resource, of one time in milliseconds."""
    made = metric_pb2.MetricBatch(kind=kind, native_ids=ids, metrics=metrics, steps=1, values=values)
    made.start.FromMilliseconds(at)
    made.step.FromSeconds(1)
    return made


@dataclass(slots=True)
class Box:
    """An array. It has a sample of one volume each second, of the number of the second, unless it is told otherwise."""

    number: int
    clock: Callable[[], int]
    """Its own, in milliseconds."""
    capabilities: metric_pb2.Capabilities = field(default_factory=metric_pb2.Capabilities)
    says_newest: bool = True
    batches: Batches | None = None
    failure: CallError | None = None
    silent: asyncio.Event | None = None
    """It answers when this is set."""
    breaks_off: bool = False
    asked: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    @property
    def id(self) -> str:
        """Of the storage."""
        return str(uuid.UUID(int=self.number))

    def storage(self) -> Storage:
        """As the core lists it."""
        message = storage_pb2.Storage(id=self.id, name=f"box {self.number}", driver_vendor="acme", driver_model="x1")
        message.sync_outcome = storage_pb2.SYNC_OUTCOME_OK
        return storage_of(message, None, ())

    def measures(self, *kinds: str, **fields: Any) -> None:
        """Announces these kinds, a sample a second, an hour of history; or what `fields` say."""
        self.capabilities = metric_pb2.Capabilities(is_historic=True, **fields)
        if "retention" not in fields:
            self.capabilities.retention.FromSeconds(3600)
        for kind in kinds:
            made = self.capabilities.resource_metrics.add(kind=kind)
            made.metrics.add(name="iops", unit="1/s")
            made.interval.FromSeconds(10)

    def answer(self, begin: int, end: int) -> Iterator[metric_pb2.MetricBatch]:
        """Its samples of a time."""
        if self.batches is not None:
            yield from self.batches(begin, end)
            return
        first, beyond = -(-begin // 1000), -(-min(end, self.clock() + 1) // 1000)
        if first < beyond:
            seconds = range(first, beyond)
            made = metric_pb2.MetricBatch(kind="volume", native_ids=["v1"], metrics=["iops"], steps=len(seconds))
            made.values.extend(float(second % 100_000) for second in seconds)
            made.start.FromMilliseconds(first * 1000)
            made.step.FromSeconds(1)
            yield made


class Scene:
    """Everything at work; it stands in for core and fleet."""

    known = True

    def __init__(self, folder: Path) -> None:
        self.at = 1_790_000_001_000
        """What Delphis' clock says, in milliseconds."""
        self.boxes: dict[str, Box] = {}
        self._storages: dict[str, Storage] = {}
        self.store = Store.open(f"sqlite:///{folder}/telemetry.db", SCHEMA)
        self.latest = Latest()
        self.collector = Collector(self.store, cast("Core", self), cast("Fleet", self), Recorder(), took=self._took)
        self._table = MethodTable(CollectionService(cast("Fleet", self), self.collector).methods())
        self._listeners: list[Callable[[Collection[str]], None]] = []

    def add(self, *, clock: Callable[[], int] | None = None, interval: int = 10) -> Box:
        """An array of which a volume is measured; 0 leaves the interval to it."""
        box = Box(len(self.boxes) + 1, clock or (lambda: self.at))
        box.measures("volume")
        if interval:
            self.collector.known(box.id).settings.interval.FromSeconds(interval)
        self.boxes[box.id], self._storages[box.id] = box, box.storage()
        self.touch(box)
        return box

    def touch(self, box: Box) -> None:
        """Something of the array changed: it is looked at."""
        for listener in self._listeners:
            listener((box.id,))

    def _took(self, storage: Storage, windows: list[Window]) -> None:
        self.latest.take(storage.id, windows)

    # ---- The fleet

    def get(self, storage_id: str) -> Storage | None:
        """The array."""
        return self._storages.get(storage_id)

    def all(self) -> dict[str, Storage]:
        """All."""
        return self._storages

    def listen(self, listener: Callable[[Collection[str]], None]) -> None:
        """Has it told."""
        self._listeners.append(listener)

    async def wait_known(self) -> None:
        """They are."""

    # ---- The core

    async def ask_array(self, name: str, request: Any, answer: Any) -> Any:
        """Calls an array."""
        box = self.boxes[request.target.storage_id]
        await _ready(box)
        if name == "GetCapabilities":
            return driver.GetCapabilitiesResponse(capabilities=box.capabilities)
        assert name == "GetLatestPerfTimestamp"
        if not box.says_newest:
            raise CallError("STORAGE_CAPABILITY_NOT_SUPPORTED", "It does not say.")
        newest = driver.GetLatestPerfTimestampResponse()
        newest.timestamp.FromMilliseconds(box.clock())
        return newest

    async def list_from_array(self, name: str, request: Any, answer: Any) -> AsyncIterator[Any]:
        """Calls an array that answers a stream."""
        assert name == "CollectPerfMetrics"
        box = self.boxes[request.target.storage_id]
        begin, end = request.begin_time.ToMilliseconds(), request.end_time.ToMilliseconds()
        box.asked.append((begin, end))
        await _ready(box)
        for item in box.answer(begin, end):
            await asyncio.sleep(0)  # as it comes over a network
            yield driver.CollectPerfMetricsResponse(items=[item])
        if not box.breaks_off:
            yield driver.CollectPerfMetricsResponse(complete=True)

    # ---- What tests do

    async def status(self, box: Box) -> pb.CollectionStatus:
        """As operators see it."""
        method = self._table.find("/delphis.telemetry.v1.CollectionService/GetCollectionStatus")
        assert method.unary is not None
        call = Call(method, Caller("ann", frozenset()), "r1", asyncio.get_running_loop().time() + 30, "test")
        request: Message = pb.GetCollectionStatusRequest(storage_id=box.id)
        return pb.CollectionStatus.FromString(await method.unary(request.SerializeToString(), call))

    async def until(self, box: Box, what: str, holds: Callable[[pb.CollectionStatus], object]) -> pb.CollectionStatus:
        """The status as soon as something holds of it."""
        end = time.monotonic() + 50
        while True:
            status = await self.status(box)
            if holds(status):
                return status
            assert time.monotonic() < end, f"no {what}: {status}"
            self.touch(box)
            await asyncio.sleep(0.01)

    async def go(self, box: Box, seconds: int) -> pb.CollectionStatus:
        """The time passes, and what is due then is collected. Less than ten seconds are not."""
        self.at += seconds * 1000
        end = self.at - self.at % 10_000
        return await self.until(
            box,
            "collection",
            lambda status: status.kinds and all(kind.watermark.ToMilliseconds() >= end for kind in status.kinds),
        )

    async def seconds(self, box: Box) -> list[int]:
        """The seconds that the history has of the array's volume."""

        def work(connection: Any) -> list[int]:
            key = uuid.UUID(box.id).bytes
            found = list(reader.grids(connection, key, "volume", ("iops",), 0, 1 << 50))
            return [int(at) // 1000 for grid in found for at in grid.times]

        return await self.store.scan(work)


async def _ready(box: Box) -> None:
    if box.silent is not None:
        await box.silent.wait()
    if box.failure is not None:
        raise box.failure


@asynccontextmanager
async def scene(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """A scene that collects."""
    at: list[Scene] = []
    monkeypatch.setattr(times, "now", lambda: at[0].at * 1000 if at else 0)
    made = Scene(folder)
    at.append(made)
    await made.collector.start()
    try:
        yield made
    finally:
        await made.collector.stop()
        await made.store.close()
