"""A day of history beside a database: together they answer as a history that forgets nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from delphis.telemetry.v1 import telemetry_pb2 as pb
from delphis.type.v1 import metric_catalogue_pb2 as catalogue
from services.calls.errors import CallError
from services.telemetry.query import database as database_module
from services.values import times
from tests.telemetry.query.samples import Samples, samples
from tests.telemetry.query.scene import HOUR, IDS, MINUTE, ONE, STEP, STEPS, TWO, scene, shown

ALL = STEPS * STEP
VOLUMES: list[str] = ["iops", "responseTime"]
POOLS: dict[str, Any] = {"kind": "storage_pool", "metrics": ["usedCapacity", "overcommitRatio"]}

QUESTIONS: dict[str, tuple[int, int, dict[str, Any]]] = {
    "as collected": (0, ALL, {"metrics": VOLUMES}),
    "as collected, older alone": (HOUR, 4 * HOUR, {}),
    "one": (0, ALL, {"native_ids": ['v"1'], "metrics": ["throughput"]}),
    "two": (0, ALL, {"native_ids": ["v\\2", "v.3", "none"]}),
    "in steps": (0, ALL, {"metrics": ["iops", "throughput"], "step": HOUR}),
    "in odd steps, from within one": (7 * MINUTE, ALL - STEP - 5 * MINUTE, {"step": 50 * MINUTE}),
    "in steps, older alone": (7 * MINUTE, 5 * HOUR + MINUTE, {"step": HOUR}),
    "in a step that is longer than all": (HOUR, 3 * HOUR, {"step": 100 * HOUR}),
    "weighted": (0, ALL, {"metrics": ["responseTime"], "step": HOUR}),
    "by array": (0, ALL, {"metrics": VOLUMES, "group_by": "storage"}),
    "by array, in steps": (0, ALL, {"metrics": VOLUMES, "group_by": "storage", "step": HOUR}),
    "all": (0, ALL, {"metrics": ["iops", "throughput"], "group_by": "all", "step": HOUR}),
    "all, the largest": (
        0, ALL, {"group_by": "all", "step": HOUR, "aggregation": catalogue.AGGREGATION_MAX},
    ),
    "top": (0, ALL, {"metrics": VOLUMES, "top": 2}),
    "top, older alone": (0, 4 * HOUR, {"top": 2}),
    "top, in steps": (0, ALL, {"metrics": ["iops", "throughput"], "top": 3, "step": HOUR}),
    "top arrays": (0, ALL, {"group_by": "storage", "top": 1}),
    "capacities": (0, ALL, POOLS),
    "capacities, in steps": (0, ALL, {**POOLS, "step": 2 * HOUR}),
    "capacities by array, in steps": (0, ALL, {**POOLS, "step": 2 * HOUR, "group_by": "storage"}),
}  # fmt: skip


@pytest.fixture
async def database() -> AsyncIterator[Samples]:
    async with samples() as made:
        yield made


async def test_nobody_notices_where_the_history_ends(tmp_path: Path, database: Samples) -> None:
    async with scene(tmp_path, database) as here:
        for name, (begin, end, fields) in QUESTIONS.items():
            asked = here.question(begin, end, **fields)
            expected = await here.expected(asked, [ONE, TWO])
            assert expected, name
            answered = await here.ask(asked)
            assert answered.warnings == [], name
            assert shown(expected) == shown(answered.series), name
            if asked.top:
                order = [(one.storage_id, one.native_id, one.metric.name) for one in expected]
                assert [(one.storage_id, one.native_id, one.metric.name) for one in answered.series] == order


async def test_parts_say_who_answered(tmp_path: Path, database: Samples) -> None:
    async with scene(tmp_path, database) as here:
        answered = await here.ask(here.question(0, ALL))
        assert answered.source == pb.METRIC_SOURCE_BOTH
        older, own = answered.parts
        assert (older.source, older.span[0]) == (pb.METRIC_SOURCE_PROMETHEUS, here.begin)
        assert (own.source, own.span[1]) == (pb.METRIC_SOURCE_HISTORY, here.end)
        assert older.span[1] == own.span[0]
        asked = len(database.asked)
        answered = await here.ask(here.question(ALL - 2 * HOUR, ALL))
        assert answered.source == pb.METRIC_SOURCE_HISTORY
        assert len(database.asked) == asked
        answered = await here.ask(here.question(0, HOUR))
        assert answered.source == pb.METRIC_SOURCE_PROMETHEUS
        assert len(database.asked) == asked + 1


@pytest.mark.parametrize("minutes", [0, 17, 41])
async def test_a_database_is_asked_in_requests_that_it_can_answer(
    tmp_path: Path, database: Samples, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """At any time of the day: a request's end may lie within a step."""
    real = times.now
    monkeypatch.setattr(times, "now", lambda: real() + minutes * times.MINUTE)
    async with scene(tmp_path, database) as here:
        for fields in ({}, {"step": HOUR}):
            asked = here.question(0, ALL, **fields)
            requests: list[int] = []
            for most in (4_000_000, 1_500):
                monkeypatch.setattr(database_module, "MOST_BYTES", most)
                database.asked.clear()
                assert shown(await here.expected(asked, [ONE, TWO])) == shown((await here.ask(asked)).series)
                requests.append(len(database.asked))
            assert requests[1] > requests[0], fields


async def test_volumes_without_a_place_in_the_history_are_read_elsewhere(tmp_path: Path, database: Samples) -> None:
    # Of the two arrays' six volumes two get places.
    async with scene(tmp_path, database, max_volume_series=2 * 3) as here:
        for fields in ({}, {"top": 2, "metrics": VOLUMES}, {"group_by": "all", "step": HOUR}, {"step": 2 * HOUR}):
            for begin in (ALL - 3 * HOUR, 0):
                asked = here.question(begin, ALL, **fields)
                answered = await here.ask(asked)
                assert shown(await here.expected(asked, [ONE, TWO])) == shown(answered.series)
                assert answered.source == pb.METRIC_SOURCE_BOTH
                assert [part.beyond for part in answered.parts].count(True) == 1
    async with scene(tmp_path, None, max_volume_series=2 * 3) as here:
        answered = await here.ask(here.question(ALL - 3 * HOUR, ALL))
        assert len(answered.series) == 2
        [warning] = answered.warnings
        assert warning.startswith("4 volumes are missing")
        lacking = next(one for one in IDS["volume"] if not any(one == got.native_id for got in answered.series))
        with pytest.raises(CallError) as caught:
            await here.ask(here.question(ALL - HOUR, ALL, native_ids=[lacking]), [TWO])
        assert caught.value.reason == "METRIC_SOURCE_UNAVAILABLE"


async def test_without_a_database_what_is_older_is_missing_and_said_to_be(tmp_path: Path) -> None:
    async with scene(tmp_path, None) as here:
        answered = await here.ask(here.question(0, ALL))
        assert answered.source == pb.METRIC_SOURCE_HISTORY
        older, own = answered.parts
        assert (older.problem, own.problem) == ("No other database is configured.", "")
        assert answered.warnings == ["What is older than a day is missing. No other database is configured."]
        assert answered.series
        with pytest.raises(CallError, match="--prometheus") as caught:
            await here.ask(here.question(0, HOUR))
        assert caught.value.reason == "METRIC_SOURCE_UNAVAILABLE"
        with pytest.raises(CallError) as caught:
            here.question(0, ALL, kind="disk", metrics=["iops"])
        assert caught.value.metadata["field"] == "kind"


async def test_kinds_that_the_history_does_not_keep_are_read_elsewhere(tmp_path: Path, database: Samples) -> None:
    async with scene(tmp_path, database) as here:
        database.add("delphis_disk_iops_operations_per_second", ONE, "d1", {here.end - STEP: 5.0})
        answered = await here.ask(here.question(ALL - HOUR, ALL, kind="disk"))
        assert [(one.native_id, one.values.tolist()) for one in answered.series] == [("d1", [5.0])]
        assert answered.source == pb.METRIC_SOURCE_PROMETHEUS


async def test_a_resource_with_several_series_is_told_once(tmp_path: Path, database: Samples) -> None:
    name = "delphis_disk_iops_operations_per_second"
    async with scene(tmp_path, database) as here:
        begin = here.begin
        sent = {begin + step * STEP: float(step) for step in range(8)}
        database.add(name, ONE, "d1", {at: value for at, value in sent.items() if value < 4}, resource_name="old")
        database.add(name, ONE, "d1", {at: value for at, value in sent.items() if value >= 4}, resource_name="new")
        scraped = {begin + 20_000 + minute * MINUTE: 9.0 for minute in range(90)}
        database.add(name, ONE, "d1", scraped, resource_name="old", job="delphis", instance="a:1")
        database.add(name, TWO, "d2", scraped, resource_name="x", job="delphis", instance="a:1")
        answered = await here.ask(here.question(0, 3 * HOUR, kind="disk"))
        told = {
            one.native_id: dict(zip(one.times.tolist(), one.values.tolist(), strict=True)) for one in answered.series
        }
        assert told["d1"] == sent
        assert told["d2"] == scraped
