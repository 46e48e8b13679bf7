"""A store with a book and a delivery, as the alerts service has them, and what tests do with them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.message import Message

from delphis.alert.v1 import alert_pb2, delivery_pb2
from delphis.type.v1 import alert_pb2 as type_pb
from services.alerts.book import reporting
from services.alerts.book.reports import Report, StorageFacts
from services.alerts.delivery.delivery import Delivery
from services.alerts.delivery.service import DeliveryService
from services.alerts.delivery.settings import DeliverySettings
from services.alerts.schema import SCHEMA
from services.calls.method import Call, Caller, MethodTable
from services.store.engine import Store
from services.values import times
from services.vault.vault import LateVault

Value = TypeVar("Value")
Answer = TypeVar("Answer", bound=Message)

QUICK = DeliverySettings(
    connect_timeout=4.0, read_timeout=4.0, total_timeout=6.0, first_delay=0.05, longest_delay=0.2, grace=1.0
)
ARRAY = StorageFacts(
    id=str(uuid.UUID(int=7)), name="box", vendor="acme", model="x1", serial_number="S1", labels={"site": "b"}
)
PATH = "/delphis.alert.v1.DeliveryService/"


async def soon(what: str, probe: Callable[[], Value], timeout: float = 60.0) -> Value:
    """What the probe answers as soon as it answers something true."""
    end = time.monotonic() + timeout
    while not (found := probe()):
        if time.monotonic() > end:
            raise AssertionError(f"no {what} within {timeout} s")
        await asyncio.sleep(0.01)
    return found


class Scene:
    """Everything at work."""

    def __init__(self, folder: Path, url: str, settings: DeliverySettings) -> None:
        self.troubles: list[tuple[str, str | None]] = []
        self._folder = folder
        self._url = url
        self._settings = settings

    async def begin(self) -> None:
        """Opens the store and starts."""
        self.store = Store.open(self._url, SCHEMA)
        vault = LateVault(self._folder / "key", key_ids=(), purpose="secrets of alerts")
        self.delivery = Delivery(self.store, vault, self._settings, backlog_hook=self._hear)
        self._table = MethodTable(DeliveryService(self.store, self.delivery).methods())
        await self.delivery.start()

    async def end(self) -> None:
        """Stops, in good order."""
        await self.delivery.stop()
        await self.store.close()

    async def _hear(self, id_: str, name: str, problem: str | None) -> None:
        self.troubles.append((name, problem))

    async def call(self, name: str, request: Message, answer: type[Answer]) -> Answer:
        """A call of DeliveryService."""
        method = self._table.find(PATH + name)
        assert method.unary is not None
        deadline = asyncio.get_running_loop().time() + 60
        call = Call(method, Caller("ann", frozenset()), "r1", deadline, "test")
        return answer.FromString(await method.unary(request.SerializeToString(), call))

    async def add(self, name: str = "r", **fields: Any) -> delivery_pb2.Receiver:
        """A new receiver, at work when this returns."""
        receiver = delivery_pb2.Receiver(name=name, **fields)
        request = delivery_pb2.CreateReceiverRequest(receiver=receiver)
        made = await self.call("CreateReceiver", request, delivery_pb2.Receiver)
        await soon("lane", lambda: uuid.UUID(made.id).bytes in self.delivery._running)
        return made

    async def webhook(self, url: str, name: str = "r", **fields: Any) -> delivery_pb2.Receiver:
        """A new webhook."""
        settings = fields.pop("webhook", {})
        return await self.add(name, webhook=delivery_pb2.WebhookReceiver(url=url, **settings), **fields)

    async def status(self, receiver: delivery_pb2.Receiver) -> delivery_pb2.DeliveryStatus:
        """How a receiver does."""
        request = delivery_pb2.GetReceiverRequest(id=receiver.id)
        return (await self.call("GetReceiver", request, delivery_pb2.Receiver)).status

    async def until(
        self, receiver: delivery_pb2.Receiver, what: str, holds: Callable[[delivery_pb2.DeliveryStatus], bool]
    ) -> delivery_pb2.DeliveryStatus:
        """The status as soon as something holds of it."""
        end = time.monotonic() + 60
        while True:
            status = await self.status(receiver)
            if holds(status):
                return status
            assert time.monotonic() < end, f"no {what}: {status}"
            await asyncio.sleep(0.02)

    async def report(self, *keys: str, over: bool = False, at: int = 0, **fields: Any) -> None:
        """An array, or where `storage` is None Delphis itself, says that something is wrong, or over."""
        storage = fields.pop("storage", ARRAY)
        origin = alert_pb2.ALERT_ORIGIN_TRAP if storage is not None else alert_pb2.ALERT_ORIGIN_DELPHIS
        fields.setdefault("severity", type_pb.SEVERITY_MAJOR)
        fields.setdefault("alert_name", "Fan failed")
        reports = [
            Report(storage, type_pb.Alert(match_key=key, **fields), origin, at or times.now(), cleared=over)
            for key in keys
        ]
        await self.store.write(lambda connection: reporting.report(connection, reports))

    async def silence(self, seconds: float, **match: Any) -> delivery_pb2.Silence:
        """A silence from now on."""
        silence = delivery_pb2.Silence(match=delivery_pb2.AlertMatch(**match), reason="work")
        silence.ends_at.FromMicroseconds(times.now() + int(seconds * 1e6))
        request = delivery_pb2.CreateSilenceRequest(silence=silence)
        return await self.call("CreateSilence", request, delivery_pb2.Silence)


@asynccontextmanager
async def scene(folder: Path, url: str = "", settings: DeliverySettings = QUICK) -> AsyncIterator[Scene]:
    """A scene on SQLite, or another database."""
    made = Scene(folder, url or f"sqlite:///{folder}/alerts.db", settings)
    await made.begin()
    try:
        yield made
    finally:
        await made.end()


def keys(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Type and match key of each event."""
    return [(event["type"], event["alert"]["match_key"]) for event in events]
