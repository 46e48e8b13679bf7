"""Alerts of storages, where Delfin has them, and of the fleet."""

from __future__ import annotations

from typing import Any

from tests.catalogue.rows import Row
from tests.catalogue.world import World
from tests.support.up import Reply

BAD = (400, "InvalidInput")
OF_WARN = "GET /v1/storages/{warn}/alerts"
SYNC = "POST /v1/storages/{warn}/alerts/sync"
FIELDS = {
    "storage_id": str,
    "storage_name": str,
    "vendor": str,
    "model": str,
    "serial_number": str,
    "alert_id": str,
    "alert_name": str,
    "severity": str,
    "category": str,
    "type": str,
    "sequence_number": str,
    "occur_time": int,
    "description": str,
    "resource_type": str,
}
"""What Delfin's alerts have, as far as the array says it."""
UNSAID = ("recovery_advice", "location")
TEXTS = {
    "severity": {"Fatal", "Critical", "Major", "Minor", "Warning", "Informational", "NotSpecified"},
    "category": {"Fault", "Event", "Recovery", "NotSpecified"},
}


def _typed(world: World, alert: dict[str, Any]) -> None:
    assert {name: type(alert[name]) for name in FIELDS} == FIELDS
    assert all(alert[name] is None for name in UNSAID)
    assert all(alert[name] in texts for name, texts in TEXTS.items())
    assert alert["occur_time"] > 10**12  # milliseconds
    assert alert["storage_id"] == world.names["warn"]


def _stored(world: World, reply: Reply) -> None:
    for alert in reply.json["alerts"]:
        _typed(world, alert)
        assert (alert["state"], alert["origin"], alert["acknowledged"]) == ("open", "poll", False)
        assert alert["id"]
        assert alert["cleared_at"] is None


def _live(world: World, reply: Reply) -> None:
    for alert in reply.json["alerts"]:
        _typed(world, alert)
        assert not alert["id"]


def _of_the_time(_: World, reply: Reply) -> None:
    assert reply.json["alerts"] == []


READS = [
    Row("stored", OF_WARN, key="alerts", count=3, check=_stored),
    Row("live", f"{OF_WARN}?live=true", key="alerts", count=3, check=_live),
    Row("of-an-array-without", "GET /v1/storages/{large}/alerts", key="alerts", count=0),
    Row("of-nobody", "GET /v1/storages/{nobody}/alerts", 404, "StorageNotFound", said="1111"),
    Row("live-of-nobody", "GET /v1/storages/{nobody}/alerts?live=true", 404, "StorageNotFound"),
    Row("live-where-the-driver-can-not", "GET /v1/storages/{b}/alerts?live=true", 501, "StorageCapabilityNotSupported"),
    Row("from-a-time", f"{OF_WARN}?begin_time=1", key="alerts", count=3),
    Row("until-a-time", f"{OF_WARN}?end_time=1", key="alerts", count=0, check=_of_the_time),
    Row("of-a-time", f"{OF_WARN}?begin_time=1&end_time=4102444800000", key="alerts", count=3),
    Row("live-of-a-time", f"{OF_WARN}?begin_time=1&end_time=2&live=true", key="alerts", count=0),
    Row("of-a-time-that-ends-first", f"{OF_WARN}?begin_time=2&end_time=1", *BAD, said="end_time"),
    Row("of-a-time-that-is-none", f"{OF_WARN}?begin_time=2&end_time=2", *BAD, said="end_time"),
    Row("of-a-time-in-words", f"{OF_WARN}?begin_time=now", *BAD, said="begin_time"),
    Row("of-a-time-before-time", f"{OF_WARN}?begin_time=-1", *BAD, said="begin_time"),
    Row("by-colour", f"{OF_WARN}?colour=red", *BAD, said="colour"),
    Row("a-page", f"{OF_WARN}?limit=2", key="alerts", count=2),
    Row("poll", "GET /v1/storages/{warn}/alert-poll"),
    Row("poll-of-nobody", "GET /v1/storages/{nobody}/alert-poll", 404, "StorageNotFound"),
]
FLEET = [
    Row("of-all", "GET /v1/alerts?storage_id={warn}", key="alerts", count=3, check=_stored),
    Row("of-all-by-severity", "GET /v1/alerts?storage_id={warn}&severity=critical", key="alerts", count=1),
    Row("of-all-by-two", "GET /v1/alerts?storage_id={warn}&severity=minor&state=cleared", key="alerts", count=0),
    Row("of-all-by-no-severity", "GET /v1/alerts?severity=purple", *BAD, said="severity"),
    Row("of-all-by-colour", "GET /v1/alerts?colour=red", *BAD, said="colour"),
    Row("one-of-nobody", "GET /v1/alerts/{nobody}", 404, "AlertNotFound", said="1111"),
    Row("one-of-no-id", "GET /v1/alerts/x", 404, "AlertNotFound"),
    Row("events-of-nobody", "GET /v1/alerts/{nobody}/events", 404, "AlertNotFound"),
    Row("acknowledge-nobody", "POST /v1/alerts:acknowledge", 404, "AlertNotFound", body={"ids": ["x"]}),
    Row("acknowledge-none", "POST /v1/alerts:acknowledge", *BAD, body={"ids": []}, said="ids"),
    Row("clear-nobody", "POST /v1/alerts:clear", 404, "AlertNotFound", body={"ids": ["x"]}),
    Row("settings-out-of-range", "PATCH /v1/alert-settings", *BAD, body={"sync_failures": 0}, said="sync_failures"),
]
SYNCS = [
    Row("sync", SYNC, body={}, empty=True),
    Row("sync-of-a-time", SYNC, body={"begin_time": 1, "end_time": 2}, empty=True),
    Row("sync-without-a-body", SYNC, 400, "MalformedRequestBody"),
    Row("sync-with-another-key", SYNC, *BAD, body={"begin": 1}, said="begin"),
    Row("sync-of-a-time-that-ends-first", SYNC, *BAD, body={"begin_time": 2, "end_time": 1}, said="end_time"),
    Row("sync-of-nobody", "POST /v1/storages/{nobody}/alerts/sync", 404, "StorageNotFound", body={}),
    Row("clear-of-nobody", "DELETE /v1/storages/{nobody}/alerts/1", 404, "StorageNotFound"),
    Row("clear-where-the-driver-can-not", "DELETE /v1/storages/{b}/alerts/1", 501, "StorageCapabilityNotSupported"),
    Row("clear-what-is-not-there", "DELETE /v1/storages/{warn}/alerts/4711", empty=True),
]
TABLE = [*READS, *FLEET, *SYNCS]
