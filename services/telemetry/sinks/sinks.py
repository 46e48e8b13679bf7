"""All sinks: a sender for each, and the bounds of what waits for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from uuid import UUID

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.fleet.fleet import Fleet
from services.store.engine import Store
from services.store.errors import StoreFault
from services.telemetry import journal
from services.telemetry.exposition.latest import Names
from services.telemetry.exposition.text import Array
from services.telemetry.journal import Entry
from services.telemetry.sinks import bounds, records
from services.telemetry.sinks.bounds import Limits
from services.telemetry.sinks.destination import Destination
from services.telemetry.sinks.kafka import Kafka
from services.telemetry.sinks.load import Load, Source, loaded
from services.telemetry.sinks.records import StoredSink
from services.telemetry.sinks.remote_write import RemoteWrite
from services.telemetry.sinks.secrets import whole
from services.telemetry.sinks.sender import Sender
from services.telemetry.sinks.settings import SinkSettings
from services.values import times, uuids
from services.vault.errors import Undecryptable, VaultError
from services.vault.vault import LateVault

log = logging.getLogger(__name__)

FOLLOW_SECONDS = 30.0
TRIM_SECONDS = 2.0

NamesKnown = Callable[[str, str], bool]
"""Whether the names of an array's resources of a kind were read."""


class Sinks:
    """Sends to all of them. `start` it once the store is open, `stop` it before the store is closed."""

    def __init__(
        self,
        store: Store,
        vault: LateVault,
        fleet: Fleet,
        settings: SinkSettings,
        *,
        names: Names,
        names_known: NamesKnown,
        clock: Callable[[], int] = times.now,
    ) -> None:
        """`clock` says, in microseconds, which points waited for too long."""
        self.settings = settings
        self._store = store
        self._vault = vault
        self._fleet = fleet
        self._names = names
        self._names_known = names_known
        self._clock = clock
        self._senders: dict[bytes, Sender] = {}
        self._reloading = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins, once the arrays are known."""
        self._tasks = [
            asyncio.create_task(self._follow(), name="sinks"),
            asyncio.create_task(self._trim(), name="bounds of the journal"),
        ]

    async def stop(self) -> None:
        """Lets attempts under way end, within the grace."""
        async with self._reloading:  # not in the middle of one, which would leave senders that nobody knows
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.gather(*(sender.stop() for sender in self._senders.values()))
            self._senders.clear()

    async def opened(self, stored: StoredSink) -> pb.Sink:
        """The sink with its secrets. Undecryptable or VaultError where they can't be read."""
        kept = (await self._vault.get()).decrypt(stored.id, stored.sealed) if stored.sealed else b""
        return whole(stored.sink, kept)

    async def sealed(self, sink_id: bytes, secrets: bytes) -> bytes:
        """Secrets, encrypted for the sink."""
        return (await self._vault.get()).encrypt(sink_id, secrets) if secrets else b""

    async def shown(self, sinks: Iterable[StoredSink]) -> list[pb.Sink]:
        """Sinks as callers see them, with how they do."""
        listed = list(sinks)
        backlogs = await self._store.scan(lambda c: [journal.backlog(c, stored.position) for stored in listed])
        return [self._shown(stored, *backlog) for stored, backlog in zip(listed, backlogs, strict=True)]

    def _shown(self, stored: StoredSink, size: int, oldest_at: int) -> pb.Sink:
        shown = stored.message()
        shown.status.backlog_bytes = size
        if oldest_at:
            shown.status.oldest_at.FromMicroseconds(oldest_at)
        sender = self._senders.get(stored.id)
        if sender is not None:
            standing = sender.standing
            shown.status.failures = standing.failures
            if standing.problem:
                shown.status.problem = standing.problem
            if standing.next_at:
                shown.status.next_at.FromMicroseconds(standing.next_at)
        return shown

    async def reload(self) -> None:
        """Begins and ends senders so that they are as the store has it."""
        async with self._reloading:
            stored = {found.id: found for found in await self._store.read(records.load_all)}
            gone = [
                sender
                for id_, sender in self._senders.items()
                if id_ not in stored or not stored[id_].is_as(sender.stored)
            ]
            for sender in gone:
                del self._senders[sender.stored.id]
            await asyncio.gather(*(sender.stop() for sender in gone))
            begin = [id_ for id_ in stored if id_ not in self._senders]
            if not begin:
                return
            # Those that ended may have kept how far they were meanwhile.
            for found in await self._store.read(records.load_all):
                if found.id in begin:
                    sender = self._senders[found.id] = await self._sender(found)
                    sender.start()

    async def _sender(self, stored: StoredSink) -> Sender:
        destination: Destination | None = None
        problem = "It is paused." if stored.sink.paused else ""
        if not problem:
            try:
                destination = self._destination(await self.opened(stored))
            except (Undecryptable, VaultError) as error:
                problem = f"Its secrets can't be read: {error}. Give them anew."
                log.error("the sink %s gets nothing: %s", stored.sink.name, problem)
        return Sender(
            self._store,
            stored,
            destination,
            self.settings,
            described=self._described,
            named=self._named,
            problem=problem,
        )

    def _destination(self, sink: pb.Sink) -> Destination:
        if sink.HasField("kafka"):
            return Kafka(sink.kafka, self.settings)
        return RemoteWrite(sink.remote_write, self.settings)

    def _described(self, entry: Entry) -> Load | None:
        storage = self._fleet.get(str(UUID(bytes=entry.storage_id)))
        if storage is None:
            return None
        array = Array(storage.id, storage.name, storage.vendor, storage.model)
        return loaded(entry, Source(array, storage.serial_number), self._names)

    def _named(self, entry: Entry) -> bool:
        storage_id = str(UUID(bytes=entry.storage_id))
        return self._fleet.get(storage_id) is None or self._names_known(storage_id, entry.kind)

    async def _follow(self) -> None:
        await self._fleet.wait_known()
        while True:
            mark = self._store.signals.mark(records.CHANGED)
            try:
                await self.reload()
            except StoreFault as fault:
                log.warning("the sinks can't be read: %s", fault)
            await self._store.signals.wait(records.CHANGED, mark, FOLLOW_SECONDS)

    async def _trim(self) -> None:
        while True:
            more = False
            limits = Limits(self.settings.most_bytes, self.settings.most_age, self._clock())
            try:
                if await self._store.scan(partial(bounds.wanted, limits=limits)):
                    moved, more = await self._store.write(partial(bounds.trim, limits=limits), bulk=True)
                    for id_, position in moved.items():
                        self._give_up(id_, position)
            except StoreFault as fault:
                log.error("what sinks have can't be removed from the journal: %s", fault)
            await asyncio.sleep(0 if more else TRIM_SECONDS)

    def _give_up(self, id_: bytes, position: int) -> None:
        sender = self._senders.get(id_)
        if sender is not None:
            sender.skip_to(position)
            log.error(
                "points that waited for the sink %s (%s) were dropped: they were too old, or too many",
                sender.stored.sink.name,
                uuids.text(id_),
            )
