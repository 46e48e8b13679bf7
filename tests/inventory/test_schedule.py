"""The clock of periodic syncs."""

from __future__ import annotations

import asyncio

import pytest

from services.inventory.jobs import schedule as schedule_module
from services.inventory.jobs.schedule import Schedule
from services.values import times


async def test_a_fault_does_not_take_storages_out_of_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule_module, "_FAULT_SECONDS", 0.01)
    seen: list[list[int]] = []
    again = asyncio.Event()

    async def due(numbers: list[int]) -> None:
        seen.append(numbers)
        if len(seen) == 1:
            raise RuntimeError("unforeseen")
        again.set()

    schedule = Schedule(due)
    schedule.set(7, times.now())
    schedule.start()
    async with asyncio.timeout(60):
        await again.wait()
    await schedule.stop()
    assert seen == [[7], [7]]
