"""What Delphis itself notices becomes an alert once, and ends once, also over restarts."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.alerts.fleet import AlertsUp
from tests.support.up import Up, fake_array, up, wait_for


@pytest.fixture(scope="module")
def delphis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertsUp]:
    folder = tmp_path_factory.mktemp("own")
    with up(folder, "--trap-listen", "127.0.0.1:0") as running, contextlib.closing(AlertsUp(running)) as found:
        reply = running.ask("PATCH", "/v1/alert-settings", {"poll_interval": "5s", "sync_failures": 2})
        assert reply.status == 200, reply
        yield found


def own(delphis: AlertsUp, storage_id: str, kind: str) -> list[dict[str, Any]]:
    return [alert for alert in delphis.alerts(storage_id) if alert["alert_id"] == f"delphis.{kind}"]


def wait_own(delphis: AlertsUp, storage_id: str, kind: str) -> dict[str, Any]:
    [alert] = wait_for(kind, lambda: own(delphis, storage_id, kind), 60)
    return alert


def wait_over(delphis: AlertsUp, storage_id: str, kind: str) -> None:
    wait_for(f"end of {kind}", lambda: not own(delphis, storage_id, kind), 60)


def change(running: Up, storage_id: str, host: str, **extra: str) -> None:
    """Changes what the generated array is like."""
    body = fake_array(1, host=host, **extra)
    wanted = {"rest": body["rest"], "extra_attributes": body["extra_attributes"]}
    reply = running.ask("PUT", f"/v1/storages/{storage_id}/access-info", wanted)
    assert reply.status == 200, reply


def look(running: Up, storage_id: str) -> None:
    """Has the storage looked at now: how its last sync ended would else be seen within half a minute."""
    reply = running.ask("PATCH", f"/v1/storages/{storage_id}", {"labels": {"looked": "at"}})
    assert reply.status == 200, reply


def events(delphis: AlertsUp, alert: dict[str, Any]) -> list[str]:
    return [event["type"] for event in delphis.up.get(f"/v1/alerts/{alert['id']}/events")["events"]]


@pytest.mark.slow
def test_an_array_that_polls_do_not_reach(delphis: AlertsUp) -> None:
    host = "127.13.0.1"
    array = delphis.array(host, fail="alerts:unavailable")
    alert = wait_own(delphis, array, "array_unreachable")
    assert (alert["severity"], alert["type"], alert["origin"]) == ("Major", "CommunicationsAlarm", "delphis")
    poll = delphis.up.get(f"/v1/storages/{array}/alert-poll")
    assert poll["error_code"] == "ArrayUnreachable"
    change(delphis.up, array, host, fail="")
    wait_over(delphis, array, "array_unreachable")
    assert events(delphis, alert) == ["raised", "cleared"]


def test_another_array_at_the_address(delphis: AlertsUp) -> None:
    array = delphis.array("127.13.0.2", fail="storage:serial@3")
    delphis.up.wait_synced(array)
    while not delphis.up.get(f"/v1/storages/{array}")["pending_serial_number"]:
        delphis.up.ask("POST", f"/v1/storages/{array}/sync")
        delphis.up.wait_synced(array)
    assert wait_own(delphis, array, "serial_changed")["severity"] == "Critical"


def test_full_pools_and_a_full_array(delphis: AlertsUp) -> None:
    array = delphis.array("127.13.0.3")
    storage = delphis.up.wait_synced(array)
    share = storage["used_capacity"] / storage["total_capacity"]
    assert 0 < share < 0.8
    reply = delphis.up.ask("PATCH", "/v1/alert-settings", {"capacity_warning": share / 2, "capacity_critical": 0.99})
    assert reply.status == 200, reply
    assert wait_own(delphis, array, "array_capacity")["severity"] == "Warning"
    pools = wait_for("full pools", lambda: own(delphis, array, "pool_capacity"))
    assert {alert["resource_type"] for alert in pools} == {"storage_pool"}
    assert all(alert["native_resource_id"] for alert in pools)
    reply = delphis.up.ask("PATCH", "/v1/alert-settings", {"capacity_warning": 0.98})
    assert reply.status == 200, reply
    wait_over(delphis, array, "array_capacity")
    wait_over(delphis, array, "pool_capacity")


def test_a_kind_that_lacks_too_much(delphis: AlertsUp) -> None:
    array = delphis.array("127.13.0.4", fail="volumes:empty@2")
    delphis.up.wait_synced(array)
    delphis.up.sync(array)
    look(delphis.up, array)
    alert = wait_own(delphis, array, "suspicious")
    assert "volumes are missing" in alert["description"]
    delphis.up.ask("POST", f"/v1/storages/{array}:accept-removals", {"kind": "volume"})


def test_syncs_that_fail_in_a_row(delphis: AlertsUp) -> None:
    array = delphis.array("127.13.0.5", fail="storage:error@2")
    delphis.up.wait_synced(array)
    delphis.up.sync(array)
    delphis.up.sync(array)
    look(delphis.up, array)
    alert = wait_own(delphis, array, "sync_failing")
    assert "The last 2 syncs failed." in alert["description"]


def test_a_restart_raises_nothing_twice_and_clears_nothing(delphis: AlertsUp) -> None:
    host = "127.13.0.6"
    array = delphis.array(host, fail="alerts:unavailable")
    alert = wait_own(delphis, array, "array_unreachable")
    os.kill(delphis.pid(), signal.SIGKILL)
    delphis.restarted()
    started = delphis.up.get(f"/v1/storages/{array}/alert-poll")["started_at"]
    wait_for("a poll", lambda: delphis.up.get(f"/v1/storages/{array}/alert-poll")["started_at"] != started, 60)
    assert events(delphis, alert) == ["raised"]
    assert [found["id"] for found in own(delphis, array, "array_unreachable")] == [alert["id"]]
