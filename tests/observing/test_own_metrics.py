"""What Delphis tells of its own processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.test_tokens import bearer, make_token
from tests.observing.conftest import all_up
from tests.observing.pages import OPENMETRICS, OWN, families, one, series
from tests.support.up import Up, core_alone, wait_for

PROMTOOL = shutil.which("promtool")
LIST = "/delphis.inventory.v1.InventoryService/ListStorages"


def test_both_formats_tell_the_same_series(running: Up) -> None:
    assert running.ask("GET", OWN).headers["content-type"].startswith("text/plain; version=0.0.4")
    reply = running.ask("GET", OWN, headers={"Accept": OPENMETRICS})
    assert reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    # A call that has not been counted yet may be on either page only.
    first = {key for key in series(running, OWN) if not key[0].startswith("delphis_call")}
    second = {key for key in series(running, OWN, accept=OPENMETRICS) if not key[0].startswith("delphis_call")}
    assert first == second
    assert all(dict(labels).get("process") in ("core", "alerts", "telemetry") for _, labels in first)


def test_names_follow_the_conventions(running: Up) -> None:
    for family in families(running, OWN):
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge"), family.name
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter"), sample.name


@pytest.mark.apt
def test_promtool_finds_nothing_to_mend(running: Up) -> None:
    if PROMTOOL is None:
        if os.environ.get("CI"):
            pytest.fail("CI lacks what marker 'apt' needs: install prometheus, see .ci/run", pytrace=False)
        pytest.skip("apt: install prometheus, see .ci/run")
    checked = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=running.ask("GET", OWN).text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_counters_grow_with_calls(running: Up) -> None:
    labels = {"process": "core", "method": LIST, "code": "OK"}
    before, seconds = (
        one(running, "delphis_calls_total", **labels),
        one(running, "delphis_call_seconds_total", **labels),
    )
    for _ in range(5):
        running.get("/v1/storages")
    assert one(running, "delphis_calls_total", **labels) >= before + 5
    assert one(running, "delphis_call_seconds_total", **labels) > seconds
    refused = {"process": "core", "method": LIST, "code": "INVALID_ARGUMENT"}
    before = one(running, "delphis_calls_total", **refused)
    assert running.ask("GET", "/v1/storages?limit=x").status == 400
    # What the gateway refuses never becomes a call; what the service refuses does.
    assert running.ask("GET", "/v1/storages?sort=nonsense:asc").status == 400
    assert one(running, "delphis_calls_total", **refused) >= before + 1


def test_syncs_and_hosts_are_counted(running: Up) -> None:
    [array] = running.get("/v1/storages")["storages"]
    before = one(running, "delphis_syncs_total", process="core", outcome="ok")
    running.sync(array["id"])
    assert one(running, "delphis_syncs_total", process="core", outcome="ok") == before + 1
    driver = "dev.delphis.fake-storage"
    deaths = one(running, "delphis_driver_host_deaths_total", process="core", driver=driver)
    [pid] = running.host_pids(driver)
    os.kill(pid, signal.SIGKILL)
    wait_for(
        "a death that is counted",
        lambda: one(running, "delphis_driver_host_deaths_total", process="core", driver=driver) == deaths + 1,
    )


@pytest.mark.slow
def test_a_process_that_does_not_answer_is_shown_and_comes_back(running: Up) -> None:
    began = one(running, "delphis_process_start_time_seconds", process="alerts")
    pid = running.child_pid("alerts")
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for("its absence", lambda: 'delphis_process_up{process="alerts"} 0\n' in running.ask("GET", OWN).text)
        assert one(running, "delphis_process_up", process="telemetry") == 1
        assert not any(("process", "alerts") in labels for name, labels in series(running, OWN) if "_up" not in name)
    finally:
        os.kill(pid, signal.SIGKILL)
    wait_for("its return", lambda: all_up(running), 60)
    assert one(running, "delphis_process_start_time_seconds", process="alerts") > began
    assert one(running, "delphis_relay_connected", process="core", to="alerts") == 1


def test_no_secret_is_told(running: Up) -> None:
    text = running.ask("GET", OWN).text
    assert 'receiver="house"' in text
    assert 'sink="tsdb"' in text
    for secret in ("secret-9c1f", "t0p-s3cret"):
        assert secret not in text


def test_reading_needs_a_token_where_one_is_asked_for(tmp_path: Path) -> None:
    token = make_token(tmp_path, "prometheus", "read")
    with core_alone(tmp_path, "--auth", "token") as guarded:
        assert guarded.ask("GET", OWN).status == 401
        assert guarded.ask("GET", OWN, headers=bearer(token)).status == 200
        text = guarded.ask("GET", OWN, headers=bearer(token)).text
        assert token not in text
