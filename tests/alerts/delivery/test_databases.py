"""Delivery on both databases: what is kept, and for how long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from delphis.alert.v1 import delivery_pb2
from services.alerts.book import retention
from services.alerts.delivery import lane_records
from services.values import times
from tests.alerts.delivery.scene import Scene, keys, soon
from tests.alerts.delivery.scene import scene as opened
from tests.alerts.delivery.web import answer, web
from tests.support import postgres
from tests.support.stores import postgres_cluster

__all__ = ["postgres_cluster"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    """Everything at work, on each database in turn."""
    url = ""
    if request.param == "postgresql":
        cluster: postgres.Cluster = request.getfixturevalue("postgres_cluster")
        url = cluster.new_database()
    async with opened(tmp_path, url) as made:
        yield made


async def test_a_life(scene: Scene) -> None:
    async with web() as site:
        await scene.report("before")
        receiver = await scene.webhook(site.url)
        silence = await scene.silence(600, labels={"site": "b"})
        await scene.report("a", "b", "c")
        await scene.report("c", over=True)
        await scene.report("own", storage=None)
        await soon("event", lambda: keys(site.taken) == [("raised", "own")])
        request = delivery_pb2.DeleteSilenceRequest(id=silence.id)
        await scene.call("DeleteSilence", request, delivery_pb2.DeleteSilenceResponse)
        await soon("end", lambda: keys(site.taken)[1:] == [("raised", "a"), ("raised", "b")])
        await scene.end()
        await scene.begin()
        await scene.report("a", "before", over=True)
        await soon("clear", lambda: keys(site.taken)[3:] == [("cleared", "a")])
        await scene.until(receiver, "end", lambda status: status.backlog == 0 and status.delivered == 4)
        deletion = delivery_pb2.DeleteReceiverRequest(id=receiver.id)
        await scene.call("DeleteReceiver", deletion, delivery_pb2.DeleteReceiverResponse)
        assert await scene.store.read(lane_records.needed_from) == lane_records.NOTHING_NEEDED


async def test_what_a_receiver_has_not_been_told_is_not_forgotten(scene: Scene) -> None:
    down = True
    async with web(lambda request: answer(503 if down else 200)) as site:
        receiver = await scene.webhook(site.url, all_events=True)
        await scene.report("a")
        await scene.report("a", over=True)
        await scene.until(receiver, "failure", lambda status: status.failures > 0)
        later = times.now() + 365 * times.DAY
        assert await retention.forget(scene.store, at=later, needed=lane_records.needed_from) == 0
        down = False
        await soon("events", lambda: keys(site.taken) == [("raised", "a"), ("cleared", "a")])
        await scene.until(receiver, "end", lambda status: status.backlog == 0)
        assert await retention.forget(scene.store, at=later, needed=lane_records.needed_from) == 1


async def test_a_member_that_joins_is_told_what_the_others_know(scene: Scene) -> None:
    async with web() as one, web() as two:
        manager = delivery_pb2.AlertmanagerReceiver(urls=[one.url])
        receiver = await scene.add("am", alertmanager=manager)
        await scene.report("a", "b")
        await scene.until(receiver, "delivery", lambda status: status.delivered == 2)
        receiver.alertmanager.urls.append(two.url)
        request = delivery_pb2.UpdateReceiverRequest(id=receiver.id, receiver=receiver)
        await scene.call("UpdateReceiver", request, delivery_pb2.Receiver)
        await soon("alerts", lambda: two.seen)
        assert two.seen[0].body.count(b'"startsAt"') == 2
        await scene.report("a", over=True)
        await soon("end", lambda: len(two.seen) == 2)
        receiver.alertmanager.urls.pop()
        await scene.call("UpdateReceiver", request, delivery_pb2.Receiver)
        await scene.until(receiver, "end", lambda status: status.backlog == 0)
