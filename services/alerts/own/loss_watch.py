"""Traps that were lost, and alerts that are not delivered."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from services.alerts.arrays import Arrays
from services.alerts.own.conditions import Condition, Conditions, key_of
from services.alerts.own.kinds import DELIVERY_BACKLOG, TRAPS_DROPPED, TRAPS_LOST

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
QUIET_SECONDS = 600.0
"""After so long without a loss it is over."""


class LossWatch:
    """Looks at counts of losses, which only grow."""

    def __init__(
        self,
        arrays: Arrays,
        conditions: Conditions,
        losses: Callable[[], Mapping[str, int]],
        dropped: Callable[[], Mapping[str, int]],
    ) -> None:
        """`losses` are those of receiving, by what happened; `dropped` traps gave up waiting, by storage."""
        self._arrays = arrays
        self._conditions = conditions
        self._losses = losses
        self._dropped = dropped
        self._before: dict[str, int] = {}
        self._at: dict[str, float] = {}
        self._began = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look."""
        self._task = asyncio.create_task(self._run(), name="own alerts: losses")

    async def stop(self) -> None:
        """Looks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def backlog(self, receiver_id: str, name: str, problem: str | None) -> None:
        """A receiver's events wait for too long, or no longer."""
        if problem is None:
            await self._conditions.over(None, DELIVERY_BACKLOG, receiver_id)
            return
        found = Condition(
            DELIVERY_BACKLOG,
            f"The receiver {name} gets no alerts: {problem}",
            detail=receiver_id,
            resource_type="receiver",
            native_resource_id=receiver_id,
        )
        await self._conditions.hold(None, found)

    async def _run(self) -> None:
        while True:
            try:
                await self._look(time.monotonic())
            except Exception:
                log.exception("which traps were lost can't be said by a fault of Delphis")
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, now: float) -> None:
        lost = {name: count for name, count in self._losses().items() if count}
        total = sum(lost.values())
        if self._grew("", total, now):
            words = ", ".join(f"{count} {name}" for name, count in sorted(lost.items()))
            found = Condition(TRAPS_LOST, f"Traps were lost since the start: {words}.", resource_type="receiver")
            await self._conditions.hold(None, found)
        elif self._quiet("", now) and self._conditions.get("", key_of(TRAPS_LOST)) is not None:
            await self._conditions.over(None, TRAPS_LOST)
        dropped = self._dropped()
        for array in list(self._arrays.all().values()):
            count = dropped.get(array.id, 0)
            if self._grew(array.id, count, now):
                words = f"{count} traps waited too long for the driver, or were too many, and were dropped."
                await self._conditions.hold(array, Condition(TRAPS_DROPPED, words))
            elif self._conditions.get(array.id, key_of(TRAPS_DROPPED)) is not None and self._quiet(array.id, now):
                await self._conditions.over(array, TRAPS_DROPPED)

    def _grew(self, place: str, count: int, now: float) -> bool:
        grew = count > self._before.get(place, 0)
        if grew:
            self._before[place], self._at[place] = count, now
        return grew

    def _quiet(self, place: str, now: float) -> bool:
        return now - self._at.get(place, self._began) > QUIET_SECONDS
