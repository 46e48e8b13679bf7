"""Capacities of the inventory: points, but for those that the array tells itself, and days of all."""

from __future__ import annotations

import uuid
from typing import Any, cast

import numpy as np
import pytest

from delphis.type.v1 import metric_pb2, storage_pb2
from services.fleet.storage import Storage, storage_of
from services.store.engine import Store
from services.telemetry.collection.collector import Collector
from services.telemetry.forecast import days
from services.telemetry.history.reader import grids
from services.telemetry.history.recorder import Recorder
from services.telemetry.inventory.keeping import Keeper
from services.telemetry.window import Window
from services.values import times

ARRAY = str(uuid.UUID(int=11))
AT = 1_760_000_000_000
NAMES = ("totalCapacity", "usedCapacity")


def _pools(at: int, used: float) -> Window:
    return Window("storage_pool", ("p1",), NAMES, at, 1, np.array([[[100.0], [used]]]))


async def test_days_are_kept_of_an_array_that_tells_its_capacities_itself(store: Store) -> None:
    told: list[Window] = []
    changed: list[str] = []

    def took(_: Storage, windows: list[Window]) -> None:
        told.extend(windows)

    nobody = cast("Any", None)
    collector = Collector(store, nobody, nobody, Recorder(), took=took)
    specs = [metric_pb2.MetricSpec(name="usedCapacity", unit="By")]
    measured = metric_pb2.ResourceMetrics(kind="storage_pool", metrics=specs)
    collector.known(ARRAY).capabilities = metric_pb2.Capabilities(resource_metrics=[measured])
    keeper = Keeper(store, Recorder(), collector, took=took, changed=changed.append)
    storage = storage_of(storage_pb2.Storage(id=ARRAY), None, ())
    assert await keeper.keep(storage, [_pools(AT, 40.0)])
    assert await keeper.keep(storage, [_pools(AT, 50.0)])  # the same sync, read again after a start
    assert changed == [ARRAY]
    assert [window.metrics for window in told] == [("totalCapacity",)] * 2
    key, day = uuid.UUID(ARRAY).bytes, AT // days.DAY_MILLISECONDS
    [filling] = await store.scan(lambda connection: list(days.fillings(connection, key, upto=day)))
    assert (filling.days, filling.used, filling.total) == ((day,), (40,), 100)
    [grid] = await store.scan(lambda connection: list(grids(connection, key, "storage_pool", NAMES, AT, AT + 1)))
    assert np.array_equal(grid.values[0, :, 0], [100.0, np.nan], equal_nan=True)


async def test_capacities_are_kept_after_a_clock_was_set_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = cast("Any", None)
    collector = Collector(store, nobody, nobody, Recorder(), took=lambda *_: None)
    keeper = Keeper(store, Recorder(), collector, took=lambda *_: None, changed=lambda _: None)
    storage = storage_of(storage_pb2.Storage(id=ARRAY), None, ())
    key, day = uuid.UUID(ARRAY).bytes, AT // days.DAY_MILLISECONDS
    for ahead, used in ((400, 40.0), (0, 50.0)):
        at = AT + ahead * days.DAY_MILLISECONDS
        monkeypatch.setattr(times, "now", lambda at=at: at * 1000)
        assert await keeper.keep(storage, [_pools(at, used)])
    [filling] = await store.scan(lambda connection: list(days.fillings(connection, key, upto=day)))
    assert (filling.days, filling.used) == ((day,), (50,))
