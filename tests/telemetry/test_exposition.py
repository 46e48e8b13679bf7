"""`/metrics` as text: what Prometheus' own parser reads is what was measured."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from services.exposition.formats import OPENMETRICS, PROMETHEUS, negotiated
from services.telemetry.exposition.latest import Latest
from services.telemetry.exposition.text import Array, write
from services.telemetry.window import Window

_openmetrics: Any = openmetrics.text_string_to_metric_families

ARRAYS = {name: Array(name, f"array {name}", "acme", "box") for name in ("s1", "s2")}


def _names(storage_id: str, kind: str, native_ids: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"name of {native_id}" for native_id in native_ids)


def _text(latest: Latest, format_: str = PROMETHEUS) -> str:
    return b"".join(write(latest.of(None, None), ARRAYS, _names, format_)).decode()


def _window(values: Iterable[float], *, ids: tuple[str, ...] = ("a",), metric: str = "iops", begin: int = 0) -> Window:
    numbers = np.array(list(values)).reshape(-1, 1, len(ids))
    return Window("volume", ids, (metric,), begin, 60_000, numbers)


def _samples(text: str) -> dict[tuple[str, str, str], float]:
    return {
        (sample.name, sample.labels["storage_id"], sample.labels["resource_id"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_families_are_together_and_named_by_their_base_unit() -> None:
    latest = Latest()
    latest.take("s1", [_window([1.5]), _window([0.25], metric="responseTime")])
    latest.take("s2", [_window([2.5]), _window([7.0], metric="usedCapacity")])
    text = _text(latest)
    assert _samples(text) == {
        ("delphis_volume_iops_operations_per_second", "s1", "a"): 1.5,
        ("delphis_volume_iops_operations_per_second", "s2", "a"): 2.5,
        ("delphis_volume_response_time_seconds", "s1", "a"): 0.25,
        ("delphis_volume_used_capacity_bytes", "s2", "a"): 7.0,
    }
    assert text.count("# TYPE delphis_volume_iops_operations_per_second gauge") == 1
    first = next(line for line in text.splitlines() if not line.startswith("#"))
    assert first == (
        'delphis_volume_iops_operations_per_second{storage_id="s1",storage_name="array s1",vendor="acme",model="box",'
        'resource_id="a",resource_name="name of a"} 1.5'
    )


def test_the_newest_value_of_each_series_is_told() -> None:
    latest = Latest()
    latest.take("s1", [_window([1, 2, 3, math.nan], ids=("a", "b"), begin=600_000)])
    latest.take("s1", [_window([9, 9], ids=("a", "b"), begin=0)])  # filled in later
    assert {key[2]: value for key, value in _samples(_text(latest)).items()} == {"a": 3.0, "b": 2.0}


def test_windows_of_one_answer_hide_nothing_of_each_other_and_tell_nothing_twice() -> None:
    latest = Latest()
    late, early = _window([1.0, 2.0], ids=("a", "b"), begin=600_000), _window([3.0, 4.0], ids=("b", "c"), begin=540_000)
    latest.take("s1", [late, early, _window([0.5], ids=("d",), metric="responseTime", begin=0)])
    text = _text(latest)
    assert {key[2]: value for key, value in _samples(text).items()} == {"a": 1.0, "b": 2.0, "c": 4.0, "d": 0.5}
    assert sum(not line.startswith("#") for line in text.splitlines()) == 4


def test_metrics_that_come_in_other_company_are_told_once() -> None:
    latest = Latest()
    latest.take("s1", [Window("volume", ("a",), ("iops", "throughput"), 0, 60_000, np.array([[[1.0], [2.0]]]))])
    latest.take("s1", [Window("volume", ("a",), ("iops", "readIops"), 60_000, 60_000, np.array([[[3.0], [4.0]]]))])
    values = sorted(line.split()[-1] for line in _text(latest).splitlines() if not line.startswith("#"))
    assert values == ["2.0", "3.0", "4.0"]


def test_series_without_a_value_and_arrays_that_are_gone_are_left_out() -> None:
    latest = Latest()
    latest.take("s1", [_window([math.nan, 1], ids=("a", "b"))])
    latest.take("s2", [_window([1])])
    latest.take("unknown", [_window([1])])
    latest.forget("s2")
    assert [key[1:] for key in _samples(_text(latest))] == [("s1", "b")]


def test_a_large_array_is_written_in_parts() -> None:
    latest = Latest()
    ids = tuple(f"v{number}" for number in range(30_000))
    latest.take("s1", [_window([1.0] * len(ids), ids=ids)])
    parts = list(write(latest.of(None, None), ARRAYS, _names, PROMETHEUS))
    assert max(map(len, parts)) < 1 << 20
    assert b"".join(parts).count(b"\ndelphis_volume_iops") == len(ids)


def test_openmetrics_has_units_and_an_end() -> None:
    latest = Latest()
    latest.take("s1", [_window([1.5]), _window([0.25], metric="responseTime")])
    [iops, response] = _openmetrics(_text(latest, OPENMETRICS))
    assert (iops.unit, response.unit) == ("operations_per_second", "seconds")
    assert response.samples[0].value == 0.25
    assert list(_openmetrics(_text(Latest(), OPENMETRICS))) == []


@given(st.text(), st.text(), st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_any_name_and_any_number_can_be_read_back(native_id: str, name: str, value: float) -> None:
    latest = Latest()
    latest.take("s1", [_window([value], ids=(native_id,))])
    text = b"".join(write(latest.of(None, None), ARRAYS, lambda *_: (name,), PROMETHEUS)).decode()
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    assert len(lines) == 1
    if not set("\r\v\f\x1c\x1d\x1e\x85\u2028\u2029") & set(native_id + name):  # where its reader ends a line
        [family] = text_string_to_metric_families(text)
        assert family.samples[0].labels["resource_id"] == native_id
        assert family.samples[0].labels["resource_name"] == name
        assert family.samples[0].value == value


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        ("", PROMETHEUS),
        ("*/*", PROMETHEUS),
        ("application/json", PROMETHEUS),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPENMETRICS),
        ("application/openmetrics-text;q=0.3, text/plain;q=0.6", PROMETHEUS),
        ("application/openmetrics-text;q=x", PROMETHEUS),
    ],
)
def test_format(accept: str, format_: str) -> None:
    assert negotiated(accept) == format_


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_mend() -> None:
    latest = Latest()
    latest.take("s1", [_window([1.5]), _window([0.25], metric="responseTime"), _window([1], metric="usedCapacity")])
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=_text(latest), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
