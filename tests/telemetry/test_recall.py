"""What `/metrics` tells after a start."""

from __future__ import annotations

import uuid
from typing import Any, cast

import numpy as np

from delphis.type.v1 import metric_pb2, storage_pb2
from services.fleet.fleet import Fleet
from services.fleet.storage import Storage, storage_of
from services.store.engine import Store
from services.telemetry.collection.collector import Collector
from services.telemetry.exposition.latest import Latest
from services.telemetry.exposition.recall import recall
from services.telemetry.history.recorder import Recorder
from services.telemetry.window import Window
from services.values import times

ARRAY = str(uuid.UUID(int=12))
MINUTE = 60_000


class _Fleet:
    def __init__(self) -> None:
        self._storage = storage_of(storage_pb2.Storage(id=ARRAY), None, ())

    async def wait_known(self) -> None:
        pass

    def all(self) -> dict[str, Storage]:
        return {ARRAY: self._storage}

    def get(self, storage_id: str) -> Storage | None:
        return self.all().get(storage_id)


async def test_newest_values_are_told_after_a_start_but_not_in_the_place_of_newer_ones(store: Store) -> None:
    fleet, nobody = cast("Fleet", _Fleet()), cast("Any", None)
    collector = Collector(store, nobody, fleet, Recorder(), took=nobody)
    capabilities = metric_pb2.Capabilities()
    for kind in ("volume", "controller", "disk"):
        specs = [metric_pb2.MetricSpec(name=name, unit="1/s") for name in ("iops", "readIops")]
        capabilities.resource_metrics.add(kind=kind, metrics=specs)
    collector.known(ARRAY).capabilities = capabilities
    now = times.now() // 1000
    begin = now - now % MINUTE - 5 * MINUTE
    nan, key = np.nan, uuid.UUID(ARRAY).bytes
    volumes = Window(
        *("volume", ("a", "b"), ("iops", "readIops"), begin, MINUTE),
        np.array([[[1.0, 2.0], [3.0, nan]], [[4.0, nan], [5.0, nan]]]),
    )
    controllers = Window("controller", ("c",), ("iops",), begin, MINUTE, np.array([[[6.0]]]))
    await store.write(lambda connection: Recorder().record(connection, key, [volumes, controllers]))
    latest = Latest()
    latest.take(ARRAY, [Window("controller", ("c",), ("iops",), now, 1, np.array([[[7.0]]]))])
    await recall(store, fleet, collector, latest)
    told = {
        (one.kind, metric, native_id): one.values[row, column]
        for one in latest.of(None, None)
        for row, metric in enumerate(one.metrics)
        for column, native_id in enumerate(one.native_ids)
        if not np.isnan(one.values[row, column])
    }
    assert told == {
        ("volume", "iops", "a"): 4.0,
        ("volume", "iops", "b"): 2.0,
        ("volume", "readIops", "a"): 5.0,
        ("controller", "iops", "c"): 7.0,
    }
