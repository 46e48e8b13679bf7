"""`/metrics` tells a value until the next one is here, and no longer than it must; queries tell what is missing."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import numpy as np
import pytest
from google.api import httpbody_pb2

from delphis.telemetry.v1 import telemetry_pb2 as pb
from delphis.type.v1 import metric_pb2, storage_pb2
from services.calls.method import Call, Caller, MethodTable
from services.fleet.storage import Storage, storage_of
from services.store.engine import Store
from services.telemetry.api.metric_service import MetricService
from services.telemetry.collection import records
from services.telemetry.collection.plan import Gap
from services.telemetry.collection.records import KindState
from services.telemetry.exposition.latest import Latest
from services.telemetry.window import Window
from services.values import times

ARRAY = "0000000a-0000-4000-8000-00000000000b"
SECOND, HOUR = 1000, 3600 * 1000


class _Scene:
    """An array that is asked every ten seconds, as the parts of the service see it."""

    def __init__(self, store: Store | None = None) -> None:
        message = storage_pb2.Storage(id=ARRAY, name="box")
        message.sync_interval.FromSeconds(6 * 3600)
        self._storage = storage_of(message, None, ())
        self._collection = records.new()
        measured = metric_pb2.ResourceMetrics(kind="volume", metrics=[metric_pb2.MetricSpec(name="iops", unit="1/s")])
        self._collection.capabilities = metric_pb2.Capabilities(resource_metrics=[measured])
        self._collection.settings.interval.FromSeconds(10)
        self.latest = Latest()
        names: Any = lambda _, __, ids: ids  # noqa: E731
        fleet, collector, nobody = cast("Any", self), cast("Any", self), cast("Any", None)
        self._table = MethodTable(
            MetricService(store or nobody, fleet, collector, self.latest, names, nobody).methods()
        )

    def all(self) -> dict[str, Storage]:
        return {ARRAY: self._storage}

    def get(self, storage_id: str) -> Storage | None:
        return self.all().get(storage_id)

    def known(self, _: str) -> records.Collection:
        return self._collection

    def collected(self, state: KindState) -> None:
        self._collection.kinds["volume"] = state

    async def warned(self, begin: int, end: int) -> list[str]:
        method = self._table.find("/delphis.telemetry.v1.MetricService/QueryMetrics")
        assert method.unary is not None
        request = pb.QueryMetricsRequest(kind="volume", metrics=["iops"])
        request.begin_time.FromMilliseconds(begin)
        request.end_time.FromMilliseconds(end)
        call = Call(method, Caller("ann", frozenset()), "r1", asyncio.get_running_loop().time() + 30, "test")
        answer = pb.QueryMetricsResponse.FromString(await method.unary(request.SerializeToString(), call))
        return list(answer.warnings)

    async def exposed(self, *storage_ids: str) -> str:
        method = self._table.find("/delphis.telemetry.v1.MetricService/ExportMetrics")
        assert method.stream is not None
        call = Call(method, Caller("ann", frozenset()), "r1", asyncio.get_running_loop().time() + 30, "test")
        request = pb.ExportMetricsRequest(storage_ids=storage_ids).SerializeToString()
        parts = [httpbody_pb2.HttpBody.FromString(part) async for part in method.stream(request, call)]
        return b"".join(part.data for part in parts).decode()


@pytest.mark.parametrize(
    ("metric", "age", "there"),
    [
        # Asked every ten seconds, up to 30 s after a window ended, for a sample of its begin.
        ("iops", 50 * SECOND, True),
        ("iops", 120 * SECOND, False),
        # Synced every six hours.
        ("usedCapacity", 11 * HOUR, True),
        ("usedCapacity", 13 * HOUR, False),
    ],
)
async def test_values_last_until_the_next_ones_are_due(metric: str, age: int, there: bool) -> None:
    scene = _Scene()
    at = times.now() // 1000 - age
    scene.latest.take(ARRAY, [Window("volume", ("v1",), (metric,), at, 1, np.array([[[5.0]]]))])
    assert ('resource_id="v1"' in await scene.exposed()) is there


async def test_an_id_may_be_in_capitals() -> None:
    scene = _Scene()
    now = times.now() // 1000
    scene.latest.take(ARRAY, [Window("volume", ("v1",), ("iops",), now, 1, np.array([[[5.0]]]))])
    assert await scene.exposed(ARRAY.upper()) == await scene.exposed() != ""


async def test_a_query_names_the_gaps_of_its_time(store: Store) -> None:
    scene = _Scene(store)
    begin = times.now() // 1000 // 1000 * 1000 - HOUR
    scene.collected(KindState().with_gap(Gap(begin, begin + 60 * SECOND, "It slept.")))
    [warning] = await scene.warned(begin + 59 * SECOND, begin + HOUR)
    assert warning.startswith("box: nothing from ")
    assert warning.endswith("It slept.")
    assert await scene.warned(begin + 60 * SECOND, begin + HOUR) == []
    assert await scene.warned(begin - HOUR, begin) == []
