"""Traps become alerts: sent over UDP to a real `delphis up`, read over REST."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import pytest

from tests.alerts.fleet import AlertsUp, write_manifest
from tests.alerts.senders import TRAP_OID, bindings, v1, v2c, v3
from tests.support.up import children, up, wait_for

ENGINE_ID = bytes.fromhex("80001f880400112233")


@pytest.fixture(scope="module")
def delphis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertsUp]:
    folder = tmp_path_factory.mktemp("traps")
    write_manifest(folder / "drivers", "traps", "Traps")
    options = ("--trap-listen", "127.0.0.1:0", "--drivers", str(folder / "drivers"))
    with up(folder, *options) as running, contextlib.closing(AlertsUp(running)) as found:
        yield found


def test_a_trap_raises_another_repeats_another_clears(delphis: AlertsUp) -> None:
    host = "127.11.0.1"
    array, sender = delphis.array(host, mgmt_ips=f"{host},127.11.0.101"), delphis.sender(host)
    delphis.up.wait_synced(array)
    delphis.wait_source(array, "127.11.0.101")
    sender.send(v2c(bindings("4711", severity="Critical", description="A disk failed")))
    delphis.wait_numbers(array, "4711")
    [alert] = delphis.alerts(array)
    assert (alert["severity"], alert["description"], alert["count"]) == ("Critical", "A disk failed", 1)
    assert (alert["origin"], alert["controller_name"]) == ("trap", "Controller 0A")
    sender.send(v2c(bindings("4711", severity="Critical", description="A disk failed")))
    wait_for("a second report", lambda: delphis.alerts(array)[0]["count"] == 2)
    delphis.sender("127.11.0.101").send(v2c(bindings("4711", "clear")))
    delphis.wait_numbers(array)
    cleared = delphis.up.get(f"/v1/alerts/{alert['id']}")
    assert (cleared["state"], cleared["cleared_origin"]) == ("cleared", "trap")


def test_a_poll_does_not_clear_what_only_traps_told(delphis: AlertsUp) -> None:
    host = "127.11.0.2"
    array = delphis.array(host, alerts="2")
    delphis.wait_numbers(array, "100", "101")
    delphis.sender(host).send(v2c(bindings("55")))
    delphis.wait_numbers(array, "100", "101", "55")
    delphis.poll(array)
    assert delphis.numbers(array) == {"100", "101", "55"}
    # On the array somebody clears one that polls listed: the next poll finds it over.
    reply = delphis.up.ask("DELETE", f"/v1/storages/{array}/alerts/100")
    assert reply.status == 200, reply
    delphis.poll(array)
    delphis.wait_numbers(array, "101", "55")


def test_a_trap_that_says_too_little_starts_a_poll(delphis: AlertsUp) -> None:
    host = "127.11.0.3"
    array = delphis.array(host, alerts="1")
    delphis.wait_numbers(array, "100")
    first = delphis.up.get(f"/v1/storages/{array}/alert-poll")["started_at"]
    delphis.sender(host).send(v2c({"1": "Major"}))
    wait_for("another poll", lambda: delphis.up.get(f"/v1/storages/{array}/alert-poll")["started_at"] != first)


def test_strangers_are_kept_as_unmatched(delphis: AlertsUp) -> None:
    delphis.sender("127.11.9.1").send(v2c(bindings("1")))
    trap = delphis.wait_kept("unmatched", "127.11.9.1")
    assert trap["storage_id"] is None
    assert trap["trap"]["trap_oid"] == TRAP_OID
    assert "127.11.9.1" in trap["problem"]


def test_the_address_must_be_the_same_not_begin_the_same(delphis: AlertsUp) -> None:
    """In SODA Delfin a trap from 127.0.0.1 was booked on the array at 127.0.0.10."""
    array = delphis.array("127.11.0.40")
    delphis.sender("127.11.0.4").send(v2c(bindings("1")))
    delphis.wait_kept("unmatched", "127.11.0.4")
    assert delphis.numbers(array) == set()


def test_a_wrong_community_is_refused_and_the_right_one_taken(delphis: AlertsUp) -> None:
    host = "127.11.0.5"
    array, sender = delphis.array(host), delphis.sender(host)
    delphis.put_config(array, host=host, version="SNMPv2c", community_string="right-3f1c", port=1)
    sender.send(v2c(bindings("1"), community="wrong"), v2c(bindings("2"), community="right-3f1c"))
    delphis.wait_numbers(array, "2")
    trap = delphis.wait_kept("refused", host)
    assert trap["storage_id"] == array
    assert "community" in trap["problem"]
    assert "right-3f1c" not in str(trap)


def test_what_is_no_snmp_is_counted_and_kept_out(delphis: AlertsUp) -> None:
    host = "127.11.0.6"
    array, sender = delphis.array(host), delphis.sender(host)
    before = sum(count for name, count in delphis.counts().items() if name.startswith("refused_"))
    sender.send(b"\x30\x05hello", b"", v2c(bindings("1"))[:-3], b"\xff" * 1400, v2c(bindings("2")))
    delphis.wait_numbers(array, "2")
    after = sum(count for name, count in delphis.counts().items() if name.startswith("refused_"))
    assert after - before >= 3


def test_several_arrays_at_an_address_are_told_apart_by_serial(delphis: AlertsUp) -> None:
    host = "127.11.0.7"
    first, second = delphis.array(host, array="a"), delphis.array(host, array="b")
    serial = delphis.up.get(f"/v1/storages/{second}")["serial_number"]
    sender = delphis.sender(host)
    sender.send(v2c(bindings("1")), v2c(bindings("2", serial=serial)))
    delphis.wait_numbers(second, "2")
    trap = delphis.wait_kept("ambiguous", host)
    assert set(trap["candidates"]) == {first, second}
    assert delphis.numbers(first) == set()


def test_a_relay_is_trusted_where_the_configuration_says_so(delphis: AlertsUp) -> None:
    host, relay = "127.11.0.8", "127.11.9.8"
    array, sender = delphis.array(host), delphis.sender(relay)
    config = {"host": host, "version": "SNMPv1", "community_string": "public", "port": 1}
    delphis.put_config(array, **config)
    sender.send(v1(bindings("1"), agent=host))
    delphis.wait_kept("unmatched", relay)
    delphis.put_config(array, **config, trust_agent_address=True)
    sender.send(v1(bindings("2"), agent=host))
    delphis.wait_numbers(array, "2")


def test_two_arrays_with_the_same_user_of_snmpv3(delphis: AlertsUp) -> None:
    hosts = ("127.11.0.9", "127.11.0.10")
    arrays = [delphis.array(host) for host in hosts]
    for array, host in zip(arrays, hosts, strict=True):
        user = {"version": "SNMPv3", "username": "monitor", "security_level": "noAuthnoPriv"}
        delphis.put_config(array, host=host, port=1, **user)
    for number, host in enumerate(hosts):
        delphis.sender(host).send(v3(bindings(f"n{number}"), user="monitor", engine_id=ENGINE_ID + bytes([number])))
    for number, array in enumerate(arrays):
        delphis.wait_numbers(array, f"n{number}")
    assert delphis.up.ask("DELETE", f"/v1/storages/{arrays[0]}/snmp-config").status == 200
    delphis.sender(hosts[1]).send(v3(bindings("still"), user="monitor", engine_id=ENGINE_ID + b"\1"))
    delphis.wait_numbers(arrays[1], "n1", "still")
    delphis.sender(hosts[0]).send(v3(bindings("no more"), user="monitor", engine_id=ENGINE_ID + b"\0"))
    delphis.wait_kept("refused", hosts[0])


def test_what_the_driver_cannot_read_is_kept(delphis: AlertsUp) -> None:
    host = "127.11.0.11"
    array, sender = delphis.array(host), delphis.sender(host)
    sender.send(v2c(bindings("1"), trap_oid="1.3.6.1.6.3.1.1.5.1"), v2c(bindings("2")))
    delphis.wait_numbers(array, "2")
    trap = delphis.wait_kept("unparsed", host)
    assert trap["storage_id"] == array
    assert "doesn't know" in trap["problem"]


def test_a_trap_that_ends_the_driver_each_time_harms_no_other(delphis: AlertsUp) -> None:
    hosts = ("127.11.0.12", "127.11.0.13")
    arrays = []
    for host in hosts:
        rest = {"host": host, "port": 1, "username": "u", "password": "p"}
        reply = delphis.up.ask("POST", "/v1/storages", {"vendor": "bad", "model": "traps", "rest": rest})
        assert reply.status == 201, reply
        arrays.append(reply.json["id"])
        delphis.wait_source(arrays[-1], host)
    before = [v2c(bindings(f"before-{number}")) for number in range(20)]
    after = [v2c(bindings(f"after-{number}")) for number in range(20)]
    delphis.sender(hosts[0]).send(*before, v2c(bindings("crash")), v2c(bindings("raise-1")), *after)
    delphis.sender(hosts[1]).send(v2c(bindings("other")))
    delphis.wait_numbers(arrays[1], "other")
    wanted = {f"{when}-{number}" for when in ("before", "after") for number in range(20)}
    delphis.wait_numbers(arrays[0], *wanted, timeout=60)
    unparsed = [trap for trap in delphis.kept("unparsed") if trap["storage_id"] == arrays[0]]
    assert len(unparsed) == 2
    assert any("ends at it each time" in trap["problem"] for trap in unparsed)
    # Its syncs are not held back because of its traps.
    quarantined = delphis.up.get("/v1/quarantines")["quarantines"]
    assert arrays[0] not in {one["storage_id"] for one in quarantined}


def test_a_driver_that_is_killed_delays_traps_and_loses_none(delphis: AlertsUp) -> None:
    host = "127.11.0.14"
    array, sender = delphis.array(host), delphis.sender(host)
    wanted = [str(number) for number in range(300)]
    for place, number in enumerate(wanted):
        sender.send(v2c(bindings(number)))
        if place in (50, 150):
            for pid in delphis.up.host_pids("fake-storage"):
                os.kill(pid, signal.SIGKILL)
    delphis.wait_numbers(array, *wanted, timeout=60)


def test_a_restart_in_mid_work_loses_and_doubles_nothing(delphis: AlertsUp) -> None:
    host = "127.11.0.15"
    array, sender = delphis.array(host), delphis.sender(host)
    wanted = [str(number) for number in range(400)]
    pid = delphis.pid()
    for number in wanted:
        sender.send(v2c(bindings(number)))
    wait_for("all of them in the spool", lambda: delphis.counts()["received"] >= len(wanted))
    os.kill(pid, signal.SIGKILL)
    wait_for("another alerts process", lambda: pid not in (one for one, _ in children(delphis.up.process.pid)))
    delphis.restarted()
    delphis.wait_numbers(array, *wanted, timeout=60)
    assert {alert["count"] for alert in delphis.alerts(array)} == {1}


def test_traps_of_a_removed_array_become_unmatched(delphis: AlertsUp) -> None:
    host = "127.11.0.16"
    array, sender = delphis.array(host), delphis.sender(host)
    sender.send(v2c(bindings("1")))
    delphis.wait_numbers(array, "1")
    alert = delphis.alerts(array)[0]["id"]
    assert delphis.up.ask("DELETE", f"/v1/storages/{array}").status == 202
    wait_for("the end of its alerts", lambda: delphis.up.get(f"/v1/alerts/{alert}")["state"] == "cleared")
    delphis.sender(host).send(v2c(bindings("2")))
    delphis.wait_kept("unmatched", host)
