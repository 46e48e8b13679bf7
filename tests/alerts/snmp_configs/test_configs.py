"""SNMP configurations over REST: kept encrypted, told to the array, and whether the array answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.alerts.snmp_configs.merging import Given
from services.alerts.snmp_configs.probe import discovered
from tests.alerts.fleet import AlertsUp
from tests.sdk_snmp.agent import Agent, rfc1902
from tests.support.up import Up, up, wait_for

SYS_DESCR = (1, 3, 6, 1, 2, 1, 1, 1, 0)
V3 = {
    "version": "SNMPv3",
    "username": "monitor",
    "security_level": "authPriv",
    "auth_protocol": "HMACSHA",
    "auth_key": "auth-sentinel",
    "privacy_protocol": "AES",
    "privacy_key": "priv-sentinel",
}


@pytest.fixture(scope="module")
def delphis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertsUp]:
    folder = tmp_path_factory.mktemp("configs")
    with up(folder, "--trap-listen", "127.0.0.1:0") as running, contextlib.closing(AlertsUp(running)) as found:
        yield found


@pytest.fixture
def agent() -> Iterator[Agent]:
    found = Agent({SYS_DESCR: rfc1902.OctetString("an array")})
    yield found
    found.close()


def own(delphis: AlertsUp, storage_id: str, alert_id: str = "19660818") -> list[dict[str, object]]:
    return [alert for alert in delphis.alerts(storage_id) if alert["alert_id"] == alert_id]


def test_it_comes_back_without_secrets(delphis: AlertsUp) -> None:
    array = delphis.array("127.12.0.1")
    path = f"/v1/storages/{array}/snmp-config"
    missing = delphis.up.ask("GET", path)
    assert (missing.status, missing.json["error_code"]) == (404, "AlertSourceNotFound")
    config = delphis.put_config(array, host="127.12.0.1", port=1, **V3)
    assert (config["version"], config["security_level"], config["auth_protocol"]) == ("SNMPv3", "authPriv", "HMACSHA")
    for text in (delphis.up.ask("GET", path).text, delphis.up.ask("GET", "/v1/snmp-configs").text, str(config)):
        assert "sentinel" not in text
    for file in (delphis.up.data_dir).rglob("alerts.db*"):
        assert b"sentinel" not in file.read_bytes()
    assert "sentinel" not in delphis.up.log()
    assert delphis.up.ask("DELETE", path).status == 200
    assert delphis.up.ask("GET", path).status == 404
    assert delphis.up.ask("DELETE", path).status == 404


def test_what_is_wrong_is_named(delphis: AlertsUp) -> None:
    array = delphis.array("127.12.0.2")
    path = f"/v1/storages/{array}/snmp-config"
    reply = delphis.up.ask("PUT", path, {"host": "127.12.0.2", "version": "SNMPv2c"})
    assert (reply.status, reply.json["error_code"]) == (400, "InvalidInput")
    assert "community_string" in reply.json["error_msg"]
    stranger = "6f9b1f0e-4c3a-4f5e-9d55-0d6c7a1c2b3a"
    reply = delphis.up.ask("PUT", f"/v1/storages/{stranger}/snmp-config", {"host": "x", "version": "SNMPv2c"})
    assert (reply.status, reply.json["error_code"]) == (404, "StorageNotFound")


def test_the_array_is_told_where_to_send_its_traps(delphis: AlertsUp) -> None:
    array = delphis.array("127.12.0.3")
    config = {"host": "127.12.0.3", "version": "SNMPv2c", "community_string": "public", "port": 1}
    delphis.up.wait_synced(array)

    def receivers() -> str | None:
        found: str | None = delphis.up.sync(array)["native"].get("trap_receivers")
        return found

    told = delphis.put_config(array, **config, trap_receiver={"host": "192.0.2.1", "port": 1162})
    assert told["trap_receiver_state"] == "configured"
    assert receivers() == "192.0.2.1:1162"
    delphis.put_config(array, trap_receiver={"host": "192.0.2.2"})
    assert receivers() == "192.0.2.2:162"
    assert delphis.up.ask("DELETE", f"/v1/storages/{array}/snmp-config").status == 200
    assert receivers() is None


def test_an_array_that_is_silent_over_snmp_is_an_alert_until_it_answers(delphis: AlertsUp, agent: Agent) -> None:
    array = delphis.array("127.12.0.4")
    config = {"host": "127.0.0.1", "version": "SNMPv2c", "port": agent.port, "expiration": 1, "retry_num": 0}
    delphis.put_config(array, **config, community_string="wrong")
    [alert] = wait_for("the alert", lambda: own(delphis, array))
    assert (alert["alert_name"], alert["severity"], alert["category"]) == ("SNMP connect failed", "Major", "Fault")
    assert (alert["sequence_number"], alert["origin"]) == ("0", "delphis")
    path = f"/v1/storages/{array}/snmp-config"
    assert delphis.up.get(path)["reachability"] == "unreachable"
    delphis.put_config(array, community_string="public")
    wait_for("its end", lambda: not own(delphis, array))
    assert delphis.up.get(path)["reachability"] == "reachable"
    events = delphis.up.get(f"/v1/alerts/{alert['id']}/events")["events"]
    assert [event["type"] for event in events] == ["raised", "cleared"]


@pytest.mark.slow
def test_a_restart_invents_nothing(tmp_path: Path, agent: Agent) -> None:
    """SODA Delfin told of a recovery of each array after every start."""

    def events(running: Up) -> list[str]:
        found: list[str] = [alert["state"] for alert in running.get("/v1/alerts")["alerts"]]
        return found

    with up(tmp_path, "--trap-listen", "127.0.0.1:0") as running, contextlib.closing(AlertsUp(running)) as delphis:
        silent, fine = delphis.array("127.12.0.5"), delphis.array("127.12.0.6")
        config = {"version": "SNMPv2c", "community_string": "public", "expiration": 1, "retry_num": 0}
        delphis.put_config(silent, host="127.12.0.5", port=1, **config)
        delphis.put_config(fine, host="127.0.0.1", port=agent.port, **config)
        [alert] = wait_for("the alert", lambda: own(delphis, silent))
        wait_for("the answer", lambda: running.get(f"/v1/storages/{fine}/snmp-config")["checked_at"])
    with up(tmp_path, "--trap-listen", "127.0.0.1:0") as running, contextlib.closing(AlertsUp(running)) as delphis:
        delphis.put_config(silent, retry_num=1)
        before = running.get(f"/v1/storages/{silent}/snmp-config")["checked_at"]
        assert before is None
        wait_for("a check", lambda: running.get(f"/v1/storages/{silent}/snmp-config")["checked_at"])
        assert events(running) == ["open"]
        assert [event["type"] for event in running.get(f"/v1/alerts/{alert['id']}/events")["events"]] == ["raised"]


def test_nobody_tells_an_engine_id_where_nobody_is() -> None:
    assert discovered("127.12.0.99", 1, 0.2) == ""
    assert Given.__dataclass_fields__["secrets"].repr is False
