"""What an end of the process, however it comes, leaves of alerts."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.alerts.fleet import AlertsUp
from tests.alerts.senders import bindings, v2c
from tests.gateway.support import StreamReader
from tests.support.up import Up, children, up, wait_for

HOSTS = ("127.13.0.1", "127.13.0.10")


def alerts_pid(running: Up) -> int:
    """0 while there is none."""
    pids = [pid for pid, arguments in children(running.process.pid) if "services.app.alerts" in arguments]
    return pids[0] if pids else 0


def watched(running: Up, token: str, count: int) -> tuple[list[tuple[str, str]], str]:
    """What a watch tells of the next so many events, and where it is then."""
    found: list[tuple[str, str]] = []
    port = int(running.rest.rpartition(":")[2])
    with closing(StreamReader(port, f"/v1/alerts:watch?resume_token={token}")) as reader:
        while len(found) < count:
            answer = reader.record()
            found += [(event["type"], event["alert"]["sequence_number"]) for event in answer["events"]]
            token = answer["resume_token"]
    return found, token


@pytest.mark.slow  # tests/alerts/parsing/test_trap_path.py restarts it in mid work
def test_alerts_outlive_the_process_and_one_bad_configuration_harms_no_other(tmp_path: Path) -> None:
    with up(tmp_path, "--trap-listen", "127.0.0.1:0") as running, contextlib.closing(AlertsUp(running)) as delphis:
        first, second = (delphis.array(host) for host in HOSTS)
        for array, host in zip((first, second), HOSTS, strict=True):
            config = {"version": "SNMPv2c", "community_string": "public"}
            delphis.put_config(array, host=host, **config)
        delphis.sender(HOSTS[0]).send(v2c(bindings("1")))
        delphis.sender(HOSTS[1]).send(v2c(bindings("2")))
        delphis.wait_numbers(first, "1")
        delphis.wait_numbers(second, "2")
        before = running.get("/v1/alerts")["alerts"]
        note = {"ids": [before[0]["id"]], "note": "on my way"}
        assert running.ask("POST", "/v1/alerts:acknowledge", note).status == 200
        told, token = watched(running, "start", 3)
        assert sorted(told) == [("acknowledged", told[-1][1]), ("raised", "1"), ("raised", "2")]

        # One configuration can no longer be read, as after a slip of somebody who edits the database.
        pid = alerts_pid(running)
        with closing(sqlite3.connect(running.data_dir / "alerts.db", timeout=60)) as database:
            which = (bytes.fromhex(first.replace("-", "")),)
            (secrets,) = database.execute("SELECT secrets FROM snmp_configs WHERE storage_id = ?", which).fetchone()
            broken = secrets[:-1] + bytes((secrets[-1] ^ 1,))
            database.execute("UPDATE snmp_configs SET secrets = ? WHERE storage_id = ?", (broken, *which))
            database.commit()
        os.kill(pid, signal.SIGKILL)

        def again() -> bool:
            return running.ask("GET", "/v1/alerts").status == 200 and alerts_pid(running) not in {0, pid}

        wait_for("another process", again)
        delphis.restarted()
        after = running.get("/v1/alerts")["alerts"]
        assert [one["id"] for one in after] == [one["id"] for one in before]
        assert {one["acknowledged_by"] for one in after} == {None, "anonymous"}
        delphis.sender(HOSTS[1]).send(v2c(bindings("2", "clear")), v2c(bindings("3")))
        told, _ = watched(running, token, 2)
        assert told == [("cleared", "2"), ("raised", "3")]
        (over,) = running.get("/v1/alerts?state=cleared")["alerts"]
        assert (over["sequence_number"], over["cleared_origin"]) == ("2", "trap")
        assert "can't be read" in running.log()
