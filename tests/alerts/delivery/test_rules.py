"""Which alerts a receiver wants, and what it is told, against plain models."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from delphis.alert.v1 import alert_pb2, delivery_pb2
from delphis.type.v1 import alert_pb2 as type_pb
from services.alerts.delivery.matching import Matcher, Rules
from services.alerts.delivery.standing import Standing, decide
from tests.alerts.delivery.scene import Scene, keys, soon
from tests.alerts.delivery.web import web

_words = st.sampled_from(["a", "b", "c"])
_numbers = st.integers(0, 4)
_alerts = st.fixed_dictionaries(
    {},
    optional={
        "severity": _numbers,
        "category": _numbers,
        "vendor": _words,
        "storage_id": _words,
        "resource_type": _words,
        "alert_id": _words,
        "origin": st.integers(0, 4),
        "labels": st.dictionaries(_words, st.sampled_from(["", "x", "y"]), max_size=3),
    },
)
_some = st.lists(_words, max_size=2)
_matches = st.fixed_dictionaries(
    {},
    optional={
        "severities": st.lists(st.integers(1, 4), max_size=3),
        "categories": st.lists(st.integers(1, 4), max_size=2),
        "vendors": _some,
        "storage_ids": _some,
        "resource_types": _some,
        "alert_ids": _some,
        "labels": st.dictionaries(_words, st.sampled_from(["", "x"]), max_size=2),
        "own": st.booleans(),
    },
)


def model(match: dict[str, Any], alert: dict[str, Any]) -> bool:
    """The contract's words, one by one."""
    lists = {
        "severities": alert.get("severity", 0),
        "categories": alert.get("category", 0),
        "vendors": alert.get("vendor", ""),
        "storage_ids": alert.get("storage_id", ""),
        "resource_types": alert.get("resource_type", ""),
        "alert_ids": alert.get("alert_id", ""),
    }
    for name, value in lists.items():
        if match.get(name) and value not in match[name]:
            return False
    if "own" in match and match["own"] != (alert.get("origin") == alert_pb2.ALERT_ORIGIN_DELPHIS):
        return False
    return bool(match.get("labels", {}).items() <= alert.get("labels", {}).items())


@settings(deadline=None)
@given(match=_matches, alert=_alerts)
def test_a_match_is_what_the_contract_says(match: dict[str, Any], alert: dict[str, Any]) -> None:
    assert Matcher(delivery_pb2.AlertMatch(**match))(alert_pb2.Alert(**alert)) == model(match, alert)


@settings(deadline=None)
@given(matches=st.lists(_matches, max_size=3), alert=_alerts)
def test_one_rule_is_enough_and_none_means_all(matches: list[dict[str, Any]], alert: dict[str, Any]) -> None:
    rules = Rules(delivery_pb2.AlertMatch(**match) for match in matches)
    expected = not matches or any(model(match, alert) for match in matches)
    assert rules(alert_pb2.Alert(**alert)) == expected


@settings(deadline=None)
@given(
    life=st.lists(st.tuples(st.sampled_from([3, 4, 6]), st.booleans(), st.booleans()), max_size=8),
    first=st.tuples(st.booleans(), st.booleans()),
    all_events=st.booleans(),
)
def test_nobody_is_left_with_an_alert_that_is_over(
    life: list[tuple[int, bool, bool]], first: tuple[bool, bool], all_events: bool
) -> None:
    """Whoever was told of an alert is told of its end, and nobody else is."""
    told: list[int] = []
    standing = Standing.UNTOLD
    for type_, wanted, silenced in [(2, *first), *life, (5, False, True)]:
        decision = decide(type_, standing, wanted=wanted, silenced=silenced, all_events=all_events)
        standing = decision.standing
        if decision.tell:
            told.append(type_)
            assert type_ == 5 or not silenced
            assert all_events or type_ in (2, 4, 5)
    assert standing == Standing.UNTOLD
    assert not told or (told[-1] == 5 and len(told) > 1)


async def test_rules_choose(scene: Scene) -> None:
    async with web() as own, web() as major:
        await scene.webhook(own.url, "own", rules=[delivery_pb2.AlertMatch(own=True)])
        rule = delivery_pb2.AlertMatch(severities=[type_pb.SEVERITY_MAJOR], vendors=["acme"])
        await scene.webhook(major.url, "major", rules=[rule])
        await scene.report("a")
        await scene.report("b", severity=type_pb.SEVERITY_MINOR)
        await scene.report("c", storage=None)
        # It was told that it is major, so it is told that it no longer is, and that it is over.
        await scene.report("a", severity=type_pb.SEVERITY_MINOR)
        await scene.report("a", over=True)
        await scene.report("b", severity=type_pb.SEVERITY_MAJOR)
        expected = [("raised", "a"), ("changed", "a"), ("cleared", "a"), ("changed", "b")]
        await soon("events", lambda: keys(major.taken) == expected)
        await soon("event", lambda: keys(own.taken) == [("raised", "c")])
