"""What arrays, clocks and disks do to a collection: a clear outcome for each, and nothing else is lost."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from delphis.telemetry.v1 import telemetry_pb2 as pb
from delphis.type.v1 import metric_pb2
from services.calls.errors import CallError
from services.exposition.formats import PROMETHEUS
from services.store.connection import Connection
from services.store.statement import sql
from services.telemetry import acceptance
from services.telemetry.exposition.latest import Latest
from services.telemetry.exposition.text import Array, write
from services.telemetry.sinks.kafka import Kafka
from services.telemetry.sinks.load import Load, Source
from services.telemetry.sinks.remote_write import RemoteWrite
from services.telemetry.window import Window
from tests.telemetry.array_scene import Box, Scene, batch, scene
from tests.telemetry.sinks.prometheus import Received
from tests.telemetry.sinks.scene import QUICK

DAY = 86_400


def asked_more(box: Box, before: int, _: object) -> bool:
    """Whether it was asked again."""
    return len(box.asked) > before


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    async with scene(tmp_path, monkeypatch) as made:
        yield made


async def assert_whole(here: Scene, box: Box) -> None:
    """The history has each second from the first to the last window, once."""
    seconds = await here.seconds(box)
    assert seconds == list(range(seconds[0], here.at // 10_000 * 10))


@pytest.mark.parametrize("says_newest", [True, False], ids=["it says what is newest", "it does not"])
@pytest.mark.parametrize("step", [600, 2 * 3600, DAY, 400 * DAY])
async def test_a_clock_that_is_set_forward_and_back_loses_nothing(here: Scene, step: int, says_newest: bool) -> None:
    right = [0]  # the array's clock is right all the time
    box = here.add(clock=lambda: here.at - right[0])
    box.says_newest = says_newest
    for _ in range(3):
        await here.go(box, 10)
    here.at += step * 1000
    right[0] = step * 1000
    asked = len(box.asked)
    if says_newest:  # or else it would be asked for what it has not, and that would be all
        for _ in range(20):
            here.touch(box)
            await asyncio.sleep(0.01)
    else:
        await here.until(box, "question", lambda _: len(box.asked) > asked)
    here.at -= step * 1000
    right[0] = 0
    for _ in range(3):
        await here.go(box, 10)
    await assert_whole(here, box)
    assert [list(kind.gaps) for kind in (await here.status(box)).kinds] == [[]]


@pytest.mark.parametrize("step", [60, 600, DAY])
async def test_a_clock_that_is_set_back_stops_nothing(here: Scene, step: int) -> None:
    """Delphis' clock and the array's, which is the same."""
    box = here.add()
    for _ in range(3):
        await here.go(box, 10)
    here.at -= step * 1000
    asked = len(box.asked)
    for _ in range(step // 10 + 2 if step < 300 else 3):
        here.at += 10_000
        here.touch(box)
        await asyncio.sleep(0.01)
    await here.until(box, "question", lambda _: len(box.asked) > asked)
    status = await here.go(box, 10)
    assert status.kinds[0].failures == 0
    seconds = await here.seconds(box)
    assert len(set(seconds)) == len(seconds)
    assert [newest.at <= here.at for newest in here.latest.of(None, None)] == [True]
    assert here.at // 10_000 * 10 - 1 in seconds


async def test_a_failure_of_the_future_holds_nothing_up(here: Scene) -> None:
    box = here.add()
    await here.go(box, 10)
    here.at += DAY * 1000
    box.failure = CallError("ARRAY_UNREACHABLE", "No route.")
    await here.until(box, "failure", lambda status: status.kinds[0].failures)
    here.at -= DAY * 1000
    box.failure = None
    status = await here.until(box, "look", lambda status: status.next_at.ToMilliseconds() <= here.at + 30_000)
    status = await here.go(box, 40)
    assert status.kinds[0].failures == 0


async def test_values_that_can_not_be_are_named_and_all_else_is_taken(
    here: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    box = here.add()

    def odd(begin: int, end: int) -> Iterator[metric_pb2.MetricBatch]:
        at = end - 1000
        yield batch([math.nan, math.inf, -1.0, 4.0, 1.0, 2.0, 3.0, 4.0], at=at, ids=("a", "b", "c", 'd"\n\\'),
                    metrics=("iops", "speed\n"))  # fmt: skip
        yield batch([5.0], at=at + 365 * DAY * 1000, ids=("e",))
        yield batch([5.0], at=-(10**12), ids=("f",))
        yield batch([7.0], at=at, ids=("g",))
        yield batch([7.0], at=at, ids=("g" * 2000,))
        yield batch([7.0], at=at, ids=("h",), kind="flux capacitor")

    box.batches = odd
    with caplog.at_level(logging.WARNING):
        await here.go(box, 10)
        status = await here.go(box, 10)
    assert status.refused == {
        "infinite": 2, "negative": 2, "unknown_metric": 8, "outside_window": 4, "bad_names": 2, "unknown_kind": 2,
    }  # fmt: skip
    named = {(one.kind, one.metric, one.reason): one for one in status.refused_metrics}
    assert named.keys() == {
        ("volume", "iops", "infinite"), ("volume", "iops", "negative"), ("volume", "speed\n", "unknown_metric"),
        ("volume", "", "outside_window"), ("volume", "", "bad_names"), ("flux capacitor", "", "unknown_kind"),
    }  # fmt: skip
    negative = named["volume", "iops", "negative"]
    assert (negative.native_id, negative.example, negative.count) == ("c", "-1.0", 2)
    assert negative.last_at.ToMilliseconds() == here.at
    assert all(len(one.native_id) <= 100 for one in status.refused_metrics)
    said = [record.getMessage() for record in caplog.records if "not taken" in record.getMessage()]
    assert len(said) == 6  # once each, however often
    assert not any("\n" in line for line in said)
    [newest] = here.latest.of(None, None)
    taken = dict(zip(newest.native_ids, newest.values[0].tolist(), strict=True))
    assert (taken['d"\n\\'], taken["g"]) == (4.0, 7.0)


def test_quotes_and_newlines_arrive_everywhere_as_they_are() -> None:
    odd = ('a "quote"', "a\nnewline", "a\\nbackslash", "a\r\tb", '{le="1"} 5', "\u2028é")
    sent = Window("volume", odd, ("iops",), 60_000, 1_000, np.arange(6.0).reshape(1, 1, 6))
    array = Array("s1", 'box "1"\n\\', "acme\n", "x1")
    load = Load(1, Source(array, 'S"1'), sent, odd)
    expected = dict(zip(odd, range(6), strict=True))

    [piece] = Kafka(pb.KafkaSink(bootstrap_servers=["b:1"], topic="t", format="json"), QUICK).pieces([load])
    [(_, body)] = piece.messages
    told = [(labels, values) for _, labels, values in json.loads(body)]
    assert {labels["resource_id"]: values["60000"] for labels, values in told} == expected
    assert {(labels["storage_name"], labels["storage_sn"]) for labels, _ in told} == {(array.name, 'S"1')}
    assert [labels["resource_name"] for labels, _ in told] == list(odd)

    [piece] = Kafka(pb.KafkaSink(bootstrap_servers=["b:1"], topic="t", format="protobuf"), QUICK).pieces([load])
    [(_, body)] = piece.messages
    points = pb.Points.FromString(body)
    assert (points.storage_name, tuple(points.batches[0].native_ids)) == (array.name, odd)

    received = Received()
    for piece in RemoteWrite(pb.RemoteWriteSink(url="http://x"), QUICK).pieces([load]):
        for _, body in piece.messages:
            received.take(body)
    written = {
        dict(labels)["resource_id"]: dict(labels) | {"value": value} for (labels, _), value in received.values.items()
    }
    assert {id_: labels["value"] for id_, labels in written.items()} == expected
    assert {labels["storage_name"] for labels in written.values()} == {array.name}

    latest = Latest()
    latest.take("s1", [sent])
    text = b"".join(write(latest.of(None, None), {"s1": array}, lambda *_: odd, PROMETHEUS)).decode()
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    found = [dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', line)) for line in lines]
    assert [_unescaped(labels["resource_id"]) for labels in found] == list(odd)
    assert {_unescaped(labels["storage_name"]) for labels in found} == {array.name}


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), text)


async def test_more_than_can_be_taken_at_once_is_asked_for_in_parts(
    here: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = here.add()
    await here.go(box, 10)
    monkeypatch.setattr(acceptance, "MAX_VALUES", 100)
    status = await here.go(box, 600)
    assert status.refused == {}
    await assert_whole(here, box)


async def test_more_series_than_can_be_are_counted_and_the_others_taken(
    here: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptance, "MAX_SERIES", 1_000)
    box = here.add()
    box.batches = lambda _, end: (
        batch([1.0] * 100, at=end - 1000, ids=tuple(f"v{number}" for number in range(low, low + 100)))
        for low in range(0, 1_500, 100)
    )
    status = await here.go(box, 10)
    assert status.refused == {"too_many_series": 500}
    assert [(one.kind, one.reason, one.native_id) for one in status.refused_metrics] == [
        ("volume", "too_many_series", "v1400")
    ]
    assert sum(len(newest.native_ids) for newest in here.latest.of(None, None)) == 1_000


async def test_names_of_refused_metrics_are_bounded(here: Scene) -> None:
    box = here.add()
    box.batches = lambda _, end: (
        batch([1.0], at=end - 1000, metrics=(f"speed {number}" * 50,)) for number in range(500)
    )
    status = await here.go(box, 10)
    assert status.refused == {"unknown_metric": 500}
    assert len(status.refused_metrics) == acceptance.MAX_NAMED
    assert all(len(one.metric) <= 100 for one in status.refused_metrics)


async def test_a_kind_of_which_there_is_nothing_new_holds_up_no_other(here: Scene) -> None:
    here.at += 61_000 - here.at % 60_000  # a second after a minute began
    ahead = [0]
    box = here.add(clock=lambda: here.at + ahead[0])
    box.measures("volume", "controller")
    here.collector.known(box.id).settings.kind_intervals["controller"] = 60
    await here.go(box, 60)
    begin = here.at - 1000

    def marks(status: pb.CollectionStatus) -> dict[str, int]:
        return {kind.kind: kind.watermark.ToMilliseconds() - begin for kind in status.kinds}

    here.at += 30_000
    await here.until(box, "volumes", lambda status: marks(status)["volume"] == 30_000)
    here.at += 40_000
    ahead[0] = -45_000  # its newest sample is older than those that are known
    status = await here.until(box, "controllers", lambda status: marks(status)["controller"] > 0)
    assert marks(status)["volume"] == 30_000


async def test_arrays_that_answer_never_late_or_by_halves_delay_no_other(here: Scene) -> None:
    never, half, good = here.add(), here.add(), here.add()
    never.silent = asyncio.Event()
    half.breaks_off = True
    for _ in range(3):
        await here.go(good, 10)
    await assert_whole(here, good)
    status = await here.until(half, "failure", lambda status: status.kinds and status.kinds[0].failures)
    assert (status.kinds[0].error_code, status.kinds[0].error_msg) == (
        "BadResponse",
        "The answer broke off before it was complete.",
    )
    assert await here.seconds(half) == []
    assert not status.kinds[0].HasField("watermark")
    half.breaks_off = False
    never.silent.set()
    here.at += 60_000
    for box in (half, never):
        await here.go(box, 10)
        await assert_whole(here, box)
    assert (await here.seconds(half))[0] == half.asked[0][0] // 1000  # what failed first was asked for again


async def test_an_array_that_does_not_say_what_it_measures_is_late(here: Scene) -> None:
    box = here.add()
    box.failure = CallError("BAD_RESPONSE", "Not a word.")
    status = await here.until(box, "failure", lambda status: status.kinds and status.kinds[0].failures)
    assert (status.kinds[0].kind, status.kinds[0].error_msg) == ("storage", "Not a word.")
    assert not status.HasField("supported")
    here.at += 1_800_000
    status = await here.until(box, "failure", lambda status: status.kinds[0].failures >= 2)
    assert status.kinds[0].missed_windows == 3
    box.failure = None
    here.at += 1_800_000
    status = await here.go(box, 10)
    assert [kind.kind for kind in status.kinds] == ["volume"]
    await assert_whole(here, box)


@pytest.mark.parametrize("seconds", [0, -1, -(10**11), 1])
async def test_an_array_that_announces_nonsense_is_collected_all_the_same(here: Scene, seconds: int) -> None:
    box = here.add(interval=0)
    box.capabilities.retention.seconds = seconds
    box.capabilities.resource_metrics[0].interval.seconds = seconds
    box.capabilities.resource_metrics[0].metrics.add(name="speed", unit="c")
    box.capabilities.resource_metrics[0].metrics.add(name="responseTime", unit="fortnight")
    box.capabilities.resource_metrics.add(kind="flux capacitor").metrics.add(name="iops", unit="1/s")
    box.capabilities.resource_metrics.add(kind="disk")
    status = await here.until(box, "collection", lambda status: status.kinds and status.kinds[0].points)
    assert [kind.kind for kind in status.kinds] == ["volume"]
    assert 10 <= status.kinds[0].interval.seconds <= 900
    said = " ".join(status.warnings)
    assert "'speed' is no metric of the catalogue" in said
    assert "'fortnight'" in said
    assert "flux capacitor" in said
    for _ in range(3):
        asked = len(box.asked)
        here.at += 900_000
        await here.until(box, "question", partial(asked_more, box, asked))
    asked = len(box.asked)
    for _ in range(20):  # and no more often than that
        here.touch(box)
        await asyncio.sleep(0.005)
    assert len(box.asked) <= asked + 8


async def test_what_can_not_be_stored_is_collected_again(here: Scene) -> None:
    box = here.add()
    await here.go(box, 10)
    pages = await here.store.write(_no_larger)
    box.batches = lambda begin, end: iter(
        [batch([1.0] * 3_000, at=end - 1000, ids=tuple(f"w{number}" for number in range(3_000)))]
    )
    here.at += 10_000
    status = await here.until(box, "failure", lambda status: status.kinds[0].failures)
    assert status.kinds[0].error_code == "StoreFault"
    assert "full" in status.kinds[0].error_msg
    box.batches = None
    await here.store.write(lambda connection: connection.all(sql(
        sqlite=f"PRAGMA max_page_count={pages + 10_000}", postgresql="SELECT 1")))  # fmt: skip
    here.at += 60_000
    status = await here.go(box, 10)
    assert (status.kinds[0].failures, list(status.kinds[0].gaps)) == (0, [])
    await assert_whole(here, box)


def _no_larger(connection: Connection) -> int:
    """As on a disk that is full."""
    pages = int(connection.value(sql(sqlite="PRAGMA page_count", postgresql="SELECT 1")))
    connection.all(sql(sqlite=f"PRAGMA max_page_count={pages}", postgresql="SELECT 1"))
    return pages
