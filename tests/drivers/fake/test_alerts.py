"""The alerts of a generated array: listed, cleared, and read from its traps."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from delphis.sdk import Alert, Context, Severity, Trap, TrapConfig, VarBind, errors
from drivers.fake_storage.driver import FakeStorageDriver
from tests.drivers.fake.arrays import access_info, connected_to

ENTERPRISE = "1.3.6.1.4.1.8072.9999.8190"


def array(**attributes: str) -> FakeStorageDriver:
    """An array that nobody cleared alerts of yet: what it keeps lies under its storage's id."""
    return connected_to(access_info(attributes, storage_id=str(uuid.uuid4())))


def numbers(driver: FakeStorageDriver, begin: datetime | None = None, end: datetime | None = None) -> list[str]:
    return [alert.sequence_number for alert in driver.list_alerts(Context("s-1"), begin, end)]


def trap(oid: str = f"{ENTERPRISE}.0.1", **bindings: str) -> Trap:
    found = Trap(trap_oid=oid)
    for number, text in bindings.items():
        found.varbinds.append(VarBind(oid=f"{ENTERPRISE}.{number.removeprefix('b')}", octets=text.encode()))
    return found


def parsed(given: Trap) -> Alert | None:
    return FakeStorageDriver.parse_alert(Context("s-1"), given)


def test_it_lists_as_many_as_it_is_told() -> None:
    assert numbers(array()) == []
    driver = array(alerts="3", alert_list="900 Critical A disk failed; x-1")
    assert numbers(driver) == ["100", "101", "102", "900", "x-1"]
    *_, last_but_one, last = driver.list_alerts(Context("s-1"), None, None)
    assert (last_but_one.severity, last_but_one.description) == (Severity.SEVERITY_CRITICAL, "A disk failed")
    assert last.severity == Severity.SEVERITY_MAJOR


def test_it_keeps_to_the_times() -> None:
    driver = array(alerts="4")
    second = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    assert numbers(driver, begin=second) == ["101", "102", "103"]
    assert numbers(driver, end=second) == ["100"]


def test_what_is_cleared_stays_cleared_in_other_sessions() -> None:
    info = access_info({"alerts": "3"}, storage_id=str(uuid.uuid4()))
    connected_to(info).clear_alert(Context("s-1"), "101")
    assert numbers(connected_to(info)) == ["100", "102"]


@pytest.mark.parametrize("text", ["900 Purple", "a b c d", "!"], ids=["severity", "letters", "sign"])
def test_a_bad_list_refuses_the_login(text: str) -> None:
    with pytest.raises(errors.AccessInfoIncomplete, match="alert_list"):
        array(alert_list=text)


def test_a_trap_raises_and_another_clears() -> None:
    raised = parsed(trap(b1="critical", b2="4711", b3="A disk failed", b4="raise"))
    assert raised is not None
    assert (raised.match_key, raised.sequence_number, raised.description) == ("4711", "4711", "A disk failed")
    assert raised.severity == Severity.SEVERITY_CRITICAL
    assert not raised.cleared
    cleared = parsed(trap(b2="4711", b4="clear"))
    assert cleared is not None
    assert (cleared.match_key, cleared.cleared) == ("4711", True)


def test_a_trap_may_name_the_array_and_instances_count_not() -> None:
    given = trap(b2="7")
    given.varbinds.add(oid=f"{ENTERPRISE}.5.0", octets=b"FAKE1")
    found = parsed(given)
    assert found is not None
    assert found.serial_number == "FAKE1"


def test_traps_of_others_and_bad_ones() -> None:
    assert parsed(trap(oid="1.3.6.1.6.3.1.1.5.1", b2="1")) is None
    assert parsed(trap(oid=f"{ENTERPRISE}1", b2="1")) is None
    with pytest.raises(errors.IncompleteTrapInformation):
        parsed(trap(b1="Major"))
    with pytest.raises(errors.InvalidResults, match="neither"):
        parsed(trap(b2="1", b4="perhaps"))


def test_it_remembers_the_receivers_of_its_traps() -> None:
    driver = array()
    for _ in range(2):
        driver.add_trap_config(Context("s-1"), TrapConfig(host="192.0.2.1", port=1162))
    assert driver.get_storage(Context("s-1")).native["trap_receivers"] == "192.0.2.1:1162"
    driver.remove_trap_config(Context("s-1"), TrapConfig(host="192.0.2.1", port=1162))
    assert "trap_receivers" not in driver.get_storage(Context("s-1")).native


def test_it_names_the_sources_of_its_traps_and_its_controllers_addresses() -> None:
    driver = array(trap_sources="192.0.2.7, 192.0.2.8=Controller 0B", mgmt_ips="127.0.0.9")
    sources = [(source.host, source.controller_name) for source in driver.get_alert_sources(Context("s-1"))]
    assert sources == [("192.0.2.7", ""), ("192.0.2.8", "Controller 0B")]
    assert next(iter(driver.list_controllers(Context("s-1")))).mgmt_ip == "127.0.0.9"


def test_faults_of_the_list_of_alerts() -> None:
    driver = array(alerts="4", fail="alerts:unavailable*1; alerts:short@2")
    with pytest.raises(errors.ArrayUnreachable):
        numbers(driver)
    assert numbers(driver) == ["100", "101", "102"]
