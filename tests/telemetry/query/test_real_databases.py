"""What was sent to a real Prometheus or VictoriaMetrics is read back from there, as the history would have it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from services.telemetry.query.database import Database as Source
from services.telemetry.query.database import DatabaseSettings
from services.telemetry.query.queries import Queries
from tests.telemetry.query.scene import HOUR, ONE, PATIENT, STEP, STEPS, TWO, Scene, scene, shown, windows
from tests.telemetry.query.test_queries import QUESTIONS
from tests.telemetry.sinks import scene as sinks
from tests.telemetry.sinks.databases import Database, prometheus, victoria

pytestmark = [pytest.mark.apt, pytest.mark.timeout(120)]


@pytest.mark.parametrize("kind", ["prometheus", "victoria"])
async def test_nobody_notices_where_the_history_ends(tmp_path: Path, kind: str) -> None:
    opened = prometheus(tmp_path, "40h") if kind == "prometheus" else victoria(tmp_path)
    with opened as database:
        async with scene(tmp_path, None) as here:
            await _send(tmp_path, here, database)
            source = Source(DatabaseSettings(database.address), PATIENT)
            here.queries = Queries(here.day, source)
            await _until_there(here)
            for name, (begin, end, fields) in QUESTIONS.items():
                asked = here.question(begin, end, **fields)
                expected = await here.expected(asked, [ONE, TWO])
                answered = await here.ask(asked)
                assert answered.warnings == [], name
                assert shown(expected) == shown(answered.series), name
            await source.close()


async def test_prometheus_says_what_is_too_much_for_it(tmp_path: Path) -> None:
    with prometheus(tmp_path, "40h", "--query.max-samples=50") as database:
        async with scene(tmp_path, None) as here:
            await _send(tmp_path, here, database)
            source = Source(DatabaseSettings(database.address), PATIENT)
            here.queries = Queries(here.day, source)
            [warning] = (await here.ask(here.question(0, STEPS * STEP))).warnings
            assert "too many samples" in warning
            await source.close()


async def _send(folder: Path, here: Scene, database: Database) -> None:
    """By remote write, as the telemetry process does."""
    (folder / "sinks").mkdir()
    async with sinks.scene(folder / "sinks") as sending:
        sending.boxes.all = {id_: sinks.Box(id_, name=f'"{id_[:1]}\\') for id_ in (ONE, TWO)}
        sink = await sending.remote_write(database.write)
        count = 0
        for id_, of_storage in windows(here.begin).items():
            for window in of_storage:
                await sending.collect(window, box=sending.boxes.all[id_])
                count += window.points
        status = await sending.until(sink, "delivery", lambda status: status.delivered + status.refused == count)
        assert status.refused == 0


async def _until_there(here: Scene) -> None:
    """VictoriaMetrics shows what it took a moment later."""
    asked = here.question(0, 4 * HOUR, kind="storage_pool", metrics=["usedCapacity"])
    expected = shown(await here.expected(asked, [ONE, TWO]))
    end = time.monotonic() + 60
    while shown((await here.ask(asked)).series) != expected:
        assert time.monotonic() < end
        await asyncio.sleep(0.2)
