"""Late collections and dates that are near become alerts once and end once; telemetry's absence changes nothing."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from google.protobuf.message import Message

from delphis.alert.v1 import alert_pb2
from delphis.type.v1 import metric_pb2, storage_pb2
from services.alerts.arrays import Arrays
from services.alerts.book import settings as book_settings
from services.alerts.own.conditions import Conditions, key_of
from services.alerts.own.kinds import ARRAY_FULL_SOON, COLLECTION_LATE, MAJOR, POOL_FULL_SOON, WARNING
from services.alerts.own.telemetry_watch import TelemetryWatch
from services.calls.errors import CallError
from services.calls.method import Call, Caller, MethodTable
from services.fleet.core import Core
from services.fleet.fleet import Fleet
from services.fleet.storage import Storage, storage_of
from services.store.engine import Store
from services.telemetry.api.collection_service import CollectionService
from services.telemetry.api.forecasts import ForecastList
from services.telemetry.api.metric_service import MetricService
from services.telemetry.collection.collector import Collector
from services.telemetry.collection.records import KindState
from services.telemetry.exposition.latest import Latest
from services.telemetry.forecast import days
from services.telemetry.forecast.forecasts import Forecasts
from services.telemetry.history.recorder import Recorder
from services.telemetry.schema import SCHEMA
from services.telemetry.window import Window
from services.values import times
from tests.alerts.book.conftest import alerts_url, postgres_cluster, store

__all__ = ["alerts_url", "postgres_cluster", "store"]

TB = 10**12
FAILING = KindState(failures=9, error_code="ARRAY_UNREACHABLE", error_msg="No route.")


def storage(number: int) -> Storage:
    message = storage_pb2.Storage(id=str(uuid.UUID(int=number)), name=f"box {number}", serial_number=f"S-{number}")
    return storage_of(message, None, ())


class Boxes:
    """Stands in for the fleets of both processes."""

    def __init__(self, *storages: Storage) -> None:
        self.boxes = {one.id: one for one in storages}

    known = True

    def get(self, storage_id: str) -> Storage | None:
        return self.boxes.get(storage_id)

    def all(self) -> dict[str, Storage]:
        return self.boxes


class Telemetry:
    """The telemetry service but for its network; it stands in for the core, which relays to it."""

    def __init__(self, opened: Store, boxes: Boxes) -> None:
        fleet = cast("Fleet", boxes)
        self.store = opened
        self.collector = Collector(opened, cast("Core", self), fleet, Recorder(), took=lambda *_: None)
        self.forecasts = Forecasts(opened)
        names = lambda _, __, ids: tuple(f"name of {one}" for one in ids)  # noqa: E731
        forecasts = ForecastList(fleet, self.forecasts, names)
        self._table = MethodTable(
            (
                *CollectionService(fleet, self.collector).methods(),
                *MetricService(opened, fleet, self.collector, Latest(), names, forecasts).methods(),
            )
        )
        self.away = False

    async def ask(self, path: str, request: Message, answer: Any, *, timeout: float) -> Any:
        if self.away:
            raise CallError("SERVICE_UNAVAILABLE", "The telemetry process of Delphis is away.")
        method = self._table.find(path)
        assert method.unary is not None
        call = Call(method, Caller("service", frozenset()), "r1", timeout, "test")
        return answer.FromString(await method.unary(request.SerializeToString(), call))

    def measures(self, box: Storage, *kinds: str) -> dict[str, KindState]:
        """The array announced these kinds; how far they are."""
        known = self.collector.known(box.id)
        known.capabilities = metric_pb2.Capabilities(
            resource_metrics=[
                metric_pb2.ResourceMetrics(kind=kind, metrics=[metric_pb2.MetricSpec(name="iops")]) for kind in kinds
            ]
        )
        return known.kinds

    async def fill(self, box: Storage, kind: str, used: Sequence[float], total: float, native_id: str = "p1") -> None:
        """Used bytes of the last days, today's last."""
        today = times.now() // times.DAY
        key = uuid.UUID(box.id).bytes
        for ago, value in enumerate(reversed(used)):
            numbers = np.array([[[value], [total]]])
            window = Window(
                kind, (native_id,), ("usedCapacity", "totalCapacity"), (today - ago) * 86_400_000, 1, numbers
            )
            await self.store.write(partial(days.keep, storage_id=key, windows=[window]))
        self.forecasts.changed(box.id)


class Scene:
    """A watch, and what it looks at."""

    def __init__(self, telemetry: Telemetry, conditions: Conditions, boxes: Boxes) -> None:
        self.telemetry = telemetry
        self.conditions = conditions
        self.boxes = boxes
        self.settings = alert_pb2.AlertSettings()
        self.settings.CopyFrom(book_settings.DEFAULTS)
        self.watch = TelemetryWatch(cast("Core", telemetry), cast("Arrays", boxes), conditions, lambda: self.settings)

    async def look(self) -> dict[tuple[str, str], int]:
        """What is raised after a look, with its severity."""
        await self.watch.look()
        found: dict[tuple[str, str], int] = {}
        for number, box in enumerate(self.boxes.boxes.values(), 1):
            for key in self.conditions.keys(box.id):
                raised = self.conditions.get(box.id, key)
                assert raised is not None
                found[f"box {number}", key] = raised.severity
        return found


@pytest.fixture
async def scene(store: Store, tmp_path: Path) -> AsyncIterator[Scene]:
    boxes = Boxes(storage(1), storage(2))
    opened = Store.open(f"sqlite:///{tmp_path}/telemetry.db", SCHEMA)
    yield Scene(Telemetry(opened, boxes), Conditions(store), boxes)
    await opened.close()


def failing(windows: int) -> KindState:
    """So many windows of 15 minutes failed."""
    now = times.now()
    return replace(FAILING, failed_at=now, failing_since=now - (windows - 1) * 15 * times.MINUTE)


def collected() -> KindState:
    return KindState(watermark=1, last_success_at=times.now())


LATE = key_of(COLLECTION_LATE, "volume")
POOL = key_of(POOL_FULL_SOON, "p1")


async def test_a_late_collection_is_raised_once_and_over_when_it_is_collected(scene: Scene) -> None:
    box = scene.boxes.get(str(uuid.UUID(int=1)))
    assert box is not None
    kinds = scene.telemetry.measures(box, "volume", "port")
    kinds.update(volume=failing(2), port=collected())
    assert await scene.look() == {}
    kinds["volume"] = failing(3)
    for _ in range(2):
        assert await scene.look() == {("box 1", LATE): MAJOR}
    kinds["volume"] = collected()
    assert await scene.look() == {}


async def test_how_many_windows_is_settable(scene: Scene) -> None:
    [first, _] = scene.boxes.boxes.values()
    scene.telemetry.measures(first, "volume")["volume"] = failing(5)
    scene.settings.missed_collections = 6
    assert await scene.look() == {}
    scene.settings.missed_collections = 5
    assert await scene.look() == {("box 1", LATE): MAJOR}
    scene.settings.missed_collections = 0
    assert await scene.look() == {}


async def test_telemetry_that_is_away_or_knows_nothing_yet_ends_nothing(scene: Scene) -> None:
    [first, second] = scene.boxes.boxes.values()
    scene.telemetry.measures(first, "volume")["volume"] = failing(5)
    await scene.telemetry.fill(second, "storage_pool", [day * TB for day in range(1, 11)], 12 * TB)
    raised = {("box 1", LATE): MAJOR, ("box 2", POOL): MAJOR}
    assert await scene.look() == raised
    scene.telemetry.away = True
    assert await scene.look() == raised
    scene.telemetry.away = False
    # As after a start with an empty database.
    known = scene.telemetry.collector.known(first.id)
    known.capabilities = None
    known.kinds.clear()
    await scene.telemetry.store.write(lambda connection: days.forget(connection, uuid.UUID(second.id).bytes))
    scene.telemetry.forecasts.changed(second.id)
    assert await scene.look() == raised
    await scene.telemetry.fill(second, "storage_pool", [9 * TB], 12 * TB)
    scene.telemetry.measures(first, "volume")["volume"] = replace(failing(1), failures=1)
    assert await scene.look() == raised


async def test_an_array_that_says_nothing_and_one_that_is_not_wanted(scene: Scene) -> None:
    [first, second] = scene.boxes.boxes.values()
    scene.telemetry.collector.known(first.id).kinds["storage"] = failing(4)
    scene.telemetry.measures(second, "volume")["volume"] = failing(4)
    assert await scene.look() == {("box 1", key_of(COLLECTION_LATE, "storage")): MAJOR, ("box 2", LATE): MAJOR}
    scene.telemetry.collector.known(second.id).settings.off = True
    scene.telemetry.measures(first, "volume")["volume"] = collected()
    assert await scene.look() == {}


async def test_of_a_paused_array_nothing_new_is_said(scene: Scene) -> None:
    [first, second] = scene.boxes.boxes.values()
    scene.telemetry.measures(first, "volume")["volume"] = failing(4)
    assert await scene.look() == {("box 1", LATE): MAJOR}
    for box in (first, second):
        message = storage_pb2.Storage()
        message.CopyFrom(box.message)
        message.pause.SetInParent()
        scene.boxes.boxes[box.id] = replace(box, message=message)
    scene.telemetry.measures(first, "volume")["volume"] = collected()
    scene.telemetry.measures(second, "volume")["volume"] = failing(4)
    assert await scene.look() == {("box 1", LATE): MAJOR}


async def test_a_date_that_is_near_is_raised_and_over_when_it_is_far(scene: Scene) -> None:
    [first, second] = scene.boxes.boxes.values()
    grown = [day * TB for day in range(1, 11)]
    await scene.telemetry.fill(first, "storage_pool", grown, 30 * TB)
    await scene.telemetry.fill(second, "storage", grown, 20 * TB, native_id="S-2")
    assert await scene.look() == {("box 2", key_of(ARRAY_FULL_SOON)): MAJOR}
    scene.settings.full_within.FromSeconds(30 * 86_400)
    assert await scene.look() == {("box 2", key_of(ARRAY_FULL_SOON)): MAJOR, ("box 1", POOL): MAJOR}
    await scene.telemetry.fill(first, "storage_pool", grown, 45 * TB)  # 35 days: not far enough to be news
    await scene.telemetry.fill(second, "storage", grown, 90 * TB, native_id="S-2")
    assert (await scene.look()).keys() == {("box 1", POOL)}
    await scene.telemetry.fill(first, "storage_pool", grown, 90 * TB)
    assert await scene.look() == {}


async def test_a_pool_that_is_gone_is_over(scene: Scene) -> None:
    [first, _] = scene.boxes.boxes.values()
    grown = [day * TB for day in range(1, 11)]
    await scene.telemetry.fill(first, "storage_pool", grown, 12 * TB)
    await scene.telemetry.fill(first, "storage_pool", grown, 90 * TB, native_id="p2")
    assert (await scene.look()).keys() == {("box 1", POOL)}
    key = uuid.UUID(first.id).bytes
    await scene.telemetry.store.write(lambda connection: days.forget(connection, key))
    await scene.telemetry.fill(first, "storage_pool", grown, 90 * TB, native_id="p2")
    assert await scene.look() == {}


async def test_what_is_not_sure_to_grow_is_not_near(scene: Scene) -> None:
    [first, _] = scene.boxes.boxes.values()
    wavering = [(10 + (4 if day % 2 else 0) + day * 0.1) * TB for day in range(10)]
    await scene.telemetry.fill(first, "storage_pool", wavering, 15 * TB)
    [forecast] = await scene.telemetry.forecasts.of([first.id])
    assert forecast.trend is not None
    assert forecast.trend.full_in is not None
    assert forecast.trend.full_in < 14
    assert forecast.trend.latest is None
    assert await scene.look() == {}
    await scene.telemetry.fill(first, "storage_pool", [20 * TB] * 10, 20 * TB)  # full, and nothing grows
    assert await scene.look() == {}


async def test_where_the_latest_date_is_far_it_is_a_warning(scene: Scene) -> None:
    [first, _] = scene.boxes.boxes.values()
    noisy = [(day + (3 if day % 3 else 0)) * TB for day in range(12)]
    await scene.telemetry.fill(first, "storage_pool", noisy, noisy[-1] + 30 * TB)
    [forecast] = await scene.telemetry.forecasts.of([first.id])
    line = forecast.trend
    assert line is not None
    assert line.full_in is not None
    assert line.latest is not None
    assert line.latest > line.full_in + 3
    scene.settings.full_within.FromSeconds(int(line.full_in + 2) * 86_400)
    assert await scene.look() == {("box 1", POOL): WARNING}
    scene.settings.full_within.FromSeconds(int(line.latest + 3) * 86_400)
    assert await scene.look() == {("box 1", POOL): MAJOR}
