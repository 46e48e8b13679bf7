"""Telemetry from the command line, against a real server."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.up import Up, up, wait_for

from .conftest import quick


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("delphis"), telemetry=True) as started:
        wait_for("telemetry", lambda: quick("--server", started.grpc, "collections", "list").code == 0, 60, 0.3)
        yield started


@pytest.fixture(scope="module")
def array(running: Up) -> str:
    """An array from which was collected once."""
    made = running.register(101, volumes="3", pools="1", disks="1", perf_interval_s="1")
    running.wait_synced(made["id"])

    def collected() -> bool:
        kinds = running.get(f"/v1/storages/{made['id']}/collection")["kinds"]
        return bool(kinds) and all(kind["watermark"] for kind in kinds)

    wait_for("points", collected, 60)
    return str(made["id"])


def run(running: Up, *arguments: str, code: int = 0) -> str:
    answer = quick("--server", running.grpc, *arguments)
    assert answer.code == code, answer.err
    return answer.out if code == 0 else answer.err


def test_metrics_are_listed_and_queried(running: Up, array: str) -> None:
    names = {one["name"]: one for one in json.loads(run(running, "metrics", "list", "-o", "json"))["metrics"]}
    assert names["responseTime"]["unit"] == "s"
    rows = list(csv.DictReader(io.StringIO(run(running, "metrics", "query", "volume", "iops", "-o", "csv"))))
    assert len({row["native_id"] for row in rows}) == 3
    assert all(float(row["value"]) >= 0 and row["storage_id"] == array for row in rows)
    text = run(running, "metrics", "query", "volume", "iops", "--step", "5m", "--by", "storage", "--storage", array)
    assert "1/s" in text
    top = run(running, "metrics", "top", "volume", "iops", "--count", "1").splitlines()
    assert top[0].split() == ["STORAGE", "RESOURCE", "METRIC", "MEAN", "LARGEST", "NEWEST", "UNIT"]
    assert len(top) == 2
    assert "no metric" in run(running, "metrics", "query", "volume", "nonsense", code=1)
    assert "is no time" in run(running, "metrics", "query", "volume", "iops", "--last", "soon", code=2)


def test_collections_are_shown_and_set(running: Up, array: str) -> None:
    listed = json.loads(run(running, "collections", "list", "-o", "json"))["collections"]
    [ours] = [one for one in listed if one["storage_id"] == array]
    assert any(line.startswith(f"{ours['storage_name']} ") for line in run(running, "collections", "list").splitlines())
    shown = run(running, "collections", "show", array)
    assert "storage_pool" in shown
    run(running, "collections", "set", array, "--interval", "60", "--kind", "disk=3600")
    settings: dict[str, Any] = json.loads(run(running, "collections", "show", array, "-o", "json"))["settings"]
    assert str(settings["kind_intervals"]["disk"]) == "3600"
    assert "1 min, disk 1 h" in run(running, "collections", "show", array)
    run(running, "collections", "set", array, "--off")
    assert "off" in run(running, "collections", "list")
    run(running, "collections", "set", array, "--on")
    assert "are collected" in run(running, "collections", "now", array)
    assert "give --interval" in run(running, "collections", "set", array, code=2)


def test_a_fleet_says_how_it_is_collected(running: Up, tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    lines = [
        "storages:",
        "- name: barn",
        "  vendor: fake_storage",
        "  model: fake_driver",
        "  rest: {host: 127.0.0.61, port: 443, username: u, passwordFrom: {env: FLEET_PASSWORD}}",
        '  extra_attributes: {volumes: "1", pools: "1", disks: "1"}',
    ]

    def apply(collection: str, command: str = "apply", code: int = 0) -> str:
        file.write_text("\n".join([*lines, f"  collection: {collection}"]))
        answer = quick("--server", running.grpc, command, "-f", str(file), FLEET_PASSWORD="secret")
        assert answer.code == code, answer.err
        return answer.out + answer.err

    def settings() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run(running, "collections", "show", "barn", "-o", "json"))["settings"]
        return found

    slow = "{interval: 1min, kind_intervals: {disk: 1h, port: 1800}}"
    assert "collection.kind_intervals.disk: 3600s" in apply(slow)
    assert settings() == {"interval": "60s", "kind_intervals": {"disk": 3600, "port": 1800}}
    assert "Nothing to do" in apply(slow)
    assert "collection.kind_intervals.port: 1800s -> -" in apply("{kindIntervals: {disk: 1h}}", "diff", 6)
    apply("{kindIntervals: {disk: 1h}, enabled: false}")
    assert settings() == {"interval": "60s", "kind_intervals": {"disk": 3600}, "off": True}
    apply("{interval: 0, kind_intervals: {}, enabled: true}")
    assert settings() == {"kind_intervals": {}, "off": False}
    assert "Nothing to do" in apply("{interval: 0, kind_intervals: {}, enabled: true}")
    assert "storages[1].collection.interval: must be 10 s" in apply("{interval: 1s}", code=2)
    assert "storages[1].collection.speed: is unknown" in apply("{speed: 1s}", code=2)
    assert "No kind of this name has metrics" in apply("{kind_intervals: {disc: 1h}}", code=1)


def test_forecasts_are_printed(running: Up, array: str) -> None:
    found = json.loads(run(running, "forecasts", "--storage", array, "-o", "json"))["forecasts"]
    assert {one["kind"] for one in found} == {"storage", "storage_pool"}
    assert "FULL" in run(running, "forecasts")


def test_sinks_are_kept_without_showing_secrets(running: Up, tmp_path: Path) -> None:
    file = tmp_path / "sink.yaml"
    file.write_text(
        "name: prom\nkinds: [volume]\nremote_write:\n  url: http://127.0.0.1:9/api/v1/write\n"
        "  bearer_token: sentinel-token\n  headers:\n  - {name: X-Scope-OrgID, value: sentinel-header}\n"
    )
    text = run(running, "sinks", "create", "--file", str(file)) + run(running, "sinks", "show", "prom")
    text += run(running, "sinks", "create", "--file", str(file), code=1) + run(running, "sinks", "list")
    assert "http://127.0.0.1:9/api/v1/write" in text
    assert "history" in text
    file.write_text("name: prom\npaused: true\nremote_write:\n  url: http://127.0.0.1:9/api/v1/write\n")
    text += run(running, "sinks", "update", "prom", "--file", str(file))
    assert "paused: true" in text
    assert "can't be removed" in run(running, "sinks", "remove", "history", code=1)
    assert "is removed" in run(running, "sinks", "remove", "prom")
    assert "delphis sinks list" in run(running, "sinks", "show", "prom", code=5)
    assert "sentinel" not in text + running.log()
