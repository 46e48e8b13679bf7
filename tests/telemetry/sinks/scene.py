"""A store with sinks, as the telemetry service has them, and what tests do with them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from google.protobuf.message import Message

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.calls.method import Call, Caller, MethodTable
from services.fleet.fleet import Fleet
from services.store.engine import Store
from services.telemetry import journal
from services.telemetry.api.sink_service import SinkService
from services.telemetry.schema import SCHEMA
from services.telemetry.sinks.settings import SinkSettings
from services.telemetry.sinks.sinks import Sinks
from services.telemetry.window import Window
from services.values import times
from services.vault.vault import LateVault

Answer = TypeVar("Answer", bound=Message)

QUICK = SinkSettings(
    connect_timeout=4.0, read_timeout=4.0, total_timeout=6.0, first_delay=0.05, longest_delay=0.2, grace=1.0
)
PATH = "/delphis.telemetry.v1.SinkService/"
BEGIN = 1_760_000_000_000


@dataclass(frozen=True, slots=True)
class Box:
    """An array."""

    id: str
    name: str = "box"
    vendor: str = "acme"
    model: str = "x1"
    serial_number: str = "S1"


@dataclass(slots=True)
class Boxes:
    """Stands in for the fleet."""

    all: dict[str, Box] = field(default_factory=dict[str, Box])

    def get(self, storage_id: str) -> Box | None:
        """The array."""
        return self.all.get(storage_id)

    async def wait_known(self) -> None:
        """They are."""


BOX = Box(str(uuid.UUID(int=7)))
OTHER = Box(str(uuid.UUID(int=8)), name='a "quoted" \\ name')


def window(
    values: Sequence[float],
    *,
    begin: int = BEGIN,
    ids: tuple[str, ...] = ("v1",),
    metrics: tuple[str, ...] = ("iops",),
    kind: str = "volume",
) -> Window:
    """By time, metric, resource, a minute apart."""
    numbers = np.array(list(values), dtype=np.float64).reshape(-1, len(metrics), len(ids))
    return Window(kind, ids, metrics, begin, 60_000, numbers)


class Scene:
    """Everything at work."""

    def __init__(self, folder: Path, url: str, settings: SinkSettings) -> None:
        self.boxes = Boxes({BOX.id: BOX, OTHER.id: OTHER})
        self.unnamed: set[str] = set()
        self._folder = folder
        self._url = url
        self._settings = settings

    async def begin(self) -> None:
        """Opens the store and starts."""
        self.store = Store.open(self._url, SCHEMA)
        vault = LateVault(self._folder / "key", key_ids=(), purpose="secrets of sinks")
        self.sinks = Sinks(
            self.store,
            vault,
            cast("Fleet", self.boxes),
            self._settings,
            names=lambda _, __, ids: tuple(f"name of {id_}" for id_ in ids),
            names_known=lambda storage_id, _: storage_id not in self.unnamed,
        )
        self._table = MethodTable(SinkService(self.store, self.sinks).methods())
        self.sinks.start()

    async def end(self) -> None:
        """Stops, in good order."""
        await self.sinks.stop()
        await self.store.close()

    async def call(self, name: str, request: Message, answer: type[Answer]) -> Answer:
        """A call of SinkService."""
        method = self._table.find(PATH + name)
        assert method.unary is not None
        deadline = asyncio.get_running_loop().time() + 60
        call = Call(method, Caller("ann", frozenset()), "r1", deadline, "test")
        return answer.FromString(await method.unary(request.SerializeToString(), call))

    async def add(self, name: str = "p", **fields: Any) -> pb.Sink:
        """A new sink."""
        return await self.call("CreateSink", pb.CreateSinkRequest(sink=pb.Sink(name=name, **fields)), pb.Sink)

    async def remote_write(self, url: str, name: str = "p", *, kinds: Sequence[str] = (), **settings: Any) -> pb.Sink:
        """A new remote write."""
        return await self.add(name, kinds=kinds, remote_write=pb.RemoteWriteSink(url=url, **settings))

    async def get(self, sink: pb.Sink) -> pb.Sink:
        """The sink as it is."""
        return await self.call("GetSink", pb.GetSinkRequest(id=sink.id), pb.Sink)

    async def update(self, sink: pb.Sink, changed: pb.Sink) -> pb.Sink:
        """Changes it."""
        return await self.call("UpdateSink", pb.UpdateSinkRequest(id=sink.id, sink=changed), pb.Sink)

    async def until(self, sink: pb.Sink, what: str, holds: Callable[[pb.SinkStatus], bool]) -> pb.SinkStatus:
        """The status as soon as something holds of it."""
        end = time.monotonic() + 60
        while True:
            status = (await self.get(sink)).status
            if holds(status):
                return status
            assert time.monotonic() < end, f"no {what}: {status}"
            await asyncio.sleep(0.02)

    async def collect(self, *windows: Window, box: Box = BOX, at: int = 0) -> None:
        """As the collector does."""
        key = uuid.UUID(box.id).bytes
        await self.store.write(lambda connection: journal.append(connection, key, windows, at or times.now()))


@asynccontextmanager
async def scene(folder: Path, url: str = "", settings: SinkSettings = QUICK) -> AsyncIterator[Scene]:
    """A scene on SQLite, or another database."""
    made = Scene(folder, url or f"sqlite:///{folder}/telemetry.db", settings)
    await made.begin()
    try:
        yield made
    finally:
        await made.end()
