"""Receivers and silences over REST, in a real `delphis up`."""

from __future__ import annotations

import asyncio
import datetime
import json
from pathlib import Path

from tests.alerts.delivery.web import web
from tests.support.up import Up


async def test_receivers_and_silences_over_rest(tmp_path: Path) -> None:
    async with web() as site:
        await asyncio.to_thread(_try, tmp_path, site.url)
        (told,) = json.loads(site.seen[1].body)
        assert told["generatorURL"].startswith("https://delphis.example.org/storage/v1/alerts/")
        assert site.taken[0]["alert"]["alert_id"] == "delphis.test"
        assert site.seen[0].headers["delphis-signature"].startswith("sha256=")


def _try(folder: Path, url: str) -> None:
    up = Up(folder, "--trap-listen", "127.0.0.1:0", "--public-url", "https://delphis.example.org/storage/")
    try:
        up.wait_traps()
        receiver = {
            "name": "pager",
            "rules": [{"severities": ["Fatal", "Critical", "Major"]}],
            "webhook": {"url": url, "signing_key": "at-least-sixteen-characters"},
        }
        made = up.ask("POST", "/v1/alert-receivers", receiver)
        assert made.status == 201, made.text
        assert "sixteen" not in made.text
        assert made.json["rules"][0]["severities"] == ["Fatal", "Critical", "Major"]
        assert made.json["status"]["backlog"] == 0
        path = f"/v1/alert-receivers/{made.json['id']}"
        tested = up.ask("POST", f"{path}:test")
        assert tested.status == 200, tested.text
        manager = up.ask("POST", "/v1/alert-receivers", {"name": "am", "alertmanager": {"urls": [url]}})
        tested = up.ask("POST", f"/v1/alert-receivers/{manager.json['id']}:test")
        assert tested.status == 200, tested.text
        assert up.ask("DELETE", f"/v1/alert-receivers/{manager.json['id']}").status == 200
        changed = up.ask("PUT", path, {**receiver, "name": "beeper", "webhook": {"url": url}})
        assert changed.json["name"] == "beeper", changed.text
        assert [found["name"] for found in up.ask("GET", "/v1/alert-receivers").json["receivers"]] == ["beeper"]
        refused = up.ask("POST", "/v1/alert-receivers", {"name": "beeper", "log": {}})
        assert (refused.status, refused.json["error_code"]) == (400, "ReceiverAlreadyExists")
        ends_at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=4)
        silence = {"match": {"labels": {"site": "berlin"}}, "ends_at": ends_at.strftime("%Y-%m-%dT%H:%M:%S.%f")}
        held = up.ask("POST", "/v1/silences", silence)
        assert held.status == 201, held.text
        assert up.ask("DELETE", f"/v1/silences/{held.json['id']}").status == 200
        assert up.ask("GET", "/v1/silences").json["silences"] == []
        assert up.ask("DELETE", path).status == 200
        assert up.ask("GET", path).json["error_code"] == "ReceiverNotFound"
    finally:
        up.stop()
