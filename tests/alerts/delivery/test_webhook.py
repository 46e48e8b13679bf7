"""Webhooks, seen from the other end."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from pathlib import Path

import pytest

from delphis.alert.v1 import delivery_pb2
from delphis.type.v1 import alert_pb2 as type_pb
from services.alerts.delivery.settings import DeliverySettings
from services.calls.errors import CallError
from tests.alerts.delivery.scene import Scene, keys, soon
from tests.alerts.delivery.scene import scene as opened
from tests.alerts.delivery.web import Reply, Request, answer, web


async def test_events_come_in_order_as_the_rest_api_prints_them(scene: Scene) -> None:
    async with web() as site:
        receiver = await scene.webhook(site.url, "pager")
        await scene.report("a", "b", description="Fan 3 has stopped")
        await scene.report("a", over=True)
        await soon("events", lambda: len(site.taken) == 3)
        assert keys(site.taken) == [("raised", "a"), ("raised", "b"), ("cleared", "a")]
        body = json.loads(site.seen[0].body)
        assert (body["version"], body["receiver"]) == (1, "pager")
        event = body["events"][0]
        assert event["alert"]["severity"] == "Major"
        assert event["alert"]["state"] == "open"
        assert event["alert"]["acknowledged"] is False
        assert event["alert"]["first_raised_at"].count("T") == 1
        assert event["alert"]["labels"] == {"site": "b"}
        positions = [event["position"] for event in site.taken]
        assert positions == sorted(positions)
        assert positions[0] > 0
        assert site.seen[0].headers["content-type"] == "application/json"
        status = await scene.until(receiver, "delivery", lambda status: status.delivered == 3)
        assert (status.backlog, status.dropped, status.failures, status.problem) == (0, 0, 0, "")
        assert status.last_success_at.seconds > 0


async def test_posts_are_signed_and_have_the_headers(scene: Scene) -> None:
    key = "0123456789abcdef"
    header = delivery_pb2.HttpHeader(name="X-Team", value="storage")
    async with web() as site:
        await scene.webhook(site.url, webhook={"signing_key": key, "headers": [header]})
        await scene.report("a")
        await soon("event", lambda: site.taken)
        request = site.seen[0]
        assert request.headers["x-team"] == "storage"
        stamp = request.headers["delphis-timestamp"]
        assert abs(int(stamp) - time.time()) < 60
        expected = hmac.new(key.encode(), f"{stamp}.".encode() + request.body, hashlib.sha256).hexdigest()
        assert request.headers["delphis-signature"] == f"sha256={expected}"


async def test_a_backlog_is_sent_in_batches(scene: Scene) -> None:
    down = True
    async with web(lambda request: answer(503 if down else 200)) as site:
        receiver = await scene.webhook(site.url, webhook={"batch_size": 40})
        await scene.report(*(f"k{number}" for number in range(100)))
        status = await scene.until(receiver, "failure", lambda status: status.failures > 1)
        assert status.backlog == 100
        assert status.oldest_at.seconds > 0
        assert status.problem == "It answered 503."
        assert status.next_at.seconds > 0
        down = False
        await soon("events", lambda: len(site.taken) == 100)
        assert [key for _, key in keys(site.taken)] == [f"k{number}" for number in range(100)]
        assert [len(request.events) for request in site.seen[-3:]] == [40, 40, 20]
        await scene.until(receiver, "recovery", lambda status: status.failures == 0 and status.problem == "")


async def test_a_receiver_is_asked_again_no_sooner_than_it_wants(scene: Scene) -> None:
    times: list[float] = []

    def busy(request: Request) -> Reply:
        times.append(time.monotonic())
        return answer(429, Retry_After="1") if len(times) == 1 else answer(200)

    async with web(busy) as site:
        await scene.webhook(site.url)
        await scene.report("a")
        await soon("event", lambda: site.taken)
        assert times[1] - times[0] >= 1.0


@pytest.mark.parametrize("status", [400, 422])
async def test_one_event_that_is_refused_for_good_is_dropped_alone(scene: Scene, status: int) -> None:
    def picky(request: Request) -> Reply:
        poisoned = any(event["alert"]["match_key"] == "k37" for event in request.events)
        return answer(status, b"k37 is bad") if poisoned else answer(200)

    async with web(picky) as site:
        receiver = await scene.webhook(site.url)
        await scene.report(*(f"k{number}" for number in range(100)))
        await soon("events", lambda: len(site.taken) == 99)
        assert [key for _, key in keys(site.taken)] == [f"k{number}" for number in range(100) if number != 37]
        assert len(site.seen) < 20
        end = await scene.until(receiver, "drop", lambda status: status.dropped == 1)
        assert end.delivered == 99
        assert end.backlog == 0
        assert f"It answered {status}: k37 is bad" in end.problem


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_a_receiver_that_never_took_anything_loses_nothing(scene: Scene, status: int) -> None:
    wrong = True
    async with web(lambda request: answer(status if wrong else 200)) as site:
        receiver = await scene.webhook(site.url)
        await scene.report("a", "b", "c")
        await scene.until(receiver, "failure", lambda status: status.failures >= 2)
        wrong = False
        await soon("events", lambda: len(site.taken) == 3)
        assert [key for _, key in keys(site.taken)] == ["a", "b", "c"]
        assert (await scene.status(receiver)).dropped == 0


async def test_credentials_that_run_out_drop_nothing(scene: Scene) -> None:
    status = 200
    async with web(lambda request: answer(status)) as site:
        receiver = await scene.webhook(site.url)
        await scene.report("a")
        await soon("event", lambda: site.taken)
        status = 403
        await scene.report("b", "c")
        await scene.until(receiver, "failure", lambda status: status.failures >= 3)
        status = 200
        await soon("events", lambda: len(site.taken) == 3)
        assert (await scene.status(receiver)).dropped == 0


async def test_dead_and_slow_receivers_keep_nobody_waiting(tmp_path: Path) -> None:
    async def slow(request: Request) -> Reply:
        await asyncio.sleep(60)
        return None

    patient = DeliverySettings(grace=0.1)
    async with web() as good, web(slow) as hanging, opened(tmp_path, settings=patient) as scene:
        for number in range(5):
            await scene.webhook(hanging.url, f"slow{number}")
            await scene.webhook("http://127.0.0.1:1/", f"dead{number}")
        last = await scene.webhook(good.url, "good")
        await scene.report("a")
        # Before any of the slow ones is given up.
        await soon("event", lambda: good.taken)
        assert len(hanging.tasks) == 5
        await scene.report("b")
        await scene.until(last, "delivery", lambda status: status.delivered == 2)
        assert len(hanging.tasks) == 5


async def test_a_connection_that_is_cut_is_a_failure_until_the_status_is_there(scene: Scene) -> None:
    replies: list[Reply] = [None, b"HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\nhalf", answer(200)]

    def cutting(request: Request) -> Reply:
        return replies.pop(0) if len(replies) > 1 else replies[0]

    async with web(cutting) as site:
        await scene.webhook(site.url)
        await scene.report("a")
        await soon("event", lambda: site.taken)
        assert [key for _, key in keys(site.taken)] == ["a"]


async def test_an_endless_answer_is_not_read_to_its_end(scene: Scene) -> None:
    endless = b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n") * 100
    async with web(lambda request: endless) as site:
        receiver = await scene.webhook(site.url)
        await scene.report("a")
        status = await scene.until(receiver, "failure", lambda status: status.failures >= 1)
        assert len(status.problem) <= 300


async def test_redirects_are_not_followed(scene: Scene) -> None:
    async with web() as other, web(lambda request: answer(307, Location=other.url)) as site:
        header = delivery_pb2.HttpHeader(name="Authorization", value="Bearer sesame-sesame")
        receiver = await scene.webhook(site.url, webhook={"headers": [header]})
        await scene.report("a")
        status = await scene.until(receiver, "failure", lambda status: status.failures >= 1)
        assert "307" in status.problem
        assert other.url in status.problem
        assert not other.seen


async def test_ipv6(scene: Scene) -> None:
    try:
        async with web(host="::1") as site:
            await scene.webhook(site.url)
            await scene.report("a")
            await soon("event", lambda: site.taken)
    except OSError:
        pytest.skip("no IPv6 on the loopback interface")


async def test_what_waited_too_long_is_dropped_counted_and_complained_of(scene: Scene) -> None:
    minute = 60_000_000
    down = True
    async with web(lambda request: answer(503 if down else 200)) as site:
        receiver = await scene.webhook(site.url, max_age={"seconds": 60})
        now = time.time_ns() // 1000
        await scene.report("old1", "old2", at=now - 2 * minute)
        await scene.report("new", at=now)
        status = await scene.until(receiver, "drop", lambda status: status.dropped == 2)
        assert status.backlog == 1
        await soon("complaint", lambda: any(problem for _, problem in scene.troubles))
        down = False
        await soon("event", lambda: site.taken)
        await soon("end of the complaint", lambda: scene.troubles[-1] == ("r", None))
        await scene.report("old1", over=True)
        await scene.report("new", over=True)
        await soon("end", lambda: len(site.taken) == 2)
        assert keys(site.taken) == [("raised", "new"), ("cleared", "new")]


async def test_a_paused_receiver_is_told_later(scene: Scene) -> None:
    async with web() as site:
        receiver = await scene.webhook(site.url, paused=True)
        await scene.report("a")
        status = await scene.until(receiver, "backlog", lambda status: status.backlog == 1)
        assert status.problem == "It is paused."
        receiver.paused = False
        request = delivery_pb2.UpdateReceiverRequest(id=receiver.id, receiver=receiver)
        await scene.call("UpdateReceiver", request, delivery_pb2.Receiver)
        await soon("event", lambda: keys(site.taken) == [("raised", "a")])


async def test_more_than_states_is_told_to_who_wants_all(scene: Scene) -> None:
    async with web() as few, web() as all_:
        await scene.webhook(few.url, "few")
        await scene.webhook(all_.url, "all", all_events=True)
        now = time.time_ns() // 1000
        await scene.report("a", at=now)
        await scene.report("a", at=now + 3_600_000_000)
        await scene.report("a", at=now + 3_600_000_001, severity=type_pb.SEVERITY_FATAL)
        await soon("change", lambda: keys(few.taken) == [("raised", "a"), ("changed", "a")])
        await soon("repeat", lambda: keys(all_.taken) == [("raised", "a"), ("repeated", "a"), ("changed", "a")])


async def test_a_receiver_is_tried(scene: Scene) -> None:
    secret = "sesame-open-yourself"
    said = b"no: \x1b[31m Authorization was " + secret.encode() + b" " + b"x" * 1000
    async with web() as site, web(lambda request: answer(401, said)) as refusing:
        good = await scene.webhook(site.url, "good")
        request = delivery_pb2.TestReceiverRequest(id=good.id)
        told = await scene.call("TestReceiver", request, delivery_pb2.TestReceiverResponse)
        assert told.alert.alert_id == "delphis.test"
        assert site.taken[0]["alert"]["id"] == told.alert.id
        header = delivery_pb2.HttpHeader(name="Authorization", value=secret)
        bad = await scene.webhook(refusing.url, "bad", webhook={"headers": [header]})
        request = delivery_pb2.TestReceiverRequest(id=bad.id)
        with pytest.raises(CallError) as caught:
            await scene.call("TestReceiver", request, delivery_pb2.TestReceiverResponse)
        assert caught.value.reason == "RECEIVER_FAILED"
        assert "It answered 401: no: [31m Authorization was ***" in caught.value.message
        assert secret not in str(caught.value.status())
        assert len(caught.value.message) < 400
