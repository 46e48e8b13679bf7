"""Whether arrays answer over SNMP, where a configuration says how: looked at again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from delphis.alert.v1 import alert_pb2, snmp_config_pb2
from services.alerts.arrays import Array, Arrays
from services.alerts.own.conditions import Condition, Conditions
from services.alerts.own.kinds import SNMP_UNREACHABLE
from services.alerts.snmp_configs import records
from services.alerts.snmp_configs.configs import Configs
from services.alerts.snmp_configs.probe import probe
from services.alerts.snmp_configs.records import StoredConfig
from services.store.errors import StoreFault
from services.values import times

log = logging.getLogger(__name__)

REACHABLE = snmp_config_pb2.SNMP_REACHABILITY_REACHABLE
UNREACHABLE = snmp_config_pb2.SNMP_REACHABILITY_UNREACHABLE
AT_ONCE = 8
LOOK_SECONDS = 10.0


class Checks:
    """Asks each array when its time comes, and at once when its configuration changed."""

    def __init__(
        self,
        configs: Configs,
        arrays: Arrays,
        conditions: Conditions,
        settings: Callable[[], alert_pb2.AlertSettings],
    ) -> None:
        self._configs = configs
        self._arrays = arrays
        self._conditions = conditions
        self._settings = settings
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._run(), name="snmp checks")

    async def stop(self) -> None:
        """Ends; questions that are under way end by themselves."""
        tasks = [*self._running.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def changed(self, storage_id: str) -> None:
        """The configuration of a storage changed, or went."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            await self._end_without_config()
            interval, now = self._settings().snmp_check_interval.ToMicroseconds(), times.now()
            for stored in self._configs.stored():
                array = self._arrays.get(stored.storage_id)
                due = stored.checked_at == 0 or stored.checked_at + interval <= now
                if due and array is not None and not array.paused and stored.storage_id not in self._running:
                    self._begin(array, stored)
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _end_without_config(self) -> None:
        for array in list(self._arrays.all().values()):
            if self._configs.get(array.id) is None:
                await self._conditions.over(array, SNMP_UNREACHABLE)

    def _begin(self, array: Array, stored: StoredConfig) -> None:
        task = asyncio.create_task(self._check(array, stored), name=f"snmp check of {array.id}")
        self._running[array.id] = task

        def over(task: asyncio.Task[None]) -> None:
            del self._running[array.id]
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("the SNMP check of %s broke: %s", array.id, error, exc_info=error)

        task.add_done_callback(over)

    async def _check(self, array: Array, stored: StoredConfig) -> None:
        given = self._configs.given(array.id)
        if given is None:
            return
        async with self._gate:
            found = await probe(given)
        result = replace(stored, reachability=UNREACHABLE if found.problem else REACHABLE, checked_at=times.now())
        if found.engine_id:
            config = snmp_config_pb2.SnmpConfig()
            config.CopyFrom(stored.config)
            config.engine_id = found.engine_id
            result = replace(result, config=config)
        try:
            if not await self._configs.note(result, records.checked):
                self._wake.set()  # the configuration is another one by now
                return
        except StoreFault as fault:
            log.error("whether %s answers over SNMP can't be stored: %s", array.id, fault)
            return
        if not found.problem:
            await self._conditions.over(array, SNMP_UNREACHABLE)
            return
        where = f"NetworkEntity={array.name}"
        await self._conditions.hold(array, Condition(SNMP_UNREACHABLE, found.problem, location=where))
