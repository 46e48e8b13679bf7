"""What the core says of its drivers, looked at again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from delphis.registry.v1 import registry_pb2
from services.calls.errors import CallError
from services.fleet.core import Core

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0
_LIST_DRIVERS = "/delphis.registry.v1.RegistryService/ListDrivers"
_LIST_QUARANTINES = "/delphis.registry.v1.RegistryService/ListQuarantines"


class Drivers:
    """The drivers, and the arrays that they are kept from."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._by_pair: dict[tuple[str, str], registry_pb2.Driver] = {}
        self._task: asyncio.Task[None] | None = None
        self.looked = asyncio.Event()
        """Set once the core has answered."""
        self.all: tuple[registry_pb2.Driver, ...] = ()
        self.quarantines: tuple[registry_pb2.Quarantine, ...] = ()
        self.on_look: list[Callable[[], object]] = []
        """Called after each look."""

    def start(self) -> None:
        """Begins to look."""
        self._task = asyncio.create_task(self._run(), name="drivers")

    async def stop(self) -> None:
        """Looks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def of(self, pair: tuple[str, str]) -> registry_pb2.Driver | None:
        """The driver that serves a vendor and model."""
        return self._by_pair.get(pair)

    def named(self, pair: tuple[str, str]) -> str:
        """Name and version of the driver, which what is remembered of it depends on; empty where there is none."""
        driver = self._by_pair.get(pair)
        return "" if driver is None else f"{driver.name} {driver.version}"

    async def look(self) -> None:
        """Asks the core. CallError."""
        drivers = await self._core.ask(
            _LIST_DRIVERS, registry_pb2.ListDriversRequest(), registry_pb2.ListDriversResponse, timeout=10
        )
        quarantines = await self._core.ask(
            _LIST_QUARANTINES, registry_pb2.ListQuarantinesRequest(), registry_pb2.ListQuarantinesResponse, timeout=10
        )
        self.all = tuple(drivers.drivers)
        self.quarantines = tuple(quarantines.quarantines)
        self._by_pair = {
            (served.vendor, served.model): driver for driver in self.all for served in driver.serves if served.in_use
        }
        self.looked.set()
        for told in self.on_look:
            told()

    async def _run(self) -> None:
        failed = False
        while True:
            try:
                await self.look()
                failed = False
            except CallError as error:
                if not failed:
                    log.warning("the core does not say what its drivers do: %s", error)
                failed = True
            await asyncio.sleep(1.0 if failed else LOOK_EVERY)
