"""What silences keep from receivers, and what is told at their end."""

from __future__ import annotations

import asyncio

import pytest

from delphis.alert.v1 import delivery_pb2
from delphis.type.v1 import alert_pb2 as type_pb
from services.calls.errors import CallError
from services.values import times
from tests.alerts.delivery.scene import Scene, keys, soon
from tests.alerts.delivery.web import answer, web


async def test_what_is_still_open_is_told_at_the_end(scene: Scene) -> None:
    async with web() as site:
        await scene.webhook(site.url)
        silence = await scene.silence(2.0, vendors=["acme"])
        await scene.report("stays", "passes")
        await scene.report("passes", over=True)
        await scene.report("own", storage=None)
        await soon("event", lambda: keys(site.taken) == [("raised", "own")])
        assert silence.created_by == "ann"
        await soon("end", lambda: len(site.taken) == 2)
        assert times.now() >= silence.ends_at.ToMicroseconds()
        assert keys(site.taken)[1:] == [("raised", "stays")]
        await scene.report("stays", over=True)
        await soon("clear", lambda: len(site.taken) == 3)
        assert keys(site.taken)[2:] == [("cleared", "stays")]


async def test_whoever_was_told_before_hears_of_the_end(scene: Scene) -> None:
    async with web() as site:
        receiver = await scene.webhook(site.url)
        await scene.report("a", "b")
        await scene.until(receiver, "delivery", lambda status: status.delivered == 2)
        silence = await scene.silence(600, storage_ids=[str(site.taken[0]["alert"]["storage_id"])])
        await scene.report("a", "b", severity=type_pb.SEVERITY_FATAL)
        await scene.report("a", over=True)
        await soon("clear", lambda: keys(site.taken)[2:] == [("cleared", "a")])
        # Ended by hand, the change that was withheld is told at once.
        request = delivery_pb2.DeleteSilenceRequest(id=silence.id)
        await scene.call("DeleteSilence", request, delivery_pb2.DeleteSilenceResponse)
        await soon("change", lambda: keys(site.taken)[3:] == [("changed", "b")])
        assert site.taken[-1]["alert"]["severity"] == "Fatal"
        with pytest.raises(CallError) as caught:
            await scene.call("GetSilence", delivery_pb2.GetSilenceRequest(id=silence.id), delivery_pb2.Silence)
        assert caught.value.reason == "SILENCE_NOT_FOUND"


async def test_what_happened_under_a_silence_is_not_told_by_a_receiver_that_was_away(scene: Scene) -> None:
    down = True
    async with web(lambda request: answer(503 if down else 200)) as site:
        receiver = await scene.webhook(site.url)
        await scene.silence(3.0, vendors=["acme"])
        await scene.report("own", storage=None)
        await scene.report("passes", "stays")
        await scene.report("passes", over=True)
        await scene.until(receiver, "failure", lambda status: status.failures > 1)
        await asyncio.sleep(3.1)
        down = False
        await soon("events", lambda: len(site.taken) == 2)
        assert keys(site.taken) == [("raised", "own"), ("raised", "stays")]


async def test_silences_survive_a_restart(scene: Scene) -> None:
    async with web() as site:
        await scene.webhook(site.url)
        await scene.silence(600, severities=[type_pb.SEVERITY_MAJOR])
        await scene.report("a")
        await scene.end()
        await scene.begin()
        await scene.report("b")
        await scene.report("c", severity=type_pb.SEVERITY_MINOR)
        await soon("event", lambda: keys(site.taken) == [("raised", "c")])
        listed = await scene.call("ListSilences", delivery_pb2.ListSilencesRequest(), delivery_pb2.ListSilencesResponse)
        request = delivery_pb2.DeleteSilenceRequest(id=listed.silences[0].id)
        await scene.call("DeleteSilence", request, delivery_pb2.DeleteSilenceResponse)
        await soon("end", lambda: keys(site.taken) == [("raised", "c"), ("raised", "a"), ("raised", "b")])


async def test_alerts_say_what_silences_them(scene: Scene) -> None:
    async with web() as site:
        await scene.webhook(site.url)
        await scene.report("a")
        await soon("event", lambda: site.taken)
        silence = await scene.silence(600, labels={"site": "b"})
        await scene.silence(600, labels={"site": "c"})
        (logged,) = scene.delivery._events._kept.values()
        assert scene.delivery.silencing.ids_for(logged.event.alert) == [silence.id]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"match": {}}, "match"),
        ({"ends_at": {}}, "ends_at"),
        ({"ends_at": {"seconds": 4_000_000_000}}, "ends_at"),
        ({"starts_at": {"seconds": 3_900_000_000}}, "ends_at"),
        ({"reason": "x" * 1001}, "reason"),
        ({"match": {"vendors": [""]}}, "match.vendors"),
    ],
    ids=["no match", "no end", "far end", "late start", "long reason", "empty vendor"],
)
async def test_what_a_silence_must_have(scene: Scene, change: dict[str, object], field: str) -> None:
    end = times.now() // 1_000_000 + 3600
    values: dict[str, object] = {"match": {"vendors": ["acme"]}, "ends_at": {"seconds": end}, **change}
    request = delivery_pb2.CreateSilenceRequest(silence=delivery_pb2.Silence(**values))  # type: ignore[arg-type]
    with pytest.raises(CallError) as caught:
        await scene.call("CreateSilence", request, delivery_pb2.Silence)
    assert (caught.value.reason, caught.value.metadata["field"]) == ("INVALID_INPUT", field)
