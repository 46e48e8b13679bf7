"""From the spool to the store: decodes what came, finds the array, and keeps the trap.

Traps and the place in the spool are written in one transaction: what was spooled is stored once, whenever the process
ends.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Callable, Sequence
from functools import partial

from delphis.alert.v1 import trap_pb2
from services.alerts.counts import Counts
from services.alerts.matching.address import normalised
from services.alerts.matching.table import MATCHED, REFUSED, UNMATCHED, MatchTable
from services.alerts.parsing import records
from services.alerts.parsing.queues import Queues
from services.alerts.parsing.records import NewTrap
from services.alerts.receiving import Position, Spool, SpooledDatagram, SpoolUnusable
from services.snmp import Decoder, EngineClock, SnmpError
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import StoreFault

log = logging.getLogger(__name__)

SPOOL = "traps"
BATCH = 500
SLICE = 25
"""Datagrams that are decoded before the loop may do something else."""
PACE_SECONDS = 0.02
"""Between two transactions, unless a whole batch waits: each costs more than ten traps."""
RETRY_SECONDS = 1.0
TRIM_EVERY = 500

_POSITION = struct.Struct(">QQ")


def packed(position: Position) -> bytes:
    """The place as the store has it."""
    return _POSITION.pack(*position)


def unpacked(data: bytes) -> Position:
    """The place that the store has."""
    return Position(*_POSITION.unpack(data)) if data else Position(0, 0)


class Intake:
    """Reads the spool from where it was left."""

    def __init__(
        self,
        store: Store,
        spool: Spool,
        decoder: Decoder,
        table: Callable[[], MatchTable],
        queues: Queues,
        counts: Counts,
        *,
        position: Position,
        most_kept: Callable[[], int],
    ) -> None:
        """`table` is the one of the moment; `most_kept` traps that became no alert are kept."""
        self._store = store
        self._spool = spool
        self._decoder = decoder
        self._table = table
        self._queues = queues
        self._counts = counts
        self._position = position
        self._most_kept = most_kept
        self._untrimmed = 0
        self._task: asyncio.Task[None] | None = None
        self._began_ns = time.time_ns()
        self.taken = 0
        """Datagrams that were stored, of those that were received since the start."""
        self.problem = ""
        """What keeps it from storing what comes; empty: nothing."""

    def start(self) -> None:
        """Begins to read."""
        self._task = asyncio.create_task(self._run(), name="traps: intake")

    async def stop(self) -> None:
        """Stops; what is not stored stays in the spool."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        clocks: list[EngineClock] = []
        while True:
            await self._spool.wait(self._position)
            try:
                datagrams = self._spool.read(self._position, BATCH)
            except SpoolUnusable as error:
                self._trouble(str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not datagrams:
                await asyncio.sleep(0.05)  # what was there was dropped meanwhile
                continue
            began = time.monotonic()
            found = await self._decoded(datagrams)
            clocks = _newest(clocks, self._decoder.windows.changed())
            position = datagrams[-1].position
            while True:
                if await self._stored(found, position, clocks):
                    break
                await asyncio.sleep(RETRY_SECONDS)
            clocks = []
            self._position = position
            self._spool.release(position)
            self.taken += sum(datagram.received_at_ns >= self._began_ns for datagram in datagrams)
            for trap in found:
                self._counts[_COUNTED_AS[trap.state]] += 1
            self._queues.added(trap.storage_id for trap in found if trap.state == records.WAITING)
            if len(datagrams) < BATCH:
                await asyncio.sleep(max(0.0, began + PACE_SECONDS - time.monotonic()))

    async def _decoded(self, datagrams: Sequence[SpooledDatagram]) -> list[NewTrap]:
        found: list[NewTrap] = []
        table = self._table()
        for place, datagram in enumerate(datagrams):
            if place % SLICE == SLICE - 1:
                await asyncio.sleep(0)
            found.append(self._one(table, datagram))
        return found

    def _one(self, table: MatchTable, datagram: SpooledDatagram) -> NewTrap:
        source = normalised(datagram.source) or datagram.source
        received_at = datagram.received_at_ns // 1000
        known = table.by_address(source)
        try:
            notification = self._decoder.decode(
                datagram.data, datagram.received_at_ns / 1e9, answered=datagram.answered
            )
        except SnmpError as error:
            self._counts[f"refused_{error.reason}"] += 1
            return NewTrap(
                state=REFUSED,
                source_address=source,
                received_at=received_at,
                size=len(datagram.data),
                trap=b"",
                storage_id=known[0] if len(known) == 1 else "",
                candidates=known if len(known) > 1 else (),
                problem=f"It is refused ({error.reason}): {error}.",
            )
        verdict = table.match(notification, source)
        if verdict.counted_as:
            self._counts[verdict.counted_as] += 1
        trap = notification.trap(source, datagram.received_at_ns)
        one = verdict.candidates[0] if len(verdict.candidates) == 1 else ""
        if verdict.state == MATCHED:
            one = verdict.candidates[0]
            if len(verdict.candidates) == 1:
                # What a relay sends is the agent's.
                name = table.controller(one, source) or table.controller(one, trap.agent_address)
                trap.controller_name = name
        return NewTrap(
            state=records.WAITING if verdict.state == MATCHED else verdict.state,
            source_address=source,
            received_at=received_at,
            size=len(datagram.data),
            trap=trap.SerializeToString(),
            storage_id=one,
            candidates=verdict.candidates if len(verdict.candidates) > 1 else (),
            problem=verdict.problem,
        )

    async def _stored(self, found: Sequence[NewTrap], position: Position, clocks: Sequence[EngineClock]) -> bool:
        kept = sum(trap.state != records.WAITING for trap in found)
        self._untrimmed += kept
        trim = self._most_kept() if self._untrimmed >= min(TRIM_EVERY, max(1, self._most_kept() // 10)) else None
        try:
            await self._store.write(partial(_store, found=found, position=position, clocks=clocks, trim=trim))
        except StoreFault as fault:
            self._untrimmed -= kept
            self._trouble(f"Traps can't be stored and wait in the spool: {fault}")
            return False
        if trim is not None:
            self._untrimmed = 0
        self._trouble("")
        return True

    def _trouble(self, problem: str) -> None:
        if problem and problem != self.problem:
            log.error("%s", problem)
        self.problem = problem


_COUNTED_AS: dict[int, str] = {
    records.WAITING: "matched",
    UNMATCHED: "unmatched",
    REFUSED: "refused",
    trap_pb2.TRAP_STATE_AMBIGUOUS: "ambiguous",
}


def _store(
    connection: Connection,
    found: Sequence[NewTrap],
    position: Position,
    clocks: Sequence[EngineClock],
    trim: int | None,
) -> None:
    records.add(connection, found)
    if clocks:
        records.put_clocks(connection, clocks)
    records.put_position(connection, SPOOL, packed(position))
    if trim is not None:
        records.trim(connection, trim)


def _newest(before: Sequence[EngineClock], later: Sequence[EngineClock]) -> list[EngineClock]:
    """Each clock once."""
    return list({(clock.engine_id, clock.owner): clock for clock in (*before, *later)}.values())
