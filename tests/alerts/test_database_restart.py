"""PostgreSQL starts again under traps: what was accepted becomes an alert."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import psycopg
import pytest

from tests.alerts.fleet import AlertsUp
from tests.alerts.senders import bindings, v2c
from tests.support.postgres import Cluster
from tests.support.stores import postgres_cluster
from tests.support.up import up, wait_for

__all__ = ["postgres_cluster"]

pytestmark = pytest.mark.postgres

HOST = "127.11.6.1"
TRAPS = 600


def crash(url: str) -> None:
    """Kills one of the server's processes: the server then ends all others, and recovers."""
    with psycopg.connect(url) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        with contextlib.suppress(psycopg.OperationalError):
            connection.execute("SELECT pg_sleep(10)")


def test_what_was_accepted_outlives_its_database(tmp_path: Path, postgres_cluster: Cluster) -> None:
    url = postgres_cluster.new_database()
    with up(tmp_path, "--database", url) as running, contextlib.closing(AlertsUp(running)) as delphis:
        array, sender = delphis.array(HOST), delphis.sender(HOST)
        running.wait_synced(array)
        for number in range(TRAPS):
            sender.send(v2c(bindings(f"n{number}")))
            time.sleep(0.002)
            if number in (100, 350):
                crash(url)
        assert delphis.counts()["accepted"] == TRAPS
        wanted = {f"n{number}" for number in range(TRAPS)}

        def stored() -> bool:
            reply = running.ask("GET", f"/v1/storages/{array}/alerts")
            return reply.status == 200 and {one["sequence_number"] for one in reply.json["alerts"]} >= wanted

        wait_for("all that was accepted", stored, 60, 0.2)
        assert {alert["count"] for alert in delphis.alerts(array) if alert["origin"] == "trap"} == {1}
