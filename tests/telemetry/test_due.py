"""When an array is asked next."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from delphis.telemetry.v1 import telemetry_pb2
from delphis.type.v1 import metric_pb2, storage_pb2
from services.calls.method import Call, Caller, MethodTable
from services.fleet.fleet import Fleet
from services.fleet.storage import Storage, storage_of
from services.store.engine import Store
from services.telemetry.api.collection_service import CollectionService
from services.telemetry.collection.announced import awaited
from services.telemetry.collection.collector import CAPABILITIES_SECONDS, Collector
from services.telemetry.collection.records import KindState
from services.telemetry.history.recorder import Recorder
from services.values import times

ARRAY = "0000000a-0000-4000-8000-00000000000b"
HOUR = 3600 * 1000


class _Fleet:
    def get(self, _: str) -> Storage:
        return _storage()

    def all(self) -> dict[str, Storage]:
        return {ARRAY: _storage()}


def _collector(capabilities: metric_pb2.Capabilities | None, asked_at: int) -> Collector:
    nobody = cast("Any", None)
    made = Collector(nobody, nobody, Fleet(nobody), Recorder(), took=nobody)
    known = made.known(ARRAY)
    known.capabilities, known.asked_at = capabilities, asked_at
    return made


def _storage(pause: storage_pb2.Pause | None = None) -> Storage:
    return storage_of(storage_pb2.Storage(id=ARRAY, pause=pause), None, ())


def test_an_array_that_measures_nothing_is_asked_again_what_it_measures() -> None:
    asked_at = times.now()
    collector = _collector(metric_pb2.Capabilities(), asked_at)
    assert collector.next_at(_storage()) == asked_at // 1000 + CAPABILITIES_SECONDS * 1000


def test_a_pause_ends_by_itself() -> None:
    measured = metric_pb2.ResourceMetrics(kind="volume", metrics=[metric_pb2.MetricSpec(name="iops", unit="1/s")])
    collector = _collector(metric_pb2.Capabilities(resource_metrics=[measured]), times.now())
    pause = storage_pb2.Pause(reason="works")
    assert collector.next_at(_storage(pause)) is None
    until = times.now() // 1000 + HOUR
    pause.until.FromMilliseconds(until)
    assert collector.next_at(_storage(pause)) == until
    pause.until.FromMilliseconds(until - 2 * HOUR)
    assert collector.next_at(_storage(pause)) == collector.next_at(_storage()) == 0


async def test_a_shorter_interval_begins_at_once_and_is_no_wrong_clock(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    measured = metric_pb2.ResourceMetrics(kind="volume", metrics=[metric_pb2.MetricSpec(name="iops", unit="1/s")])
    nobody = cast("Any", None)
    collector = Collector(store, nobody, Fleet(nobody), Recorder(), took=nobody)
    known = collector.known(ARRAY)
    known.capabilities = metric_pb2.Capabilities(resource_metrics=[measured])
    now = times.now() // 1000
    known.kinds["volume"] = KindState(watermark=now + 20 * HOUR, newest=now)
    settings = telemetry_pb2.CollectionSettings()
    settings.interval.FromSeconds(10)
    await collector.set(ARRAY, settings)
    due = collector.next_at(_storage())
    assert due is not None
    assert due <= times.now() // 1000 + 30_000
    assert caplog.text == ""


def test_nobody_waits_for_an_array_that_is_paused_or_off() -> None:
    measured = metric_pb2.ResourceMetrics(kind="volume", metrics=[metric_pb2.MetricSpec(name="iops", unit="1/s")])
    collector = _collector(metric_pb2.Capabilities(resource_metrics=[measured]), times.now())
    known = collector.known(ARRAY)
    known.kinds["volume"] = KindState(failures=7)
    known.kinds["disk"] = KindState(failures=9)  # it was measured once
    assert [(kind, state.failures) for kind, state, _ in awaited(_storage(), known)] == [("volume", 7)]
    assert list(awaited(_storage(storage_pb2.Pause(reason="works")), known)) == []
    known.settings = telemetry_pb2.CollectionSettings(off=True)
    assert list(awaited(_storage(), known)) == []


async def test_no_watermark_is_told_that_lies_ahead() -> None:
    measured = metric_pb2.ResourceMetrics(kind="volume", metrics=[metric_pb2.MetricSpec(name="iops", unit="1/s")])
    now = times.now()
    collector = _collector(metric_pb2.Capabilities(resource_metrics=[measured]), now)
    collector.known(ARRAY).kinds["volume"] = KindState(watermark=now // 1000 + HOUR)
    table = MethodTable(CollectionService(cast("Any", _Fleet()), collector).methods())
    method = table.find("/delphis.telemetry.v1.CollectionService/GetCollectionStatus")
    assert method.unary is not None
    call = Call(method, Caller("ann", frozenset()), "r1", asyncio.get_running_loop().time() + 30, "test")
    request = telemetry_pb2.GetCollectionStatusRequest(storage_id=ARRAY).SerializeToString()
    status = telemetry_pb2.CollectionStatus.FromString(await method.unary(request, call))
    assert status.kinds[0].watermark.ToMilliseconds() <= times.now() // 1000
