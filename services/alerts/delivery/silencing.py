"""Which alerts are silenced: the silences in memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from delphis.alert.v1 import alert_pb2, delivery_pb2
from services.alerts.delivery import silence_records
from services.alerts.delivery.matching import Matcher
from services.store.engine import Store
from services.values import times


@dataclass(frozen=True, slots=True)
class _Held:
    id: str
    matches: Matcher
    starts_at: int
    ends_at: int


class Silencing:
    """All silences that may matter, kept up to date by `refresh`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: list[_Held] = []
        self._mark = -1
        self._lock = asyncio.Lock()
        self.generation = 0
        """Grows when silences are made, ended or removed."""

    async def refresh(self) -> None:
        """Reads them anew if they changed since they were read."""
        async with self._lock:
            mark = self._store.signals.mark(silence_records.CHANGED)
            if mark == self._mark:
                return
            found = await self._store.read(silence_records.load_all)
            self._held = [_held(silence) for silence in found]
            self._mark = mark
            self.generation += 1

    def holds(self, alert: alert_pb2.Alert, at: int, now: int) -> bool:
        """Whether the alert is silenced now, or was at the time `at`."""
        return any(
            (held.starts_at <= now < held.ends_at or held.starts_at <= at < held.ends_at) and held.matches(alert)
            for held in self._held
        )

    def ids_for(self, alert: alert_pb2.Alert) -> list[str]:
        """The silences that keep the alert from receivers now: its `silenced_by`."""
        now = times.now()
        return [held.id for held in self._held if held.starts_at <= now < held.ends_at and held.matches(alert)]

    def ended_between(self, since: int, until: int) -> bool:
        """Whether one ended in that time, so that what it withheld may be told."""
        return any(since < held.ends_at <= until for held in self._held)

    def next_end(self, now: int) -> int:
        """When the next one ends; 0: none is to end."""
        return min((held.ends_at for held in self._held if held.ends_at > now), default=0)


def _held(silence: delivery_pb2.Silence) -> _Held:
    return _Held(silence.id, Matcher(silence.match), times.of_stamp(silence.starts_at), times.of_stamp(silence.ends_at))
