"""A daemon of a real cluster dies and comes back: an alert, raised and cleared by polls."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.ceph.cluster import CephCluster
from tests.ceph.test_acceptance import registration
from tests.support.up import Up, up, wait_for

pytestmark = [pytest.mark.ceph, pytest.mark.timeout(300)]

RAISED_WITHIN = 15.0
CLEARED_WITHIN = 30.0


def osd_down(delphis: Up, storage_id: str) -> list[dict[str, Any]]:
    """The open alert, if there is one."""
    alerts = delphis.get(f"/v1/storages/{storage_id}/alerts")["alerts"]
    return [alert for alert in alerts if alert["alert_id"] == "OSD_DOWN"]


def test_a_daemon_dies_and_comes_back(tmp_path: Path, ceph_cluster: CephCluster) -> None:
    with up(tmp_path) as delphis:
        assert delphis.ask("PATCH", "/v1/alert-settings", {"poll_interval": "5s"}).status == 200
        reply = delphis.ask("POST", "/v1/storages", registration(ceph_cluster))
        assert reply.status == 201, reply
        storage_id = reply.json["id"]
        delphis.wait_synced(storage_id)
        wait_for("a poll", lambda: delphis.get(f"/v1/storages/{storage_id}/alert-poll")["ended_at"])
        assert osd_down(delphis, storage_id) == []
        began = time.monotonic()
        ceph_cluster.kill_osd(0)
        try:
            left = RAISED_WITHIN - (time.monotonic() - began)
            [alert] = wait_for("the alert", lambda: osd_down(delphis, storage_id), left, 0.2)
            assert (alert["origin"], alert["severity"]) == ("poll", "Warning")
            assert "osd.0" in alert["description"]
        finally:
            ceph_cluster.start_osd(0)
        wait_for("its end", lambda: not osd_down(delphis, storage_id), CLEARED_WITHIN, 0.2)
        over = delphis.get(f"/v1/alerts/{alert['id']}")
        assert (over["state"], over["cleared_origin"]) == ("cleared", "poll")
        ceph_cluster.await_health()
