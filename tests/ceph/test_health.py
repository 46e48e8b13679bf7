"""Health checks of a cluster as its alerts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from delphis.sdk import AlertType, Severity
from tests.ceph.dashboard import Recorded, recorded


@pytest.fixture
def cluster() -> Iterator[Recorded]:
    with recorded() as one:
        yield one


def test_what_fails_and_is_not_muted_is_an_alert(cluster: Recorded) -> None:
    [alert] = cluster.driver.list_alerts(cluster.context, None, None)
    assert (alert.alert_id, alert.match_key, alert.sequence_number) == ("OSD_DOWN", "OSD_DOWN", "OSD_DOWN")
    assert (alert.severity, alert.type) == (Severity.SEVERITY_WARNING, AlertType.ALERT_TYPE_EQUIPMENT_ALARM)
    assert alert.description == "1 osds down\nosd.1 (root=default,host=node-a) is down"


def test_a_healthy_cluster_has_none_and_all_is_listed(cluster: Recorded) -> None:
    cluster.dashboard.answers["/api/health/minimal"]["health"]["checks"] = []
    assert list(cluster.driver.list_alerts(cluster.context, None, None)) == []
    assert cluster.driver.lists_all_alerts


def test_errors_are_critical_and_long_details_are_cut(cluster: Recorded) -> None:
    check = cluster.dashboard.answers["/api/health/minimal"]["health"]["checks"][0]
    check.update(severity="HEALTH_ERR", type="OSD_FULL", detail=[{"message": f"osd.{n}"} for n in range(100)])
    [alert] = cluster.driver.list_alerts(cluster.context, None, None)
    assert alert.severity == Severity.SEVERITY_CRITICAL
    assert alert.type == AlertType.ALERT_TYPE_QUALITY_OF_SERVICE_ALARM
    assert alert.description.endswith("osd.19\nand 80 more")
