"""Drivers that crash, and arrays that are kept from them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, field

from delphis.registry.v1 import registry_pb2
from services.alerts.arrays import Arrays
from services.alerts.drivers import Drivers
from services.alerts.own.conditions import Condition, Conditions, key_of
from services.alerts.own.kinds import ARRAY_QUARANTINED, HOST_CRASHING

log = logging.getLogger(__name__)

WINDOW_SECONDS = 600.0
CRASHES = 5
"""So many unwanted ends of a driver's hosts within the window are a loop."""
_BROKEN = frozenset({registry_pb2.DRIVER_STATE_BACKOFF, registry_pb2.DRIVER_STATE_LOAD_FAILED})


@dataclass(slots=True)
class _Seen:
    restarts: int
    crashes: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])
    """Times, with how many hosts ended since the look before."""
    broken_at: float = 0.0
    """When it was last seen unable to start; 0: never."""


class DriverWatch:
    """Looks whenever the core says what its drivers do."""

    def __init__(self, arrays: Arrays, drivers: Drivers, conditions: Conditions) -> None:
        self._arrays = arrays
        self._drivers = drivers
        self._conditions = conditions
        self._seen: dict[str, _Seen] = {}
        self._began = time.monotonic()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        drivers.on_look.append(self._wake.set)

    def start(self) -> None:
        """Begins to look."""
        self._task = asyncio.create_task(self._run(), name="own alerts: drivers")

    async def stop(self) -> None:
        """Looks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._quarantines()
                for driver in self._drivers.all:
                    await self._crashes(driver, time.monotonic())
            except Exception:
                log.exception("what is amiss with drivers can't be said by a fault of Delphis")

    async def _quarantines(self) -> None:
        held = {
            one.storage_id: one
            for one in self._drivers.quarantines
            if one.state == registry_pb2.QUARANTINE_STATE_QUARANTINED
        }
        for array in list(self._arrays.all().values()):
            quarantine = held.get(array.id)
            if quarantine is None:
                await self._conditions.over(array, ARRAY_QUARANTINED)
                continue
            words = f"Its calls ended {quarantine.deaths} hosts of the driver {quarantine.driver}"
            last = f", last with {quarantine.last_exit}" if quarantine.last_exit else ""
            await self._conditions.hold(
                array, Condition(ARRAY_QUARANTINED, f"{words}{last}; it gets no calls for now.")
            )

    async def _crashes(self, driver: registry_pb2.Driver, now: float) -> None:
        seen = self._seen.setdefault(driver.name, _Seen(driver.restarts))
        if driver.restarts > seen.restarts:
            seen.crashes.append((now, driver.restarts - seen.restarts))
        seen.restarts = driver.restarts  # a core that began again counts from 0
        while seen.crashes and now - seen.crashes[0][0] > WINDOW_SECONDS:
            seen.crashes.popleft()
        crashes = sum(count for _, count in seen.crashes)
        if driver.state in _BROKEN:
            seen.broken_at = now
            what = f"The driver {driver.name} can't be started: {driver.error or 'its hosts end before they are ready'}"
            await self._hold(driver.name, what)
        elif crashes >= CRASHES:
            await self._hold(driver.name, f"{crashes} hosts of the driver {driver.name} ended within 10 minutes.")
        elif self._conditions.get("", key_of(HOST_CRASHING, driver.name)) is not None:
            # After a start nobody knows how often it crashed before.
            quiet_since = max(self._began, seen.broken_at, seen.crashes[-1][0] if seen.crashes else 0.0)
            if now - quiet_since > WINDOW_SECONDS:
                await self._conditions.over(None, HOST_CRASHING, driver.name)

    async def _hold(self, name: str, what: str) -> None:
        found = Condition(HOST_CRASHING, what, detail=name, resource_type="driver", native_resource_id=name)
        await self._conditions.hold(None, found)
