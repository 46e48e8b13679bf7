"""The disk is full, under traps: nothing that was accepted is lost, all is said, and it goes on by itself."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alerts.fleet import AlertsUp
from tests.alerts.senders import bindings, v2c
from tests.support.up import up, wait_for

pytestmark = pytest.mark.root

HOST = "127.11.7.1"
TRAPS = 1_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MiB."""
    where = tmp_path / "disk"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40M", "tmpfs", where], check=True)
    yield where
    subprocess.run(["umount", where], check=True)


def fill(file: Path) -> None:
    """Takes all room that there is."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while os.write(descriptor, bytes(4096)):
            pass
    os.close(descriptor)


def test_what_was_accepted_outlives_a_full_disk(disk: Path) -> None:
    with up(disk) as running, contextlib.closing(AlertsUp(running)) as delphis:
        array, sender = delphis.array(HOST), delphis.sender(HOST)
        running.wait_synced(array)
        sender.send(v2c(bindings("before")))
        delphis.wait_numbers(array, "before")
        fill(disk / "file")
        for number in range(TRAPS):
            sender.send(v2c(bindings(f"n{number}", description="long " * 100)))
        wait_for("all traps, kept or lost", lambda: delphis.counts()["received"] >= TRAPS + 1)
        assert delphis.counts()["dropped_disk"] > 0
        problem = wait_for("the problem", lambda: running.get("/v1/trap-receiver")["problem"])
        assert "full" in problem or "No space" in problem
        assert delphis.numbers(array) >= {"before"}  # lists go on
        (disk / "file").unlink()
        sender.send(v2c(bindings("after")))
        wait_for("what comes afterwards", lambda: "after" in delphis.numbers(array))
        accepted = delphis.counts()["accepted"]
        assert running.get("/v1/alerts?origin=trap&limit=1&include_total=true")["total_size"] == accepted
        assert not running.get("/v1/trap-receiver")["problem"]

        def told() -> str | None:
            own = running.get("/v1/alerts?origin=delphis&alert_id=delphis.traps_lost&state=open")["alerts"]
            return own[0]["description"] if own else None

        assert "not written: [Errno 28] No space left on device" in wait_for("the alert of our own", told)
    assert running.log().count("can't be written") == 1
