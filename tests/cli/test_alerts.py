"""Alerts from the command line, against a real server, with real traps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.senders import Sender, bindings, v2c
from tests.support.up import Up, up, wait_for

from .conftest import quick

COMMUNITY = "sentinel-c0mm"
ARRAY = "127.0.0.61"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("delphis"), "--trap-listen", "127.0.0.1:0") as started:
        started.wait_traps()
        yield started


@pytest.fixture(scope="module")
def array(running: Up) -> str:
    """An array that lists two alerts, and sends traps."""
    found = running.register(443, host=ARRAY, alert_list="7 Critical Fan failed; 8 Minor Battery old")
    return str(found["id"])


@pytest.fixture(scope="module")
def sender(running: Up) -> Iterator[Sender]:
    (where,) = running.get("/v1/trap-receiver")["listening"]
    sending = Sender(where, ARRAY)
    yield sending
    sending.close()


def run(running: Up, *arguments: str, stdin: str = "", code: int = 0, **environment: str) -> str:
    answer = quick("--server", running.grpc, *arguments, stdin=stdin, **environment)
    assert answer.code == code, answer.err
    return answer.out if code == 0 else answer.err


def listed(running: Up, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(running, "alerts", "list", "-o", "json", *options))["alerts"]
    return found


def test_alerts_from_their_raise_to_their_end(running: Up, array: str, sender: Sender) -> None:
    wait_for("polled alerts", lambda: len(listed(running, "--storage", array)) == 2)
    assert [one["sequence_number"] for one in listed(running, "--severity", "critical")] == ["7"]
    live = listed(running, "--storage", array, "--live")
    assert sorted(one["sequence_number"] for one in live) == ["7", "8"]
    assert all(not one["id"] for one in live)

    def matched() -> list[dict[str, Any]]:
        sender.send(v2c(bindings("4711", severity="Major", description="A disk failed\x1b[2J")))
        return listed(running, "--filter", "sequence_number = 4711")

    (alert,) = wait_for("alert of the trap", matched, interval=0.3)
    id_ = alert["id"]
    assert (alert["origin"], alert["severity"], alert["state"]) == ("trap", "Major", "open")
    table = run(running, "alerts", "list")
    assert "A disk failed\\x1b[2J" in table
    assert "1 acknowledged" in run(running, "alerts", "ack", id_, "--note", "on my way")
    assert "already" in run(running, "alerts", "ack", id_)
    shown = run(running, "alerts", "show", id_)
    assert "on my way" in shown
    assert "raised" in shown.rpartition("WHAT")[2]
    assert "1 no longer acknowledged" in run(running, "alerts", "unack", id_)
    sender.send(v2c(bindings("4711", "clear")))
    wait_for("recovery", lambda: not listed(running, "--filter", f"id = {id_}"))
    (over,) = listed(running, "--cleared", "--filter", f"id = {id_}")
    assert (over["state"], over["cleared_origin"]) == ("cleared", "trap")
    assert "0 acknowledged; 1 already were, or are cleared" in run(running, "alerts", "ack", id_)

    said = run(running, "alerts", "watch", "--from-start", "-o", "json", "--limit", "4", "--filter", f"id = {id_}")
    events = [json.loads(line)["type"] for line in said.splitlines()]
    assert events[0] == "raised"
    assert "acknowledged" in events
    line = run(running, "alerts", "watch", "--from-start", "--limit", "1", "--storage", array)
    assert "raised" in line

    assert "cleared on the array, and 1 here" in run(
        running, "alerts", "clear", "--storage", array, "--sequence-number", "7"
    )
    (left,) = listed(running, "--storage", array, "--live")
    assert left["sequence_number"] == "8"
    (eight,) = listed(running, "--filter", "sequence_number = 8")
    assert "1 cleared" in run(running, "alerts", "clear", eight["id"])
    run(running, "alerts", "poll", array, "--now")
    wait_for("the array's word", lambda: listed(running, "--filter", "sequence_number = 8"))
    assert "Listed:" in run(running, "alerts", "poll", array)


def test_what_goes_wrong_is_said(running: Up, array: str) -> None:
    nobody = "11111111-1111-4111-8111-111111111111"
    assert "delphis alerts list" in run(running, "alerts", "show", nobody, code=5)
    assert "ALERT_NOT_FOUND" in run(running, "alerts", "ack", nobody, code=5)
    assert "--storage together" in run(running, "alerts", "clear", code=2)
    assert "--live" in run(running, "alerts", "list", "--live", code=2)
    assert "alert_name" in run(running, "alerts", "list", "--filter", "colour = red", code=1)
    assert "alert-sources set" in run(running, "alert-sources", "show", array, code=5)
    assert "nothing to change" in run(running, "alerts", "settings", "set", code=2)
    assert "poll_interval" in run(running, "alerts", "settings", "set", "--poll-interval", "1s", code=1)


def test_settings_are_shown_and_changed(running: Up) -> None:
    assert "Poll interval:" in run(running, "alerts", "settings", "show")
    changed = run(running, "alerts", "settings", "set", "--retention", "30d", "--capacity-warning", "0.7", "-o", "json")
    assert json.loads(changed)["retention"] == "2592000s"
    assert "0.7" in run(running, "alerts", "settings", "show")


def test_sources_of_alerts_keep_their_secrets(running: Up, array: str, sender: Sender) -> None:
    """The community decides which traps are taken, and is never shown."""
    set_ = ("alert-sources", "set", array)
    out = run(running, *set_, "--host", ARRAY, "--version", "snmpv2c", DELPHIS_SNMP_COMMUNITY=COMMUNITY)
    listing = run(running, "alert-sources", "list", "-o", "json")
    shown = run(running, "alert-sources", "show", array)
    assert COMMUNITY not in out + listing + shown
    assert json.loads(listing)["snmp_configs"][0]["version"] == "SNMPv2c"
    addresses = json.loads(run(running, "alert-sources", "addresses", array, "-o", "json"))["trap_sources"]
    assert (ARRAY, "snmp_config") in {(one["address"], one["origin"]) for one in addresses}

    def refused() -> bool:
        sender.send(v2c(bindings("1"), community="wrong"))
        traps = json.loads(run(running, "alerts", "unmatched", "--state", "refused", "-o", "json"))["traps"]
        return any(one["source_address"] == ARRAY for one in traps)

    wait_for("refused trap", refused, interval=0.3)
    assert "refused" in run(running, "alerts", "unmatched", "--from", ARRAY)
    assert "Listening:" in run(running, "trap-receiver")
    document = "version: SNMPv3\nusername: me\nsecurity_level: authPriv\nauth_protocol: HMACSHA\n"
    document += f"auth_key: {COMMUNITY}\nprivacy_protocol: AES\nprivacy_key: {COMMUNITY}\n"
    out = run(running, "alert-sources", "set", array, "--file", "-", stdin=document)
    assert "authPriv" in out
    assert COMMUNITY not in out
    assert "removed" in run(running, "alert-sources", "remove", array)
    assert COMMUNITY not in running.log()


def test_receivers_and_silences(running: Up, array: str, tmp_path: Path) -> None:
    file = tmp_path / "receiver.yaml"
    file.write_text(
        f"name: desk\nrules:\n- severities: [Critical, Major]\n- storage_ids: [{array}]\nwebhook:\n"
        "  url: http://127.0.0.1:9/hook\n  signing_key: sentinel-signing-key\n"
        "  headers:\n  - {name: X-Team, value: sentinel-header}\n"
    )
    made = run(running, "receivers", "create", "--file", str(file), "-o", "json")
    assert json.loads(made)["rules"][0]["severities"] == ["Critical", "Major"]
    again = run(running, "receivers", "create", "--file", str(file), code=1)
    assert "receivers update" in again
    text = made + again + run(running, "receivers", "show", "desk") + run(running, "receivers", "list")
    assert "sentinel" not in text
    assert "http://127.0.0.1:9/hook" in text
    assert "RECEIVER_FAILED" in run(running, "receivers", "test", "desk", code=1)
    file.write_text("name: desk\npaused: true\nlog: {}\n")
    assert "paused: true" in run(running, "receivers", "update", "desk", "--file", str(file))

    assert "say which alerts" in run(running, "silences", "add", "--for", "2h", code=2)
    silence = run(running, "silences", "add", "--for", "2h", "--storage", array, "--reason", "moving house").strip()
    assert "moving house" in run(running, "silences", "list")
    wait_for("silence", lambda: listed(running, "--storage", array)[0].get("silenced_by") == [silence])
    assert "ended" in run(running, "silences", "end", silence)
    assert "SILENCE_NOT_FOUND" in run(running, "silences", "end", silence, code=5)
    assert not listed(running, "--storage", array)[0].get("silenced_by")
    assert "removed" in run(running, "receivers", "remove", "desk")
    assert "delphis receivers list" in run(running, "receivers", "show", "desk", code=5)
