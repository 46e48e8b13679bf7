"""Telemetry as its users see it: a running Delphis, generated arrays, REST."""

from __future__ import annotations

import math
import os
import random
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from delphis.driver.v1 import storage_driver_pb2, storage_driver_pb2_grpc
from tests.support.up import Up, fake_array, up, wait_for

_prometheus: Any = text_string_to_metric_families
_openmetrics: Any = openmetrics.text_string_to_metric_families
SMALL = {"volumes": "5", "pools": "2", "disks": "3"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("up"), telemetry=True) as started:
        wait_for("telemetry", lambda: _is_there(started), 60)
        yield started


@pytest.fixture(scope="module")
def array(running: Up) -> dict[str, Any]:
    """An array with a sample every second, from which was collected once."""
    made = running.register(101, **SMALL, perf_interval_s="1")
    running.wait_synced(made["id"])
    wait_for("points", lambda: _collected(running, made["id"]), 60)
    return made


def _collected(running: Up, storage_id: str) -> bool:
    kinds = running.get(f"/v1/storages/{storage_id}/collection")["kinds"]
    return bool(kinds) and all(kind["watermark"] for kind in kinds)


def _query(running: Up, **fields: Any) -> dict[str, Any]:
    reply = running.ask("POST", "/v1/metrics:query", fields)
    assert reply.status == 200, reply
    answer: dict[str, Any] = reply.json
    return answer


def _ended(running: Up, storage_id: str) -> str | None:
    outcome: str = running.get(f"/v1/storages/{storage_id}/sync-state")["sync_outcome"]
    return outcome if outcome != "never" else None


def _is_there(running: Up) -> bool:
    # A core that was started again has another port.
    running.rest = re.findall(r"REST\s+(https?://[^/\s]+)", running.log())[-1]
    try:
        return running.ask("GET", "/v1/collections").status == 200
    except OSError:  # the core itself is away
        return False


def _exposed(running: Up, accept: str = "") -> tuple[str, str]:
    reply = running.ask("GET", "/metrics", headers={"Accept": accept})
    assert reply.status == 200, reply
    return reply.headers["content-type"], reply.text


def test_collection_begins_right_after_the_first_sync(running: Up, array: dict[str, Any]) -> None:
    status = running.get(f"/v1/storages/{array['id']}/collection")
    assert (status["supported"], status["is_historic"]) == (True, True)
    assert {kind["kind"] for kind in status["kinds"]} >= {"storage", "storage_pool", "volume", "controller", "port"}
    assert all(kind["points"] > 0 and kind["failures"] == 0 and kind["gaps"] == [] for kind in status["kinds"])
    assert status["refused"] == {}


def test_what_is_queried_is_what_the_array_measured(running: Up, array: dict[str, Any]) -> None:
    answer = _query(running, kind="volume", metrics=["iops", "responseTime"], storage_ids=[array["id"]])
    assert answer["source"] == "history"
    found = {
        (one["native_id"], one["metric"]): dict(zip(one["times"], one["values"], strict=True))
        for one in answer["series"]
    }
    assert len(found) == 10
    assert all(one["storage_name"] == array["name"] for one in answer["series"])
    named = {volume["native_volume_id"]: volume["name"] for volume in running.get("/v1/volumes")["volumes"]}
    assert all(one["resource_name"] == named[one["native_id"]] for one in answer["series"])
    times = sorted(next(iter(found.values())))
    request = storage_driver_pb2.CollectPerfMetricsRequest(target=storage_driver_pb2.Target(storage_id=array["id"]))
    request.begin_time.FromMilliseconds(times[0])
    request.end_time.FromMilliseconds(times[-1] + 1)
    with grpc.insecure_channel(running.grpc) as channel:
        answers = list(storage_driver_pb2_grpc.StorageDriverStub(channel).CollectPerfMetrics(request, timeout=60))
    measured: dict[tuple[str, str], dict[int, float]] = {}
    for batch in (item for answer in answers for item in answer.items if item.kind == "volume"):
        values = iter(batch.values)
        for step in range(batch.steps):
            at = batch.start.ToMilliseconds() + step * batch.step.ToMilliseconds()
            for metric in batch.metrics:
                for native_id in batch.native_ids:
                    value = next(values)
                    if not math.isnan(value):
                        measured.setdefault((native_id, metric), {})[at] = value
    for series, points in found.items():
        assert points == pytest.approx(measured[series], rel=1e-6)


def test_top_volumes_and_sums(running: Up, array: dict[str, Any]) -> None:
    of = {"kind": "volume", "metrics": ["iops"], "storage_ids": [array["id"]], "step": "60s"}
    alone = _query(running, **of)["series"]
    means = sorted((sum(one["values"]) / len(one["values"]), one["native_id"]) for one in alone)
    top = _query(running, **of, top=2)["series"]
    assert [one["native_id"] for one in top] == [native_id for _, native_id in reversed(means[-2:])]
    [together] = _query(running, **of, group_by="storage")["series"]
    assert together["values"] == pytest.approx(
        [sum(point) for point in zip(*(one["values"] for one in alone), strict=True)]
    )


def test_metrics_are_exposed_in_both_formats(running: Up, array: dict[str, Any]) -> None:
    kind, text = _exposed(running)
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    samples = {
        (sample.name, sample.labels["resource_id"]): (sample.value, sample.labels)
        for family in _prometheus(text)
        for sample in family.samples
        if sample.labels["storage_id"] == array["id"]
    }
    volumes = {key[1] for key in samples if key[0] == "delphis_volume_iops_operations_per_second"}
    assert len(volumes) == 5
    value, labels = samples["delphis_storage_total_capacity_bytes", array["serial_number"]]
    shown = running.get(f"/v1/storages/{array['id']}")
    assert value == shown["total_capacity"]
    assert labels["storage_name"] == shown["name"]
    kind, text = _exposed(running, "application/openmetrics-text;version=1.0.0")
    assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert text.endswith("# EOF\n")
    assert {family.name for family in _openmetrics(text)} >= {"delphis_volume_iops_operations_per_second"}


def test_metrics_of_some_kinds_and_arrays(running: Up, array: dict[str, Any]) -> None:
    text = running.ask("GET", f"/metrics?kinds=controller&storage_ids={array['id']}").text
    assert all("delphis_controller_" in line for line in text.splitlines())
    reply = running.ask("GET", "/metrics?storage_ids=00000000-0000-4000-8000-000000000000")
    assert (reply.status, reply.json["error_code"]) == (404, "StorageNotFound")


def test_the_catalogue_is_listed(running: Up) -> None:
    found = {metric["name"]: metric for metric in running.get("/v1/metrics")["metrics"]}
    assert found["responseTime"]["unit"] == "s"
    assert found["responseTime"]["prometheus_name"] == "delphis_{kind}_response_time_seconds"
    assert "volume" in found["usedCapacity"]["kinds"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/metrics:query", {"kind": "volume", "metrics": ["speed"]}, 400, "InvalidInput"),
        ("POST", "/v1/metrics:query", {"kind": "volume", "metrics": ["iops"], "step": "x"}, 400, "InvalidInput"),
        ("POST", "/v1/metrics:query", {"kind": "volume", "metric": ["iops"]}, 400, "InvalidInput"),
        (
            "POST",
            "/v1/metrics:query",
            {"kind": "volume", "metrics": ["iops"], "storage_ids": ["x"]},
            404,
            "StorageNotFound",
        ),
        ("GET", "/v1/storages/x/collection", None, 404, "StorageNotFound"),
        ("GET", "/v1/collections?page_size=-1", None, 400, "InvalidInput"),
        ("GET", "/v1/collections?page_token=x", None, 400, "InvalidPageToken"),
        ("GET", "/v1/collections?min_missed_windows=-1", None, 400, "InvalidInput"),
        ("GET", "/v1/forecasts?page_token=x", None, 400, "InvalidPageToken"),
        ("GET", "/v1/forecasts?page_size=-1", None, 400, "InvalidInput"),
        ("GET", "/v1/storages/x/forecasts", None, 404, "StorageNotFound"),
        ("POST", "/v1/storages/x:collect", None, 404, "StorageNotFound"),
    ],
)
def test_bad_requests(running: Up, method: str, path: str, body: Any, status: int, code: str) -> None:
    reply = running.ask(method, path, body)
    assert (reply.status, reply.json["error_code"]) == (status, code)


def test_intervals_are_set_and_checked(running: Up, array: dict[str, Any]) -> None:
    path = f"/v1/storages/{array['id']}/collection"
    for body in (
        {"interval": "9s"},
        {"interval": "86401s"},
        {"kind_intervals": {"volume": 5}},
        {"kind_intervals": {"volumes": 300}},
    ):
        assert running.ask("PATCH", path, body).status == 400, body
    changed = running.ask("PATCH", path, {"interval": "60s", "kind_intervals": {"volume": 300}}).json
    intervals = {kind["kind"]: kind["interval"] for kind in changed["kinds"]}
    assert (intervals["volume"], intervals["port"]) == ("300s", "60s")
    assert running.ask("PATCH", path, {"off": True}).json["next_at"] is None
    assert running.ask("PATCH", path, {"off": False}).json["settings"]["interval"] == "60s"
    changed = running.ask("PATCH", path, {"interval": "0s", "kind_intervals": {"volume": 0}}).json
    assert changed["settings"] == {"interval": None, "kind_intervals": {}, "off": False}
    assert {kind["interval"] for kind in changed["kinds"]} == {"900s"}


def test_what_is_not_due_yet_is_collected_on_demand(running: Up, array: dict[str, Any]) -> None:
    path = f"/v1/storages/{array['id']}"
    assert running.ask("PATCH", f"{path}/collection", {"interval": "86400s"}).status == 200
    before = {kind["kind"]: kind["watermark"] for kind in running.get(f"{path}/collection")["kinds"]}
    for _ in range(2):

        def newer(before: dict[str, str] = before) -> dict[str, str] | None:
            # Again and again: within the second of its newest sample the array has nothing new.
            assert running.ask("POST", f"{path}:collect").status == 202
            marks = {kind["kind"]: kind["watermark"] for kind in running.get(f"{path}/collection")["kinds"]}
            return marks if all(mark > before[kind] for kind, mark in marks.items()) else None

        before = wait_for("newer points", newer, 60, 0.5)


def test_an_array_that_fails_is_seen_and_delays_no_other(running: Up, array: dict[str, Any]) -> None:
    bad = running.register(102, **SMALL, fail="metrics:unavailable")
    running.wait_synced(bad["id"])

    def failed() -> dict[str, Any] | None:
        kinds = running.get(f"/v1/storages/{bad['id']}/collection")["kinds"]
        return next((kind for kind in kinds if kind["failures"]), None)

    kind = wait_for("failure", failed, 60)
    assert kind["error_code"]
    assert kind["error_msg"]
    first = running.get("/v1/collections?page_size=1")
    assert [one["storage_id"] for one in first["collections"]] == [bad["id"]]
    rest = running.get(f"/v1/collections?page_token={first['next_page_token']}")
    assert array["id"] in {one["storage_id"] for one in rest["collections"]}


def test_capacities_and_names_follow_from_a_sync_that_did_not_read_everything(running: Up) -> None:
    made = running.register(105, **SMALL, fail="disks:half; metrics:unavailable")
    state = wait_for("sync", lambda: _ended(running, made["id"]), 60)
    assert state == "partial"

    def pools() -> list[str]:
        told = _exposed(running)[1].splitlines()
        ours = [line for line in told if f'storage_id="{made["id"]}"' in line]
        return [line for line in ours if line.startswith("delphis_storage_pool_used_capacity_bytes{")]

    found = wait_for("capacities", pools, 60)
    assert len(found) == 2
    assert all(re.search('resource_name="[^"]', line) for line in found)


def test_a_collection_that_fails_is_an_alert_until_it_is_collected(running: Up) -> None:
    array = running.register(115, **SMALL, fail="metrics:unavailable", perf_kinds="volume")
    path = f"/v1/storages/{array['id']}/collection"

    def kind() -> dict[str, Any]:
        kinds = running.get(path)["kinds"]
        return next((one for one in kinds if one["kind"] == "volume"), {})

    wait_for("failure", lambda: kind().get("failures"), 60)
    assert kind()["missed_windows"] == 1
    assert kind()["error_code"] == "ArrayUnreachable"
    listed = running.get("/v1/collections?min_missed_windows=1")["collections"]
    assert array["id"] in {one["storage_id"] for one in listed}
    assert running.get("/v1/collections?min_missed_windows=2")["collections"] == []
    # A change of the settings has telemetry asked at once.
    assert running.ask("PATCH", "/v1/alert-settings", {"missed_collections": 1}).status == 200

    def alerts() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = running.get(f"/v1/storages/{array['id']}/alerts")["alerts"]
        return [one for one in found if one["alert_id"] == "delphis.collection_late"]

    [alert] = wait_for("alert", alerts, 60)
    assert (alert["severity"], alert["match_key"]) == ("Major", "collection_late:volume")
    assert "delphis collections show" in alert["recovery_advice"]
    body = fake_array(115, **SMALL, perf_kinds="volume")
    access = {"rest": body["rest"], "extra_attributes": body["extra_attributes"]}
    assert running.ask("PUT", f"/v1/storages/{array['id']}/access-info", access).status == 200
    assert running.ask("POST", f"/v1/storages/{array['id']}:collect", {}).status == 202
    wait_for("points", lambda: kind()["last_success_at"], 60)
    assert running.ask("PATCH", "/v1/alert-settings", {"missed_collections": 2}).status == 200
    wait_for("end of the alert", lambda: not alerts(), 60)


def test_a_removed_array_is_forgotten(running: Up) -> None:
    gone = running.register(103, **SMALL)
    running.wait_synced(gone["id"])
    wait_for("points", lambda: _collected(running, gone["id"]), 60)
    assert running.ask("DELETE", f"/v1/storages/{gone['id']}").status == 202
    wait_for("removal", lambda: running.ask("GET", f"/v1/storages/{gone['id']}/collection").status == 404, 60)
    wait_for("its metrics to go", lambda: gone["id"] not in _exposed(running)[1], 60)


@pytest.mark.slow
def test_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    """Samples of each second, collected every ten, while the processes are killed at random: each is there once."""
    chance = random.Random(6)
    with up(tmp_path, telemetry=True) as running:
        made = running.register(104, **SMALL, perf_interval_s="1", perf_kinds="storage")
        running.wait_synced(made["id"])
        path = f"/v1/storages/{made['id']}/collection"
        wait_for("telemetry", lambda: running.ask("PATCH", path, {"interval": "10s"}).status == 200, 60)
        wait_for("points", lambda: _collected(running, made["id"]), 60)
        begin = time.time()
        for name in ("telemetry", "core", "host", "telemetry"):
            time.sleep(chance.uniform(1.0, 4.0))
            pids = running.host_pids() if name == "host" else [running.child_pid(name)]
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            wait_for(f"{name} to be back", lambda: _is_there(running), 60)
        end = time.time()

        def caught_up() -> bool:
            reply = running.ask("GET", path)
            if reply.status != 200:
                return False
            marks = [kind["watermark"] for kind in reply.json["kinds"]]
            return bool(marks) and min(marks) > time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(end))

        wait_for("the collection to catch up", caught_up, 60)
        answer = _query(running, kind="storage", metrics=["iops"], storage_ids=[made["id"]])
        [series] = answer["series"]
        seconds = [at // 1000 for at in series["times"]]
        assert seconds == list(range(seconds[0], seconds[-1] + 1))
        assert seconds[0] < begin < end < seconds[-1] + 11
        status = running.get(path)
        assert [kind["gaps"] for kind in status["kinds"]] == [[]]
