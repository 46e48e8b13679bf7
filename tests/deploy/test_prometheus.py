"""deploy/prometheus and deploy/grafana ask for what a running Delphis tells."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.observing.conftest import running
from tests.observing.pages import ARRAYS, OWN, names
from tests.support.up import Up, wait_for

__all__ = ["running"]

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
PROGRAM, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
_NAME = re.compile(r"\bdelphis_[a-z_]+\b")
_LABELS = re.compile(r'\{[^}]*\}|"[^"]*"')


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries(dashboard: Path) -> list[str]:
    panels = json.loads(dashboard.read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def asked(expression: str) -> set[str]:
    """The names of series in an expression."""
    return set(_NAME.findall(_LABELS.sub("", expression)))


@pytest.fixture
def tools() -> tuple[str, str]:
    if PROGRAM is None or PROMTOOL is None:
        if os.environ.get("CI"):
            pytest.fail("CI lacks what marker 'apt' needs: install prometheus, see .ci/run", pytrace=False)
        pytest.skip("apt: install prometheus, see .ci/run")
    return PROGRAM, PROMTOOL


def test_every_name_is_one_that_is_told(running: Up) -> None:
    told = names(running, OWN) | names(running, ARRAYS)
    wanted = {rule["alert"]: asked(rule["expr"]) for rule in rules()}
    wanted |= {f"{path.name}: {query}": asked(query) for path in DASHBOARDS for query in queries(path)}
    assert {where: unknown for where, found in wanted.items() if (unknown := found - told)} == {}
    # A rule about nothing of ours would be found by no check above.
    assert [alert for alert, found in wanted.items() if not found] == ["DelphisDown"]


def test_rules_say_what_to_do() -> None:
    found = rules()
    assert len({rule["alert"] for rule in found}) == len(found)
    for rule in found:
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]


def test_dashboards_are_their_own() -> None:
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS]
    assert len({board["uid"] for board in boards}) == len(boards) == 3
    for board in boards:
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
        assert len(set(places)) == len(places)


@pytest.mark.apt
def test_promtool_accepts_rules_and_configuration(tools: tuple[str, str]) -> None:
    for what, name in (("rules", "rules.yml"), ("config", "prometheus.yml")):
        checked = subprocess.run(
            [tools[1], "check", what, str(DEPLOY / "prometheus" / name)], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture
def prometheus(tools: tuple[str, str], running: Up, tmp_path: Path) -> Iterator[str]:
    """A real Prometheus with our configuration, which scrapes every second; its address."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    for job in config["scrape_configs"]:
        job.pop("scrape_timeout", None)
        job["static_configs"] = [{"targets": [running.rest.removeprefix("http://")]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(RULES, tmp_path / "rules.yml")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                tools[0],
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def answer(prometheus: str, query: str) -> list[Any]:
    url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=60) as reply:
        found: list[Any] = json.load(reply)["data"]["result"]
    return found


def has_data(prometheus: str, query: str) -> bool:
    try:
        return bool(answer(prometheus, query))
    except urllib.error.URLError:  # it is not up yet, or not ready
        return False


@pytest.mark.apt
@pytest.mark.timeout(300)
def test_a_real_prometheus_has_data_for_every_query(running: Up, prometheus: str) -> None:
    [array] = running.get("/v1/storages")["storages"]
    shown = [
        query.replace("$__rate_interval", "30s").replace("$storage", array["id"])
        for path in DASHBOARDS
        for query in queries(path)
    ]
    # A rule that finds something is an alarm: of rules, the series that they look at are asked for.
    looked_at = sorted({name for rule in rules() for name in asked(rule["expr"])})
    for query in [*shown, *looked_at, 'up{job="delphis"} == 1', 'up{job="delphis-arrays"} == 1']:
        wait_for(f"data for {query}", lambda query=query: has_data(prometheus, query), 60, 0.2)  # type: ignore[misc]
    with urllib.request.urlopen(f"{prometheus}/api/v1/rules", timeout=60) as reply:
        groups = json.load(reply)["data"]["groups"]
    evaluated = [rule for group in groups for rule in group["rules"]]
    assert len(evaluated) == len(rules())
    assert [rule["name"] for rule in evaluated if rule["health"] == "err"] == []
