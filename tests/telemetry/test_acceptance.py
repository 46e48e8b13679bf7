"""What of an array's answer is taken."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delphis.type.v1.metric_pb2 import MetricBatch
from services.telemetry.acceptance import Acceptance, Refusals
from services.telemetry.window import Window

MINUTE = 60_000
KINDS = frozenset({"volume", "storage"})


def _batch(
    values: list[float],
    *,
    ids: tuple[str, ...] = ("a", "b"),
    metrics: tuple[str, ...] = ("iops",),
    kind: str = "volume",
    start: int = 10,
    steps: int = 1,
    step: int = 60,
) -> MetricBatch:
    batch = MetricBatch(kind=kind, native_ids=ids, metrics=metrics, steps=steps, values=values)
    batch.start.FromMilliseconds(start * MINUTE)
    batch.step.FromSeconds(step)
    return batch


def _accept(*batches: MetricBatch, begin: int = 0, end: int = 1000) -> tuple[list[Window], dict[str, int]]:
    refusals = Refusals()
    taking = Acceptance(begin=begin * MINUTE, end=end * MINUTE, wanted=KINDS, own_id="serial-1", refusals=refusals)
    for batch in batches:
        taking.add(batch)
    return taking.windows(), dict(refusals.counts)


def test_columns_are_taken_as_they_are() -> None:
    values = [1.0, 2.0, 0.5, 0.25, 3.0, 4.0, 0.125, math.nan]
    [window], refused = _accept(_batch(values, metrics=("iops", "responseTime"), steps=2))
    assert (window.kind, window.native_ids, window.metrics) == ("volume", ("a", "b"), ("iops", "responseTime"))
    assert list(window.times()) == [10 * MINUTE, 11 * MINUTE]
    assert np.array_equal(window.values, np.array(values).reshape(2, 2, 2), equal_nan=True)
    assert (window.points, refused) == (7, {})


def test_batches_of_the_same_times_become_one() -> None:
    [window], _ = _accept(_batch([1.0, 2.0]), _batch([3.0], ids=("c",)))
    assert window.native_ids == ("a", "b", "c")
    assert window.values.tolist() == [[[1.0, 2.0, 3.0]]]


@pytest.mark.parametrize(
    ("batch", "reason", "values"),
    [
        pytest.param(_batch([1.0, 2.0], kind="disk"), "unknown_kind", 2, id="kind that was not asked for"),
        pytest.param(_batch([1.0, 2.0, 3.0]), "wrong_shape", 3, id="a value too many"),
        pytest.param(_batch([1.0, 2.0], kind="storage"), "wrong_shape", 2, id="two arrays"),
        pytest.param(_batch([1.0, 2.0], steps=2, ids=("a",), step=0), "wrong_shape", 2, id="no step"),
        pytest.param(_batch([1.0, 2.0], steps=-1), "wrong_shape", 2, id="negative steps"),
        pytest.param(_batch([1.0, 2.0], ids=("a", "a")), "bad_names", 2, id="resource twice"),
        pytest.param(_batch([1.0, 2.0], ids=("a", "")), "bad_names", 2, id="empty id"),
        pytest.param(_batch([1.0, 2.0], ids=("a", "b\0")), "bad_names", 2, id="NUL"),
        pytest.param(_batch([1.0, 2.0], metrics=("speed",)), "unknown_metric", 2, id="unknown metric"),
        pytest.param(_batch([1.0, 2.0], metrics=("cpuUsage",)), "unknown_metric", 2, id="metric of another kind"),
        pytest.param(_batch([1.0, 2.0], start=1000), "outside_window", 2, id="future"),
        pytest.param(_batch([1.0, 2.0], start=-1), "outside_window", 2, id="ancient"),
    ],
)
def test_what_can_not_be_is_refused(batch: MetricBatch, reason: str, values: int) -> None:
    taken, refused = _accept(batch)
    assert (taken, refused) == ([], {reason: values})


@pytest.mark.parametrize(
    ("value", "reason"), [(math.inf, "infinite"), (-math.inf, "infinite"), (-1.0, "negative"), (1e300, "too_large")]
)
def test_an_impossible_value_is_no_sample(value: float, reason: str) -> None:
    [window], refused = _accept(_batch([value, 5.0]))
    assert np.array_equal(window.values, [[[math.nan, 5.0]]], equal_nan=True)
    assert refused == {reason: 1}


def test_known_metrics_of_a_batch_are_kept() -> None:
    [window], refused = _accept(_batch([1.0, 2.0, 3.0, 4.0], metrics=("speed", "iops")))
    assert window.metrics == ("iops",)
    assert window.values.tolist() == [[[3.0, 4.0]]]
    assert refused == {"unknown_metric": 2}


_parts = st.tuples(
    st.sets(st.sampled_from("abc"), min_size=1), st.integers(-5, 30), st.integers(1, 8), st.sampled_from([30, 60, 90])
)


@given(st.lists(_parts, max_size=6))
def test_no_sample_is_taken_twice_or_from_another_time(parts: list[tuple[set[str], int, int, int]]) -> None:
    batches = [
        _batch([1.0] * steps * len(ids), ids=tuple(sorted(ids)), start=start, steps=steps, step=step)
        for ids, start, steps, step in parts
    ]
    taken, refused = _accept(*batches, begin=0, end=20)
    samples = [
        (native_id, int(window.times()[row]))
        for window in taken
        for column, native_id in enumerate(window.native_ids)
        for row in np.flatnonzero(~np.isnan(window.values[:, 0, column]))
    ]
    assert len(set(samples)) == len(samples)
    assert all(0 <= moment < 20 * MINUTE for _, moment in samples)
    assert len(samples) + sum(refused.values()) == sum(len(ids) * steps for ids, _, steps, _ in parts)
    assert sum(window.values.size for window in taken) <= 4 * len(samples)


def test_the_array_itself_has_its_serial_number_whatever_the_driver_calls_it() -> None:
    [window], refused = _accept(*(_batch([1.0], ids=(name,), kind="storage") for name in ("box", "", "array 7")))
    assert (window.native_ids, window.steps, refused) == (("serial-1",), 1, {"said_twice": 2})


def test_batches_with_a_metric_in_common_tell_it_once() -> None:
    first = _batch([1.0, 2.0], ids=("a",), metrics=("iops", "throughput"))
    taken, refused = _accept(first, _batch([3.0, 4.0], ids=("a",), metrics=("iops", "readIops")))
    assert [window.metrics for window in taken] == [("iops", "throughput")]
    assert refused == {"said_twice": 2}


def test_batches_that_differ_in_their_times_become_one() -> None:
    early = _batch([1.0, 2.0, 3.0], ids=("a",), start=10, steps=3)
    late = _batch([7.0, 8.0], ids=("b",), start=11, steps=2)
    [window], _ = _accept(early, _batch([4.0], ids=("a",), start=13), late)
    assert (window.native_ids, window.begin, window.steps) == (("a", "b"), 10 * MINUTE, 4)
    nan = math.nan
    expected = [[1.0, nan], [2.0, 7.0], [3.0, 8.0], [4.0, nan]]
    assert np.array_equal(window.values[:, 0], expected, equal_nan=True)


def test_batches_of_far_apart_times_stay_apart() -> None:
    many = _batch([1.0] * 1000, ids=tuple(f"v{number}" for number in range(1000)), start=10)
    taken, _ = _accept(many, _batch([1.0] * 500, ids=("a",), start=11, steps=500))
    assert sorted(window.values.shape for window in taken) == [(1, 1, 1000), (500, 1, 1)]
