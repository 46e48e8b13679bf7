"""Two histories of the same samples: one that has all of them, and one of a day beside a database."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np

from delphis.sdk import metrics
from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.outbound.timeouts import Timeouts
from services.store.engine import Store
from services.telemetry.history.recorder import Recorder
from services.telemetry.query.answering import Series, answer
from services.telemetry.query.database import Database, DatabaseSettings
from services.telemetry.query.queries import Answered, Queries
from services.telemetry.query.question import Question, question
from services.telemetry.schema import SCHEMA
from services.telemetry.window import Window
from services.values import times
from tests.telemetry.query.samples import Samples

ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
MINUTE, HOUR = 60_000, 3_600_000
STEP = 15 * MINUTE
STEPS = 120  # 30 hours
IDS = {"volume": ('v"1', "v\\2", "v.3"), "storage_pool": ("p1", "p2")}
METRICS = {
    "volume": ("iops", "responseTime", "throughput"),
    "storage_pool": ("usedCapacity", "totalCapacity", "overcommitRatio"),
}
PATIENT = Timeouts(connect_timeout=30.0, read_timeout=30.0, total_timeout=30.0)


@dataclass(slots=True)
class Scene:
    """Both."""

    whole: Store
    day: Store
    queries: Queries
    begin: int
    """Of the samples."""
    end: int

    async def expected(self, asked: Question, storages: Sequence[str]) -> list[Series]:
        """What a history that forgets nothing would answer."""
        return await self.whole.scan(lambda connection: answer(connection, asked, storages))

    async def ask(self, asked: Question, storages: Sequence[str] = (ONE, TWO)) -> Answered:
        """What the day and the database answer together."""
        return await self.queries.answer(
            asked, storages, resources=lambda _: IDS["volume"] if asked.kind == "volume" else ()
        )

    def question(self, begin: int, end: int, **fields: object) -> Question:
        """A checked request; times are from the begin of the samples."""
        step = fields.pop("step", 0)
        asked = pb.QueryMetricsRequest(**{"kind": "volume", "metrics": ["iops"], **fields})  # type: ignore[arg-type]
        asked.begin_time.FromMilliseconds(self.begin + begin)
        asked.end_time.FromMilliseconds(self.begin + end)
        if step:
            asked.step.FromMilliseconds(int(str(step)))
        return question(asked, now=self.end, kinds=self.queries.kinds)


def shown(series: Sequence[Series]) -> dict[tuple[str, str, str], tuple[list[int], object]]:
    """Times and values; nine digits of them, since sums of another order differ in the last one."""
    return {
        (one.metric.name, one.storage_id, one.native_id): (
            one.times.tolist(),
            [float(f"{value:.9g}") for value in one.values.tolist()],
        )
        for one in series
    }


def windows(begin: int) -> dict[str, list[Window]]:
    """All of both arrays."""
    return {
        storage_id: [*_windows("volume", begin, factor), *_windows("storage_pool", begin, factor)]
        for storage_id, factor in ((ONE, 1.0), (TWO, 3.0))
    }


def _windows(kind: str, begin: int, factor: float) -> list[Window]:
    """One window a collection, as the collector makes them. Some samples are missing.

    The numbers have at most seven digits: the history keeps no more.
    """
    ids, names = IDS[kind], METRICS[kind]
    chance = np.random.default_rng(len(kind) + int(factor))
    values = np.round(chance.uniform(1, 1000, (STEPS, len(names), len(ids)))) * factor
    if kind == "volume":
        values[chance.uniform(size=values.shape) < 0.1] = math.nan
    else:
        values *= 1e9
    return [Window(kind, ids, names, begin + step * STEP, STEP, values[step : step + 1]) for step in range(STEPS)]


def _send(database: Samples, storage_id: str, of_storage: Sequence[Window]) -> None:
    for window in of_storage:
        for metric, of_metric in zip(window.metrics, window.values[0], strict=True):
            for native_id, value in zip(window.native_ids, of_metric, strict=True):
                if not math.isnan(value):
                    name = metrics.catalogue()[metric].exposed(window.kind)
                    database.add(name, storage_id, native_id, {window.begin: float(value)}, storage_name="x")


async def _record(store: Store, recorder: Recorder, both: Mapping[str, Sequence[Window]], since: int) -> None:
    for storage_id, of_storage in both.items():
        key = UUID(storage_id).bytes
        kept = [window for window in of_storage if window.begin >= since]
        recorder.committed(await store.write(lambda c, k=key, w=kept: recorder.record(c, k, w)))  # type: ignore[misc]


@asynccontextmanager
async def scene(
    folder: Path, database: Samples | None, *, max_volume_series: int = 50_000, url: str = ""
) -> AsyncIterator[Scene]:
    """Samples of the last 30 hours, and a history that has those of the last 24 alone."""
    end = times.now() // 1000 // STEP * STEP
    begin = end - STEPS * STEP
    both = windows(begin)
    if database is not None:
        for storage_id, of_storage in both.items():
            _send(database, storage_id, of_storage)
        url = database.url
    whole = Store.open(f"sqlite:///{folder}/whole.db", SCHEMA)
    day = Store.open(f"sqlite:///{folder}/day.db", SCHEMA)
    await _record(whole, Recorder(), both, 0)
    await _record(day, Recorder(max_volume_series=max_volume_series), both, end - 24 * HOUR)
    source = Database(DatabaseSettings(url), PATIENT) if url else None
    try:
        yield Scene(whole, day, Queries(day, source, max_volume_series=max_volume_series), begin, end)
    finally:
        if source is not None:
            await source.close()
        await whole.close()
        await day.close()
