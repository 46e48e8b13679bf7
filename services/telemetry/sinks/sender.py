"""One sink: a task that takes what waits from the journal and sends it, in order, as long as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from services.outbound.backoff import Backoff
from services.outbound.errors import Refused, Unavailable
from services.store.engine import Store
from services.store.errors import StoreFault
from services.telemetry import journal
from services.telemetry.journal import Entry
from services.telemetry.sinks import records
from services.telemetry.sinks.destination import Destination, Piece
from services.telemetry.sinks.load import Load
from services.telemetry.sinks.records import Move, StoredSink
from services.telemetry.sinks.settings import SinkSettings
from services.values import times

log = logging.getLogger(__name__)

READ_ENTRIES, READ_BYTES = 500, 4 << 20
"""Of the journal, at a time."""
IDLE_SECONDS = 30.0
PACE_SECONDS = 0.2
"""After a request that was not full: what is collected in quick succession goes together."""
NAMES_SECONDS = 0.25

Described = Callable[[Entry], Load | None]
"""An entry's points; None: its array is gone."""
Named = Callable[[Entry], bool]
"""Whether the names of the entry's resources were read."""


@dataclass(slots=True)
class Standing:
    """How a sink does, beyond what is stored."""

    failures: int = 0
    problem: str = ""
    next_at: int = 0


class Sender:
    """Sends to one sink."""

    def __init__(
        self,
        store: Store,
        stored: StoredSink,
        destination: Destination | None,
        settings: SinkSettings,
        *,
        described: Described,
        named: Named,
        problem: str = "",
    ) -> None:
        """Without a `destination` nothing is sent; `problem` says why."""
        self.stored = stored
        self.standing = Standing(problem=problem)
        self._store = store
        self._destination = destination
        self._settings = settings
        self._described = described
        self._named = named
        self._position = stored.position
        self._unsaved: Move | None = None
        self._backoff = Backoff(settings.first_delay, settings.longest_delay)
        self._stop = asyncio.Event()
        self._began = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins."""
        if self._destination is not None:
            self._task = asyncio.create_task(self._run(self._destination), name=f"sink {self.stored.sink.name}")

    async def stop(self) -> None:
        """Lets an attempt under way end, within the grace, and ends."""
        self._stop.set()
        task, self._task = self._task, None
        if task is not None:
            await asyncio.wait([task], timeout=self._settings.grace)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._destination is not None:
            await self._destination.close()

    def skip_to(self, position: int) -> None:
        """What lies up to a position was given up."""
        self._position = max(self._position, position)

    async def _run(self, destination: Destination) -> None:
        while not self._stop.is_set():
            mark = self._store.signals.mark(journal.GREW)
            try:
                busy = await self._step(destination)
            except StoreFault as fault:
                await self._failed(f"Our own store fails: {fault}", 0.0)
            except Exception:
                log.exception("sending to the sink %s failed in an unforeseen way", self.stored.sink.name)
                await self._failed("It failed in an unforeseen way; the log says more.", 0.0)
            else:
                if not busy and not self._stop.is_set():
                    await self._rest(mark)
        if self._unsaved is not None:
            with contextlib.suppress(StoreFault):
                await self._save(self._unsaved)

    async def _step(self, destination: Destination) -> bool:
        """Sends some of what waits; whether there may be more."""
        if self._unsaved is not None:
            await self._save(self._unsaved)
        position = self._position
        entries = await self._store.scan(
            lambda connection: journal.after(connection, position, count=READ_ENTRIES, size=READ_BYTES)
        )
        if not entries:
            self._succeeded()
            return False
        full = True
        for group in _groups(entries, destination.batch):
            if group[-1].position <= self._position:
                continue  # it was given up meanwhile
            if not await self._tell(destination, group):
                return True
            full = sum(entry.points for entry in group) >= destination.batch // 2
        if not full:
            await self._pause(PACE_SECONDS)
        return True

    async def _tell(self, destination: Destination, group: Sequence[Entry]) -> bool:
        """Sends a group and keeps that; False where it has to be sent again, or is not wanted any more."""
        entries = [entry for entry in group if self.stored.takes(entry.kind)]
        if not await self._names_known(entries):
            return False
        loads = [load for load in map(self._described, entries) if load is not None]
        result = Move(group[-1].position)
        if loads:
            told = await self._send(destination, loads, result)
            if told is None:
                return False
            result = told
        self._succeeded()
        self._position = max(self._position, result.position)
        self._unsaved = result
        await self._save(result)
        return True

    async def _send(self, destination: Destination, loads: Sequence[Load], result: Move) -> Move | None:
        """Sends loads together. If the place refuses them it may have refused all for the sake of one: each is then
        sent alone, and what it refuses now is over."""
        pieces = await asyncio.to_thread(lambda: list(destination.pieces(loads)))
        for piece in pieces:
            try:
                if not await self._deliver(destination, piece, result.position):
                    return None
            except Refused as fault:
                if len(loads) == 1:
                    result = replace(result, refused=result.refused + piece.points, refusal=fault.message)
                    self._say_refused(piece, fault)
                    continue
                for load in loads:
                    told = await self._send(destination, [load], result)
                    if told is None:
                        return None
                    result = told
            else:
                at = times.now()
                result = replace(result, delivered=result.delivered + piece.points, last_success_at=at)
        return result

    async def _deliver(self, destination: Destination, piece: Piece, position: int) -> bool:
        """Sends until it is taken; False where it is to end, or the points were given up. Refused passes through."""
        while not self._stop.is_set() and position > self._position:
            try:
                await destination.send(piece)
            except Unavailable as fault:
                await self._failed(fault.message, fault.retry_after)
            else:
                return True
        return False

    async def _names_known(self, entries: Sequence[Entry]) -> bool:
        """Waits, for a bounded time, until names were read."""
        while not self._stop.is_set():
            age = min((times.now() - entry.collected_at for entry in entries), default=0) / times.SECOND
            waited = min(age, time.monotonic() - self._began)
            if waited > self._settings.names_wait or all(self._named(entry) for entry in entries):
                return True
            await self._pause(NAMES_SECONDS)
        return False

    async def _save(self, result: Move) -> None:
        await self._store.write(lambda connection: records.move(connection, self.stored.id, result))
        self._unsaved = None

    async def _rest(self, mark: int) -> None:
        """Until something is collected."""
        stopping = asyncio.ensure_future(self._stop.wait())
        grown = asyncio.ensure_future(self._store.signals.wait(journal.GREW, mark, IDLE_SECONDS))
        try:
            await asyncio.wait((stopping, grown), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            grown.cancel()
            await asyncio.gather(stopping, grown, return_exceptions=True)

    async def _pause(self, span: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(span):
                await self._stop.wait()

    def _succeeded(self) -> None:
        if self.standing.failures:
            log.info("the sink %s takes points again", self.stored.sink.name)
        self._backoff.succeeded()
        self.standing = Standing()

    async def _failed(self, problem: str, retry_after: float) -> None:
        delay = self._backoff.failed(retry_after)
        failures = self._backoff.failures
        self.standing = Standing(failures, problem, times.now() + int(delay * times.SECOND))
        if failures in (1, 10) or failures % 100 == 0:
            name = self.stored.sink.name
            log.warning(
                "the sink %s did not take points (failure %d), next attempt in %.0f s: %s",
                name,
                failures,
                delay,
                problem,
            )
        await self._pause(delay)

    def _say_refused(self, piece: Piece, fault: Refused) -> None:
        log.warning("the sink %s refused %d points for good: %s", self.stored.sink.name, piece.points, fault.message)


def _groups(entries: Sequence[Entry], most: int) -> Iterator[list[Entry]]:
    """Entries that go together: as many as have at most so many points, or one that has more."""
    group: list[Entry] = []
    points = 0
    for entry in entries:
        if group and points + entry.points > most:
            yield group
            group, points = [], 0
        group.append(entry)
        points += entry.points
    if group:
        yield group
