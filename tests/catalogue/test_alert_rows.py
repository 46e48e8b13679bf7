"""Alerts of Delfin's REST surface, line by line, against a running `delphis up`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.catalogue import alerts, snmp
from tests.catalogue.rows import Row, params
from tests.catalogue.world import DRIVERS, NOBODY, World, array
from tests.support.up import fake_array, up, wait_for

ALERTS = "1 Critical Fan failed; 2 Minor Battery old; 3 Minor Disk slow"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One array with alerts, one without, and one whose driver knows nothing of them."""
    folder = tmp_path_factory.mktemp("delphis")
    options = ("--drivers", str(DRIVERS), "--trap-listen", "127.0.0.1:0")
    with up(folder, *options) as running, contextlib.closing(World(running)) as built:
        built.names["nobody"] = NOBODY
        built.names["warn"] = built.register(fake_array(9401, alert_list=ALERTS), wait=False)
        built.names["large"] = built.register(fake_array(9402), wait=False)
        built.names["b"] = built.register(array(9403), wait=False)
        wait_for("alerts after the registration", lambda: len(built.items("/v1/storages/{warn}/alerts")) == 3)
        yield built


@pytest.mark.parametrize("row", params(alerts.TABLE))
def test_alerts(world: World, row: Row) -> None:
    row.run(world)


@pytest.mark.parametrize("row", params(snmp.TABLE))
def test_snmp_configs(world: World, row: Row) -> None:
    """Each builds on those before it."""
    row.run(world)


def test_an_alert_is_cleared_on_the_array_and_here(world: World) -> None:
    """The last one: what is cleared on the array stays so."""
    cleared = world.ask("DELETE", "/v1/storages/{warn}/alerts/2")
    assert (cleared.status, cleared.text, cleared.headers.get("content-type")) == (200, "", None)
    for where in ("/v1/storages/{warn}/alerts", "/v1/storages/{warn}/alerts?live=true"):
        assert {one["sequence_number"] for one in world.items(where)} == {"1", "3"}
    (over,) = world.items("/v1/alerts?storage_id={warn}&state=cleared")
    assert (over["sequence_number"], over["cleared_origin"], over["cleared_by"]) == ("2", "operator", "anonymous")
    history = world.items(f"/v1/alerts/{over['id']}/events")
    assert [event["type"] for event in history] == ["raised", "cleared"]
    (one,) = world.items("/v1/alerts?storage_id={warn}&severity=critical")
    for verb, count in (("acknowledge", 1), ("acknowledge", 0), ("unacknowledge", 1), ("clear", 1), ("clear", 0)):
        reply = world.ask("POST", f"/v1/alerts:{verb}", {"ids": [one["id"]], "note": "why"})
        assert (reply.status, len(reply.json["alerts"])) == (200, count), verb
    world.ask("POST", "/v1/storages/{warn}/alerts/sync", {})
    again = wait_for("its return", lambda: world.items("/v1/alerts?storage_id={warn}&severity=critical&state=open"))
    assert again[0]["id"] != one["id"]
