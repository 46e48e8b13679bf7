"""Alertmanager: what it is sent, and a real one."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from delphis.alert.v1 import delivery_pb2
from delphis.type.v1 import alert_pb2 as type_pb
from tests.alerts.delivery.scene import Scene, soon
from tests.alerts.delivery.web import Web, answer, web

PROGRAM = shutil.which("prometheus-alertmanager")


def _alerts(site: Web) -> list[list[dict[str, Any]]]:
    return [json.loads(request.body) for request in site.seen]


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


async def test_what_is_open_is_sent_with_an_end_that_is_ahead(scene: Scene) -> None:
    async with web() as site:
        await scene.report("before", description="It was open when the receiver was made.")
        await scene.add("am", alertmanager=delivery_pb2.AlertmanagerReceiver(urls=[site.url], bearer_token="t0ken"))
        await soon("post", lambda: site.seen)
        request = site.seen[0]
        assert (request.method, request.path) == ("POST", "/hook/api/v2/alerts")
        assert request.headers["authorization"] == "Bearer t0ken"
        (alert,) = json.loads(request.body)
        assert alert["labels"]["alertname"] == "Fan failed"
        assert alert["labels"]["match_key"] == "before"
        assert alert["labels"]["label_site"] == "b"
        assert alert["labels"]["severity"] == "Major"
        assert alert["annotations"]["description"] == "It was open when the receiver was made."
        ahead = _time(alert["endsAt"]) - _time(alert["startsAt"])
        assert datetime.timedelta(seconds=230) < ahead < datetime.timedelta(seconds=260)


async def test_an_alert_stays_one_whatever_changes(scene: Scene) -> None:
    async with web() as site:
        receiver = await scene.add("am", alertmanager=delivery_pb2.AlertmanagerReceiver(urls=[site.url]))
        await scene.report("a")
        await scene.until(receiver, "delivery", lambda status: status.delivered == 1)
        await scene.report("a", severity=type_pb.SEVERITY_FATAL, alert_name="Fan is on fire")
        await scene.until(receiver, "delivery", lambda status: status.delivered == 2)
        await scene.report("a", over=True)
        await scene.until(receiver, "delivery", lambda status: status.delivered == 3)
        raised, changed, cleared = (alerts[0] for alerts in _alerts(site))
        assert raised["labels"] == changed["labels"] == cleared["labels"]
        assert raised["startsAt"] == changed["startsAt"] == cleared["startsAt"]
        assert changed["annotations"]["current_severity"] == "Fatal"
        assert _time(cleared["endsAt"]) <= datetime.datetime.now(datetime.UTC)


async def test_each_member_gets_everything_and_none_waits_for_another(scene: Scene) -> None:
    down = True
    async with web() as one, web(lambda request: answer(503 if down else 200)) as two:
        receiver = await scene.add("am", alertmanager=delivery_pb2.AlertmanagerReceiver(urls=[one.url, two.url]))
        await scene.report("a", "b")
        await soon("alerts", lambda: one.seen)
        await scene.report("a", over=True)
        await soon("end", lambda: len(one.seen) == 2)
        status = await scene.until(receiver, "failure", lambda status: status.failures > 1)
        assert status.backlog == 3
        assert status.problem.startswith(two.url)
        down = False
        status = await scene.until(receiver, "recovery", lambda status: status.backlog == 0)
        assert status.failures == 0
        last = {alert["labels"]["match_key"]: alert["endsAt"] for alert in _alerts(two)[-1]}
        assert last.keys() == {"a", "b"}
        assert _time(last["a"]) <= datetime.datetime.now(datetime.UTC) < _time(last["b"])


async def test_open_alerts_are_sent_again_after_a_restart(scene: Scene) -> None:
    down = False
    async with web(lambda request: answer(503 if down else 200)) as site:
        receiver = await scene.add("am", alertmanager=delivery_pb2.AlertmanagerReceiver(urls=[site.url]))
        await scene.report("stays", "ends")
        await scene.until(receiver, "delivery", lambda status: status.delivered == 2)
        down = True
        await scene.report("ends", over=True)
        await scene.until(receiver, "failure", lambda status: status.failures > 0)
        await scene.end()
        down = False
        count = len(site.seen)
        await scene.begin()
        await soon("posts", lambda: len(site.seen) >= count + 2)
        first, second = _alerts(site)[count:]
        assert [alert["labels"]["match_key"] for alert in first] == ["stays"]
        assert [alert["labels"]["match_key"] for alert in second] == ["ends"]
        assert _time(second[0]["endsAt"]) <= datetime.datetime.now(datetime.UTC)


async def test_open_alerts_are_sent_again_and_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.alerts.delivery.alertmanager.DEFAULT_RESEND", 0.2)
    async with web() as site:
        await scene.add("am", alertmanager=delivery_pb2.AlertmanagerReceiver(urls=[site.url]))
        await scene.report("a", "b")
        await soon("posts", lambda: len(site.seen) >= 4)
        await scene.report("a", over=True)
        count = len(site.seen)
        await soon("more posts", lambda: len(site.seen) >= count + 3)
        assert [alert["labels"]["match_key"] for alert in _alerts(site)[-1]] == ["b"]


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    """A real Alertmanager's address."""
    if PROGRAM is None:
        missing = "install prometheus-alertmanager, see .ci/run"
        if os.environ.get("CI"):
            pytest.fail(f"CI lacks what marker 'apt' needs: {missing}", pytrace=False)
        pytest.skip(f"apt: {missing}")
    (tmp_path / "am.yml").write_text("route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    log = (tmp_path / "am.log").open("wb")
    process = subprocess.Popen(
        [
            PROGRAM,
            f"--config.file={tmp_path}/am.yml",
            f"--storage.path={tmp_path}/am",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stdout=log,
        stderr=log,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)
        log.close()


async def _known(url: str) -> list[dict[str, Any]]:
    def ask() -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=60) as reply:
            found: list[dict[str, Any]] = json.load(reply)
        return found

    return await asyncio.to_thread(ask)


@pytest.mark.apt
async def test_a_real_alertmanager_shows_and_resolves(scene: Scene, alertmanager: str) -> None:
    """It may not listen yet when it is told first."""
    receiver = await scene.add("am", alertmanager=delivery_pb2.AlertmanagerReceiver(urls=[alertmanager]))
    await scene.report("a", "b", description="Fan 3 has stopped", sequence_number="7")
    await scene.report("c", storage=None)
    await scene.until(receiver, "delivery", lambda status: status.delivered == 3)
    shown = {alert["labels"]["match_key"]: alert for alert in await _known(alertmanager)}
    assert shown.keys() == {"a", "b", "c"}
    assert shown["a"]["annotations"]["description"] == "Fan 3 has stopped"
    assert shown["a"]["status"]["state"] in ("active", "unprocessed")
    await scene.report("a", severity=type_pb.SEVERITY_FATAL)
    await scene.report("b", over=True)
    await scene.until(receiver, "delivery", lambda status: status.delivered == 5)
    shown = {alert["labels"]["match_key"]: alert for alert in await _known(alertmanager)}
    assert shown.keys() == {"a", "c"}
    assert shown["a"]["annotations"]["current_severity"] == "Fatal"
    # Raised again, it is shown again.
    await scene.report("b")
    await scene.until(receiver, "delivery", lambda status: status.delivered == 6)
    assert {alert["labels"]["match_key"] for alert in await _known(alertmanager)} == {"a", "b", "c"}
