"""Each rule of deploy/prometheus, by `promtool test rules`: when it fires, what it says then, and when it does not."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "rules.yml"
PROMTOOL = shutil.which("promtool")


@dataclass(frozen=True)
class Case:
    """A minute lies between two values of a series; in promtool's notation `0+5x3` is 0, 5, 10, 15."""

    fires: dict[str, str]
    at: str
    """By then it fires."""
    labels: dict[str, str]
    summary: str
    quiet: dict[str, str] = field(default_factory=dict[str, str])
    """With these it never does."""
    not_yet: str = "0m"
    """At this time it does not fire yet."""
    description: str = ""
    """Where it has a part that varies."""


ARRAY = 'storage_id="s1",storage_name="cellar"'
POOL = f'{ARRAY},resource_id="p1",resource_name="Pool 1"'
ARRAY_LABELS = {"storage_id": "s1", "storage_name": "cellar"}
POOL_LABELS = {**ARRAY_LABELS, "resource_id": "p1", "resource_name": "Pool 1"}

CASES: dict[str, Case] = {
    "DelphisDown": Case(
        {'up{job="delphis",instance="a:1"}': "0x10"},
        "3m",
        {"job": "delphis", "instance": "a:1"},
        "Delphis at a:1 can't be scraped",
        {'up{job="delphis"}': "1 0 1 0 1x10", 'up{job="other"}': "0x10"},
        not_yet="1m",
    ),
    "DelphisProcessDown": Case(
        {'delphis_process_up{process="alerts"}': "0x10"},
        "3m",
        {"process": "alerts"},
        "The alerts process of Delphis does not answer",
        {"delphis_process_up": "1x10"},
        not_yet="1m",
    ),
    "DelphisProcessRestarts": Case(
        {'delphis_process_start_time_seconds{process="core"}': "1 2 3 4 5x10"},
        "6m",
        {"process": "core"},
        "The core process of Delphis starts again and again",
        {"delphis_process_start_time_seconds": "1 2 3x10"},
        not_yet="3m",
    ),
    "DelphisMetricsMissing": Case(
        {'delphis_process_inquiry_ok{process="alerts",inquiry="traps"}': "0x10"},
        "6m",
        {"process": "alerts", "inquiry": "traps"},
        "The store of the alerts process does not answer in time",
        {"delphis_process_inquiry_ok": "1x10"},
        not_yet="4m",
        description="The metrics about traps are missing meanwhile.",
    ),
    "DelphisOpenFilesNearLimit": Case(
        {
            'delphis_process_open_files{process="core"}': "950x10",
            'delphis_process_open_files_limit{process="core"}': "1000x10",
        },
        "6m",
        {"process": "core"},
        "The core process of Delphis has few open files left",
        {"delphis_process_open_files": "800x10", "delphis_process_open_files_limit": "1000x10"},
        not_yet="4m",
    ),
    "DelphisStoreBusy": Case(
        {'delphis_store_busy_seconds_total{process="core"}': "0+59x40"},
        "25m",
        {"process": "core"},
        "The store of the core process is written to all the time",
        {"delphis_store_busy_seconds_total": "0+30x40"},
        not_yet="14m",
    ),
    "DelphisCallsFailInside": Case(
        {'delphis_calls_total{process="core",method="/a/B",code="INTERNAL",kind="x"}': "0+1x40"},
        "25m",
        {"process": "core", "method": "/a/B"},
        "/a/B fails by faults of Delphis or of a driver",
        {'delphis_calls_total{code="NOT_FOUND"}': "0+9x40", 'delphis_calls_total{code="INTERNAL"}': "5x40"},
        not_yet="9m",
    ),
    "DelphisDriverHostsDie": Case(
        {'delphis_driver_host_deaths_total{driver="d"}': "0 1 2 3 4 5 6x10"},
        "8m",
        {"driver": "d"},
        "Hosts of the driver d die again and again",
        {"delphis_driver_host_deaths_total": "0 1 2x10"},
        not_yet="1m",
    ),
    "DelphisArrayQuarantined": Case(
        {'delphis_driver_quarantined_arrays{driver="d"}': "0 2x5"},
        "1m",
        {"driver": "d"},
        "2 arrays of the driver d get no calls: they killed its hosts",
        {"delphis_driver_quarantined_arrays": "0x5"},
    ),
    "DelphisSyncFailing": Case(
        {f"delphis_array_sync_ok{{{ARRAY}}}": "0x90", 'delphis_array_paused{storage_id="s1"}': "0x90"},
        "61m",
        ARRAY_LABELS,
        "Not all of cellar could be read for an hour",
        {'delphis_array_sync_ok{storage_id="s2"}': "0x90", 'delphis_array_paused{storage_id="s2"}': "1x90"},
        not_yet="59m",
        description="`delphis storages show s1` says which kinds, and why.",
    ),
    "DelphisSyncOld": Case(
        {
            f"delphis_array_last_sync_timestamp_seconds{{{ARRAY}}}": "-84600x70",  # 30 minutes before it is too old
            'delphis_array_paused{storage_id="s1"}': "0x70",
        },
        "61m",
        ARRAY_LABELS,
        "The inventory of cellar is 1d 0h 31m 0s old",
        {
            'delphis_array_last_sync_timestamp_seconds{storage_id="s2"}': "-80000x70",
            'delphis_array_paused{storage_id="s2"}': "0x70",
        },
        not_yet="35m",
    ),
    "DelphisCollectionFailing": Case(
        {f'delphis_collection_failures{{{ARRAY},kind="volume"}}': "3x10"},
        "6m",
        {**ARRAY_LABELS, "kind": "volume"},
        "Metrics of cellar (volume) could not be collected 3 times",
        {"delphis_collection_failures": "2x10"},
        not_yet="4m",
    ),
    "DelphisPoolFull": Case(
        {f"delphis_storage_pool_used_ratio{{{POOL}}}": "0.95x40"},
        "31m",
        POOL_LABELS,
        "Pool 1 of cellar is 95% full",
        {"delphis_storage_pool_used_ratio": "0.9x40"},
        not_yet="29m",
    ),
    "DelphisPoolFullSoon": Case(
        {
            f"delphis_storage_pool_used_capacity_bytes{{{POOL}}}": "0+1x600",
            f"delphis_storage_pool_total_capacity_bytes{{{POOL}}}": "10000x600",
        },
        "9h",
        POOL_LABELS,
        "Pool 1 of cellar will be full within two weeks",
        {
            "delphis_storage_pool_used_capacity_bytes": "5000x600",
            "delphis_storage_pool_total_capacity_bytes": "10000x600",
        },
        not_yet="7h",
    ),
    "DelphisTrapsDropped": Case(
        {'delphis_traps_dropped_total{reason="spool full",shard="1"}': "0 0 5x10"},
        "4m",
        {"reason": "spool full"},
        "Traps were lost (spool full)",
        {"delphis_traps_dropped_total": "7x10"},
        not_yet="1m",
    ),
    "DelphisTrapsNotReceived": Case(
        {"delphis_traps_receiving": "0x10"},
        "3m",
        {},
        "Traps are not received as they should be",
        {"delphis_traps_receiving": "1x10"},
        not_yet="1m",
    ),
    "DelphisTrapSpoolFills": Case(
        {"delphis_traps_spooled_bytes": "60x10", "delphis_traps_spooled_limit_bytes": "100x10"},
        "6m",
        {},
        "More traps come in than are read",
        {"delphis_traps_spooled_bytes": "40x10", "delphis_traps_spooled_limit_bytes": "100x10"},
        not_yet="4m",
    ),
    "DelphisDeliveryBehind": Case(
        {
            'delphis_delivery_oldest_age_seconds{receiver="pager"}': "930x10",
            'delphis_delivery_paused{receiver="pager"}': "0x10",
        },
        "6m",
        {"receiver": "pager"},
        "The receiver pager has been told nothing for 15m 30s",
        {
            'delphis_delivery_oldest_age_seconds{receiver="b"}': "930x10",
            'delphis_delivery_paused{receiver="b"}': "1x10",
        },
        not_yet="4m",
    ),
    "DelphisSinkBehind": Case(
        {'delphis_sink_oldest_age_seconds{sink="k"}': "3660x15"},
        "11m",
        {"sink": "k"},
        "Points wait for the sink k for 1h 1m 0s",
        {"delphis_sink_oldest_age_seconds": "3000x15"},
        not_yet="9m",
    ),
    "DelphisSinkLosesPoints": Case(
        {'delphis_sink_points_total{sink="k",outcome="refused"}': "0 0 5x10"},
        "4m",
        {"sink": "k"},
        "The sink k refused points, or they waited for too long",
        {
            'delphis_sink_points_total{outcome="delivered"}': "0+9x10",
            'delphis_sink_points_total{outcome="dropped"}': "4x10",
        },
        not_yet="1m",
    ),
}


def rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def series(given: dict[str, str]) -> list[dict[str, str]]:
    return [{"series": name, "values": values} for name, values in given.items()]


def both(alert: str, rule: dict[str, Any], case: Case) -> list[dict[str, Any]]:
    """Two, as promtool wants them."""
    annotations = {**rule["annotations"], "summary": case.summary}
    if case.description:
        annotations["description"] = case.description
    expected = {"exp_labels": {**rule["labels"], **case.labels}, "exp_annotations": annotations}
    fires = [
        {"eval_time": case.not_yet, "alertname": alert, "exp_alerts": []},
        {"eval_time": case.at, "alertname": alert, "exp_alerts": [expected]},
    ]
    quiet = [{"eval_time": case.at, "alertname": alert, "exp_alerts": []}]
    return [
        {"interval": "1m", "name": f"{alert} fires", "input_series": series(case.fires), "alert_rule_test": fires},
        {"interval": "1m", "name": f"{alert} is quiet", "input_series": series(case.quiet), "alert_rule_test": quiet},
    ]


def test_each_rule_has_its_cases() -> None:
    assert CASES.keys() == rules().keys()
    for alert, rule in rules().items():
        varies = "{{" in rule["annotations"].get("description", "")
        assert bool(CASES[alert].description) == varies, alert
        assert CASES[alert].quiet, alert


@pytest.mark.apt
@pytest.mark.timeout(300)
def test_rules_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    if PROMTOOL is None:
        if os.environ.get("CI"):
            pytest.fail("CI lacks what marker 'apt' needs: install prometheus, see .ci/run", pytrace=False)
        pytest.skip("apt: install prometheus, see .ci/run")
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [test for alert, rule in rules().items() for test in both(alert, rule, CASES[alert])],
    }
    file = tmp_path / "rules.test.yml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    done = subprocess.run([PROMTOOL, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
