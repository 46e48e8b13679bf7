"""When pools and arrays will be full, kept until their capacities change: two years of days are dear to read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from services.store.connection import Connection
from services.store.engine import Store
from services.telemetry.forecast import days
from services.telemetry.forecast.days import DAY_MILLISECONDS
from services.telemetry.forecast.trend import Trend, trend
from services.values import times

UNREAD_DAYS = 7
"""A kind that could not be read for so long, while others could, is not told of any longer: its last one may be gone.
"""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What is known of one pool or array."""

    storage_id: str
    kind: str
    native_id: str
    used: int
    total: int
    days: int
    """From the first to the last one."""
    at: int
    """End of the last day, in milliseconds: the trend begins there."""
    trend: Trend | None

    def after(self, in_days: float | None) -> int | None:
        """The time so many days after the last one, in milliseconds."""
        return None if in_days is None else int(self.at + in_days * DAY_MILLISECONDS)

    @property
    def full_at(self) -> int | None:
        """When it will likely be full, in milliseconds."""
        return None if self.trend is None else self.after(self.trend.full_in)


class Forecasts:
    """Of all arrays."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[Foreseen, ...]] = {}
        self._changes: dict[str, int] = {}

    def changed(self, storage_id: str) -> None:
        """The capacities of an array are others."""
        self._known.pop(storage_id, None)
        self._changes[storage_id] = self._changes.get(storage_id, 0) + 1

    def forget(self, present: Collection[str]) -> None:
        """All other arrays are gone."""
        for storage_id in (self._known.keys() | self._changes.keys()) - set(present):
            self._known.pop(storage_id, None)
            self._changes.pop(storage_id, None)

    async def of(self, storage_ids: Collection[str]) -> list[Foreseen]:
        """Of some arrays. StoreFault where the capacities can't be read."""
        found: list[Foreseen] = []
        for storage_id in storage_ids:
            known = self._known.get(storage_id)
            if known is None:
                change = self._changes.get(storage_id)
                known = await self._store.scan(partial(_foresee, storage_id=storage_id))
                if self._changes.get(storage_id) == change:
                    self._known[storage_id] = known
            found.extend(known)
        return found


def _foresee(connection: Connection, storage_id: str) -> tuple[Foreseen, ...]:
    """Of one array: of what is still there."""
    today = times.now() // 1000 // DAY_MILLISECONDS
    fillings = list(days.fillings(connection, UUID(storage_id).bytes, upto=today + 1))
    newest: dict[str, int] = {}
    for filling in fillings:
        newest[filling.kind] = max(newest.get(filling.kind, 0), filling.days[-1])
    oldest = max(newest.values(), default=0) - UNREAD_DAYS
    return tuple(
        Foreseen(
            storage_id=storage_id,
            kind=filling.kind,
            native_id=filling.native_id,
            used=filling.used[-1],
            total=filling.total,
            days=filling.days[-1] - filling.days[0] + 1,
            at=(filling.days[-1] + 1) * DAY_MILLISECONDS,
            trend=trend(filling.days, filling.used, filling.total),
        )
        for filling in fillings
        if filling.days[-1] == newest[filling.kind] >= oldest
    )
