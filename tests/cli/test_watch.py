"""`watch` and `changes`: what happens on the arrays, live, with nothing lost when it goes on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.up import Up, wait_for

from .conftest import COMMAND, delphis_many


@pytest.mark.slow
def test_a_watch_is_live_and_loses_nothing_when_it_or_the_server_goes_away(tmp_path: Path) -> None:
    started, place = Up(tmp_path), tmp_path / "place"
    options = ["--server", started.grpc, "watch", "-o", "json", "--kind", "storage", "--state-file", str(place)]
    try:
        with watching(*options) as watch:
            wait_for("place of the watch", lambda: place.exists())
            began = place.read_text()
            first = started.register(1, volumes="2")["id"]
            assert said(watch) == ("registered", first)
            wait_for("new place", lambda: place.read_text() != began)
            watch.send_signal(signal.SIGINT)
            assert watch.wait(60) == 130
            assert watch.stderr is not None
            assert "Traceback" not in watch.stderr.read()
        second = started.register(2, volumes="2")["id"]
        whole, listed = delphis_many(
            ["--server", started.grpc, "watch", "--from-start", "--limit", "2", "--kind", "storage"],
            ["--server", started.grpc, "changes", "list", "-o", "json", "--kind", "storage"],
        )
        assert whole.out.count("registered") == 2
        assert "To go on from here: delphis watch --resume " in whole.err
        assert {change["storage_id"] for change in json.loads(listed.out)["changes"]} == {first, second}

        with watching(*options, "--limit", "2") as watch:
            assert said(watch) == ("registered", second)
            started.stop()
            assert watch.stderr is not None
            assert "trying again" in watch.stderr.readline()
            again = Up(tmp_path, "--grpc-listen", started.grpc)
            try:
                third = again.register(3, volumes="2")["id"]
                assert said(watch) == ("registered", third)
                assert watch.wait(60) == 0
            finally:
                again.stop()
    finally:
        started.stop()


def said(watch: subprocess.Popen[str]) -> tuple[str, str]:
    """Type and storage of the next change."""
    assert watch.stdout is not None
    change = json.loads(watch.stdout.readline())
    return change["type"], change["storage_id"]


@contextlib.contextmanager
def watching(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as watch:
        try:
            yield watch
        finally:
            watch.kill()
