"""Telling one portion after the other, and keeping how far that went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.alerts.delivery import lane_records
from services.alerts.delivery.errors import LaneGone
from services.alerts.delivery.lane_records import Told
from services.alerts.delivery.message import Message, Sink
from services.alerts.delivery.plan import Step, portions
from services.outbound.errors import Refused, Unavailable
from services.store.engine import Store
from services.values import times


@dataclass(slots=True)
class Progress:
    """How far a lane is."""

    lane: int
    position: int
    stored_position: int
    last_success_at: int
    proven: bool = False
    """The receiver took something since its settings were changed, so what it refuses is at fault, not they."""
    refusal: str = ""
    """Why it last refused an event, which was dropped."""


class Telling:
    """Carries out the steps of one plan."""

    def __init__(
        self, store: Store, sink: Sink, progress: Progress, steps: Sequence[Step], stopping: Callable[[], bool]
    ) -> None:
        self._store = store
        self._sink = sink
        self._progress = progress
        self._steps = steps
        self._stopping = stopping
        self._done = 0
        """Steps that are kept as done."""
        self._suspects: list[int] = []
        """Places of events that were refused, before the receiver took any."""
        self._suspicion: Refused | None = None
        self._refused = 0

    async def run(self) -> None:
        """Tells all. Raises Unavailable where the receiver doesn't take it; what it took is kept as told."""
        for portion in portions(self._steps, self._sink.batch):
            if self._stopping() and self._suspicion is None:
                return
            if any(step.dropped for step in self._steps[self._done : portion[0]]):
                # Given up, whether the receiver takes what comes after it or not.
                await self._keep(portion[0], delivered=0)
            await self._offer(portion)
        if self._suspicion is not None:
            raise Unavailable(self._suspicion.message)
        await self._keep(len(self._steps), delivered=0)

    async def _offer(self, places: list[int]) -> None:
        """Sends a portion. What is refused is halved until the one event that is at fault is found."""
        try:
            await self._sink.send([self._message(place) for place in places])
        except Unavailable as fault:
            await self._took(places[: fault.accepted])
            raise
        except Refused as fault:
            await self._took(places[: fault.accepted])
            rest = places[fault.accepted :]
            if len(rest) == 1:
                await self._refuse(rest[0], fault)
                return
            middle = len(rest) // 2
            await self._offer(rest[:middle])
            await self._offer(rest[middle:])
        else:
            await self._took(places)

    def _message(self, place: int) -> Message:
        message = self._steps[place].message
        assert message is not None
        return message

    async def _took(self, places: list[int]) -> None:
        if not places:
            return
        self._progress.proven = True
        if self._suspicion is not None:
            self._drop_suspects()
        self._progress.last_success_at = times.now()
        await self._keep(places[-1] + 1, delivered=len(places))

    async def _refuse(self, place: int, fault: Refused) -> None:
        self._suspects.append(place)
        self._suspicion = fault
        if self._progress.proven:
            self._drop_suspects()
            await self._keep(place + 1, delivered=0)

    def _drop_suspects(self) -> None:
        assert self._suspicion is not None
        self._refused += len(self._suspects)
        self._progress.refusal = f"It refused an event for good, which was dropped. {self._suspicion.message}"
        self._suspects.clear()
        self._suspicion = None

    async def _keep(self, until: int, *, delivered: int) -> None:
        """Keeps the steps before `until` as done."""
        done = self._steps[self._done : until]
        dropped, self._refused = self._refused + sum(step.dropped for step in done), 0
        changes: dict[int, Told] = {}
        for step in done:
            if step.seq in changes or step.after != step.before:
                changes[step.seq] = step.after
        position = done[-1].position if done else self._progress.position
        await keep(
            self._store, self._progress, position=position, changes=changes, delivered=delivered, dropped=dropped
        )
        self._done = until


async def keep(
    store: Store,
    progress: Progress,
    *,
    position: int,
    changes: dict[int, Told],
    delivered: int = 0,
    dropped: int = 0,
    flush: bool = False,
) -> None:
    """Keeps that a lane is at a position. Where nothing but the position changed, in memory only, unless `flush`.

    Raises LaneGone where there is no such lane any more.
    """
    if changes or delivered or dropped or (flush and position != progress.stored_position):
        success_at = progress.last_success_at
        there = await store.write(
            lambda connection: lane_records.advance(
                connection,
                progress.lane,
                position,
                changes,
                delivered=delivered,
                dropped=dropped,
                success_at=success_at,
            )
        )
        if not there:
            raise LaneGone
        progress.stored_position = position
    progress.position = position
