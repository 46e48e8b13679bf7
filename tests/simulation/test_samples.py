"""All samples of vendors, read and replayed. They are not part of the checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from delphis.sdk.recording import files
from delphis.sdk.simulation.replay import ReplayServer

VENDORS = Path(__file__).resolve().parents[3] / "shared" / "vendors"
FOLDERS = sorted(path.parent for path in VENDORS.glob("*/samples/index.json"))
MARK = pytest.mark.skipif(not FOLDERS, reason=f"{VENDORS} is absent: there are no samples of vendors here")


@MARK
@pytest.mark.parametrize("folder", FOLDERS or [VENDORS], ids=[folder.parent.name for folder in FOLDERS] or ["none"])
def test_samples(folder: Path) -> None:
    entries: list[dict[str, Any]] = json.loads((folder / "index.json").read_text())
    recording = files.read(folder)
    over_http = [entry for entry in entries if entry["method"] not in ("SSH", "CLI", "SCP", "SFTP", "SFTP-LIST")]
    assert len(recording.http) == len(over_http)
    assert len(recording.commands) == sum(entry["method"] in ("SSH", "CLI") for entry in entries)
    with ReplayServer(recording) as server, requests.Session() as session:
        for entry in recording.http:
            if entry.scenario not in ("", "default"):
                continue
            headers = {name: text.replace("*", "c2ltdWxhdGVk") for name, text in entry.needs}
            body = None if entry.body is None else entry.body.replace('"*"', '"7"')
            url = server.url + entry.path.replace("*", "x")
            answer = session.request(
                entry.method, url, params=list(reversed(entry.query)), headers=headers, data=body, timeout=60
            )
            same = [each for each in recording.http if (each.method, each.path) == (entry.method, entry.path)]
            assert (answer.status_code, answer.content) in [(each.status, each.answer) for each in same]
            session.cookies.clear()


@pytest.mark.parametrize("text", ["{}", "[1]", '[{"method": "GET"}]', "nothing"])
def test_what_is_no_recording(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(files.RecordingError, match=r"index\.json"):
        files.read(tmp_path)


def test_samples_without_a_checkout_of_them(tmp_path: Path) -> None:
    index = [
        {
            "method": "GET",
            "path": "/a/{id}",
            "query": "x=1&y=2",
            "body": None,
            "response_file": "a.json",
            "status": 200,
        },
        {
            "method": "GET",
            "path": "/a/{id}",
            "query": "x=1&y=2",
            "response_file": None,
            "status": 503,
            "scenario": "bad",
        },
        {"method": "POST", "path": "/login", "body": {"user": "<u>", "password": "<p>"}, "status": 201},
        {"method": "POST", "path": "/q", "body": {"from": "*", "of": "pool"}, "response_file": "a.json", "status": 200},
        {"method": "POST", "path": "/q", "body": {"from": "*", "of": "disk"}, "status": 204},
        {"method": "SSH", "command": "show", "response_file": "a.json", "status": 0, "preamble": "enter"},
    ]
    (tmp_path / "index.json").write_text(json.dumps(index))
    (tmp_path / "a.json").write_text('{"a": 1}')
    recording = files.read(tmp_path)
    assert recording.commands[0].after == ("enter",)
    with ReplayServer(recording) as server:
        assert requests.get(f"{server.url}/a/7?y=2&x=1", timeout=60).json() == {"a": 1}
        assert requests.get(f"{server.url}/a/7?y=2", timeout=60).status_code == 404
        assert requests.get(f"{server.url}/a/7/8?y=2&x=1", timeout=60).status_code == 404
        assert requests.post(f"{server.url}/login", json={"user": "a", "password": "b"}, timeout=60).status_code == 201
        for of, status in (("pool", 200), ("disk", 204), ("fan", 404)):
            assert requests.post(f"{server.url}/q", json={"of": of, "from": 3}, timeout=60).status_code == status
    with ReplayServer(recording, scenario="bad") as server:
        assert requests.get(f"{server.url}/a/7?y=2&x=1", timeout=60).status_code == 503
