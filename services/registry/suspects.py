"""Which arrays are distrusted, because hosts died while calls to them ran. No I/O: times come from the caller's clock.

A *suspect* had calls in flight when a host died of its own making; its calls go to a probation host. It is trusted
again when the methods that were in flight ended there without a death: once after its first death within the window,
twice after the second, so that an array that kills now and then stays away longer each time. One that kills probation
hosts again and again is *quarantined* and gets no calls for a while.

All of it is kept in memory only: a restarted core trusts every array again, and learns anew.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from services.registry.settings import HostSettings

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Record:
    """What is known against an array. Times are of the ledger's clock."""

    storage_id: str
    since: float
    deaths: deque[float] = field(default_factory=deque)
    """Of hosts that ran its calls."""
    kills: deque[float] = field(default_factory=deque)
    """Of probation hosts, where it was alone."""
    to_prove: dict[str, int] = field(default_factory=dict)
    """How often each method must still end well."""
    until: float | None = None
    """End of the quarantine."""
    level: int = 0
    """Quarantines in a row."""
    last_exit: str = ""
    trusted: bool = False
    """Kept only to remember the level and the deaths."""


class SuspectLedger:
    """The distrusted arrays of one driver."""

    def __init__(self, driver: str, settings: HostSettings, clock: Callable[[], float]) -> None:
        self._driver = driver
        self._settings = settings
        self._clock = clock
        self._records: dict[str, Record] = {}
        self._distrusted: set[str] = set()

    def is_distrusted(self, storage_id: str) -> bool:
        """Whether its calls must not go to the main host."""
        return storage_id in self._distrusted

    def quarantine(self, storage_id: str) -> Record | None:
        """The record of an array that gets no calls now."""
        record = self._records.get(storage_id)
        if record is None or record.until is None:
            return None
        if self._clock() < record.until:
            return record
        log.warning(
            "driver %s: array %s leaves quarantine, on probation",
            self._driver,
            storage_id,
            extra=self._about(storage_id),
        )
        self._leave_quarantine(record, record.until)
        return None

    def host_died(self, in_flight: Mapping[str, Iterable[str]], exit_text: str) -> None:
        """A main host died of its own making while these methods ran for these arrays."""
        for storage_id, methods in in_flight.items():
            record = self._death(storage_id, methods, exit_text)
            log.warning(
                "driver %s: array %s is a suspect: a host ended with %s during its %s",
                self._driver,
                storage_id,
                exit_text,
                ", ".join(sorted(record.to_prove)),
                extra=self._about(storage_id),
            )

    def probation_host_died(self, storage_id: str, methods: Iterable[str], exit_text: str) -> None:
        """A probation host died of its own making while it served this array alone."""
        record = self._death(storage_id, methods, exit_text)
        now = self._clock()
        record.kills.append(now)
        _drop_older(record.kills, now - self._settings.window)
        if len(record.kills) < self._settings.kills_to_quarantine:
            about = self._about(storage_id)
            log.warning(
                "driver %s: array %s killed a probation host (%s)", self._driver, storage_id, exit_text, extra=about
            )
            return
        length = min(self._settings.quarantine_first * 2**record.level, self._settings.quarantine_max)
        record.level += 1
        record.since, record.until = now, now + length
        record.kills.clear()
        log.error(
            "driver %s: array %s is quarantined for %.0f s: its calls ended hosts again and again, last with %s",
            self._driver,
            storage_id,
            length,
            exit_text,
            extra=self._about(storage_id),
        )

    def ended_well(self, storage_id: str, method: str) -> None:
        """A call ran to its end in a probation host."""
        record = self._records.get(storage_id)
        if record is None or record.trusted:
            return
        left = record.to_prove.get(method, 0) - 1
        if left > 0:
            record.to_prove[method] = left
        else:
            record.to_prove.pop(method, None)
        if not record.to_prove or self._clock() - record.deaths[-1] > self._settings.window:
            self._trust(record)

    def release(self, storage_id: str) -> Record | None:
        """Ends a quarantine; the array stays on probation. None: it is in none."""
        record = self._records.get(storage_id)
        if record is None or record.until is None:
            return None
        log.warning(
            "driver %s: array %s is released from quarantine, on probation",
            self._driver,
            storage_id,
            extra=self._about(storage_id),
        )
        self._leave_quarantine(record, self._clock())
        return record

    def _about(self, storage_id: str) -> dict[str, str]:
        return {"driver": self._driver, "storage_id": storage_id}

    def forget(self, storage_id: str) -> None:
        """The storage was removed."""
        self._records.pop(storage_id, None)
        self._distrusted.discard(storage_id)

    def prune(self) -> None:
        """Trusts suspects of which nothing was heard for a window, and forgets what is long past."""
        now = self._clock()
        for record in list(self._records.values()):
            if record.until is not None:
                if now < record.until:
                    continue
                self.quarantine(record.storage_id)
            quiet = now - max(record.deaths[-1], record.since)
            if not record.trusted and quiet > self._settings.window:
                self._trust(record)
            if record.trusted and quiet > self._memory(record):
                del self._records[record.storage_id]

    def records(self) -> list[Record]:
        """The distrusted arrays, quarantined or not."""
        return [self._records[storage_id] for storage_id in sorted(self._distrusted)]

    def recent_deaths(self, record: Record) -> int:
        """Hosts that died with its calls within the window."""
        _drop_older(record.deaths, self._clock() - self._settings.window, keep=1)
        return len(record.deaths)

    def _death(self, storage_id: str, methods: Iterable[str], exit_text: str) -> Record:
        now = self._clock()
        record = self._records.get(storage_id)
        if record is None:
            record = self._records[storage_id] = Record(storage_id, now)
        elif record.trusted:
            record.trusted, record.since = False, now
        self._distrusted.add(storage_id)
        record.deaths.append(now)
        record.last_exit = exit_text
        needed = self.recent_deaths(record)
        for method in methods:
            record.to_prove[method] = needed
        return record

    def _leave_quarantine(self, record: Record, now: float) -> None:
        record.until = None
        record.since = now
        record.kills.clear()

    def _trust(self, record: Record) -> None:
        record.trusted = True
        record.to_prove.clear()
        self._distrusted.discard(record.storage_id)
        about = self._about(record.storage_id)
        log.info("driver %s: array %s is trusted again", self._driver, record.storage_id, extra=about)

    def _memory(self, record: Record) -> float:
        """How long the level outlives its cause: twice the last quarantine, and two windows at least."""
        last = min(self._settings.quarantine_first * 2 ** max(record.level - 1, 0), self._settings.quarantine_max)
        return 2 * max(last if record.level else 0.0, self._settings.window)


def _drop_older(times: deque[float], than: float, *, keep: int = 0) -> None:
    while len(times) > keep and times[0] < than:
        times.popleft()
