"""Series in steps, put together, and the top ones: equal to a plain reckoning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delphis.telemetry.v1 import telemetry_pb2
from delphis.type.v1 import metric_catalogue_pb2 as catalogue
from services.calls.errors import CallError
from services.store.engine import Store
from services.telemetry.history.recorder import Recorder
from services.telemetry.query.answering import Series, answer
from services.telemetry.query.groups import Group
from services.telemetry.query.question import question
from services.telemetry.query.steps import in_steps
from services.telemetry.window import Window

MINUTE = 60_000
NOW = 1000 * MINUTE
ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def _request(**fields: object) -> telemetry_pb2.QueryMetricsRequest:
    step = fields.pop("step_s", None)
    request = telemetry_pb2.QueryMetricsRequest(**{"kind": "volume", "metrics": ["iops"], **fields})  # type: ignore[arg-type]
    request.begin_time.FromMilliseconds(0)
    if step is not None:
        request.step.FromSeconds(int(str(step)))
    return request


@pytest.fixture
async def filled(store: Store) -> Store:
    """Two arrays, four minutes: iops of v1 are 1, 2, 3, 4, of v2 ten times that, and so on; times of v1 are known."""
    keeper = Recorder()
    for array, factor in ((ONE, 1.0), (TWO, 100.0)):
        minutes = np.arange(1.0, 5.0).reshape(4, 1) * factor
        iops = minutes * np.array([1.0, 10.0])
        times = np.array([[1.0, math.nan], [2.0, 8.0], [3.0, 8.0], [4.0, 8.0]])
        window = Window("volume", ("v1", "v2"), ("iops", "responseTime"), 0, MINUTE, np.stack([iops, times], axis=1))
        done = await store.write(lambda c, a=array, w=window: keeper.record(c, UUID(a).bytes, [w]))  # type: ignore[misc]
        keeper.committed(done)
    return store


async def _ask(store: Store, *, storages: Sequence[str] = (ONE, TWO), **fields: object) -> list[Series]:
    asked = question(_request(**fields), now=NOW)
    return await store.scan(lambda connection: answer(connection, asked, storages))


def _shown(series: Sequence[Series]) -> dict[tuple[str, str, str], list[float]]:
    return {(one.metric.name, one.storage_id[:1], one.native_id): one.values.tolist() for one in series}


async def test_series_as_they_were_collected(filled: Store) -> None:
    found = await _ask(filled, storages=[ONE], metrics=["responseTime"])
    assert _shown(found) == {
        ("responseTime", "1", "v1"): [1.0, 2.0, 3.0, 4.0],
        ("responseTime", "1", "v2"): [8.0, 8.0, 8.0],
    }
    assert found[1].times.tolist() == [MINUTE, 2 * MINUTE, 3 * MINUTE]


async def test_steps_are_means_and_times_weigh_by_operations(filled: Store) -> None:
    found = await _ask(filled, storages=[ONE], metrics=["iops", "responseTime"], native_ids=["v1"], step_s=120)
    assert _shown(found) == {
        ("iops", "1", "v1"): [1.5, 3.5],
        ("responseTime", "1", "v1"): [(1 * 1 + 2 * 2) / 3, (3 * 3 + 4 * 4) / 7],
    }


async def test_a_mean_is_plain_where_no_weight_is_known(store: Store) -> None:
    values = np.array([[[1.0, 5.0]], [[3.0, 6.0]]])
    window = Window("volume", ("v1", "v2"), ("responseTime",), 0, MINUTE, values)
    await store.write(lambda connection: Recorder().record(connection, UUID(ONE).bytes, [window]))
    found = await _ask(store, storages=[ONE], metrics=["responseTime"], step_s=120)
    assert _shown(found) == {("responseTime", "1", "v1"): [2.0], ("responseTime", "1", "v2"): [5.5]}
    [together] = await _ask(store, storages=[ONE], metrics=["responseTime"], group_by="storage")
    assert together.values.tolist() == [3.0, 4.5]


async def test_resources_together(filled: Store) -> None:
    found = await _ask(filled, metrics=["iops", "responseTime"], group_by="storage")
    assert _shown(found) == {
        ("iops", "1", ""): [11.0, 22.0, 33.0, 44.0],
        ("iops", "2", ""): [1100.0, 2200.0, 3300.0, 4400.0],
        ("responseTime", "1", ""): pytest.approx([1.0, 82 / 11, 83 / 11, 84 / 11]),
        ("responseTime", "2", ""): pytest.approx([1.0, 82 / 11, 83 / 11, 84 / 11]),
    }
    [everything] = await _ask(filled, group_by="all", step_s=60, aggregation=catalogue.AGGREGATION_MAX)
    assert everything.values.tolist() == [1000.0, 2000.0, 3000.0, 4000.0]
    [everything] = await _ask(filled, group_by="all", step_s=240)
    assert everything.values.tolist() == [101 * 11 * 2.5]


async def test_top(filled: Store) -> None:
    found = await _ask(filled, top=2, metrics=["iops", "responseTime"])
    assert [(one.metric.name, one.storage_id[:1], one.native_id) for one in found] == [
        ("iops", "2", "v2"),
        ("responseTime", "2", "v2"),
        ("iops", "2", "v1"),
        ("responseTime", "2", "v1"),
    ]
    assert [one.storage_id[:1] for one in await _ask(filled, top=1, group_by="storage")] == ["2"]


async def test_too_many_series(store: Store) -> None:
    keeper = Recorder()
    ids = tuple(f"v{number}" for number in range(1001))
    window = Window("volume", ids, ("iops",), 0, MINUTE, np.ones((1, 1, 1001)))
    keeper.committed(await store.write(lambda connection: keeper.record(connection, UUID(ONE).bytes, [window])))
    with pytest.raises(CallError, match="Ask for fewer series") as caught:
        await _ask(store)
    assert caught.value.reason == "QUERY_TOO_BROAD"
    assert len(await _ask(store, top=1000)) == 1000


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"kind": "disk"}, "kind"),
        ({"metrics": []}, "metrics"),
        ({"metrics": ["iops", "iops"]}, "metrics"),
        ({"metrics": ["cpuUsage"]}, "metrics"),
        ({"metrics": ["speed"]}, "metrics"),
        ({"group_by": "pool"}, "group_by"),
        ({"group_by": "all"}, "step"),
        ({"step_s": 0}, "step"),
        ({"top": -1}, "top"),
        ({"aggregation": 77}, "aggregation"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else ",".join(f"{k}={v}" for k, v in value.items()),
)
def test_bad_questions_are_refused_by_field(fields: dict[str, object], named: str) -> None:
    with pytest.raises(CallError) as caught:
        question(_request(**fields), now=NOW)
    assert caught.value.reason == "INVALID_INPUT"
    assert named in str(caught.value.metadata)


_numbers = st.one_of(st.just(math.nan), st.floats(0, 1e6))


@given(
    st.lists(st.tuples(st.integers(1, 5), _numbers, st.floats(0, 100)), min_size=1, max_size=20),
    st.sampled_from(
        [
            catalogue.AGGREGATION_SUM,
            catalogue.AGGREGATION_MEAN,
            catalogue.AGGREGATION_WEIGHTED_MEAN,
            catalogue.AGGREGATION_MAX,
            catalogue.AGGREGATION_LAST,
        ]
    ),
)
def test_steps_are_what_a_plain_loop_makes(
    samples: list[tuple[int, float, float]], rule: catalogue.Aggregation.ValueType
) -> None:
    times = np.cumsum([gap for gap, _, _ in samples])
    values = np.array([[value] for _, value, _ in samples])
    weights = np.array([[weight] for _, _, weight in samples])
    steps, found = in_steps(times, values, 4, rule, weights)
    for step, value in zip(steps.tolist(), found[:, 0].tolist(), strict=True):
        inside = [
            (value, weight)
            for moment, (_, value, weight) in zip(times.tolist(), samples, strict=True)
            if moment // 4 * 4 == step and not math.isnan(value)
        ]
        expected = _plainly(inside, rule)
        assert value == pytest.approx(expected, nan_ok=True)


def _plainly(inside: list[tuple[float, float]], rule: catalogue.Aggregation.ValueType) -> float:
    weighed = [(value, weight) for value, weight in inside if weight > 0]
    if not inside or (rule == catalogue.AGGREGATION_WEIGHTED_MEAN and not weighed):
        return math.nan
    values = [value for value, _ in inside]
    if rule == catalogue.AGGREGATION_SUM:
        return math.fsum(values)
    if rule == catalogue.AGGREGATION_MAX:
        return max(values)
    if rule == catalogue.AGGREGATION_LAST:
        return values[-1]
    if rule == catalogue.AGGREGATION_WEIGHTED_MEAN:
        return math.fsum(v * w for v, w in weighed) / math.fsum(w for _, w in weighed)
    return math.fsum(values) / len(values)


@given(
    st.lists(st.tuples(st.lists(_numbers, min_size=1, max_size=4), st.integers(0, 5)), min_size=1, max_size=8),
    st.sampled_from([catalogue.AGGREGATION_SUM, catalogue.AGGREGATION_MEAN, catalogue.AGGREGATION_MAX]),
)
def test_groups_are_what_a_plain_loop_makes(
    parts: list[tuple[list[float], int]], rule: catalogue.Aggregation.ValueType
) -> None:
    group = Group(rule)
    plain: dict[int, list[tuple[float, float]]] = {}
    for values, at in parts:
        group.add(np.array([at]), np.array([values]), None)
        plain.setdefault(at, []).extend((value, 1.0) for value in values if not math.isnan(value))
    times, found = group.series()
    expected = {at: _plainly(values, rule) for at, values in plain.items() if values}
    assert dict(zip(times.tolist(), found.tolist(), strict=True)) == pytest.approx(expected)
