"""DeliveryService: what it takes, what it keeps to itself."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from delphis.alert.v1 import delivery_pb2
from services.alerts.delivery import receiver_records
from services.calls.errors import CallError
from tests.alerts.delivery.scene import Scene, soon
from tests.alerts.delivery.web import answer, web

URL = "http://127.0.0.1:1/hook"
SECRETS = ("sesame-signing-key-1", "sesame-header", "sesame-password", "sesame-token")


def _update(scene: Scene, receiver: delivery_pb2.Receiver) -> Any:
    request = delivery_pb2.UpdateReceiverRequest(id=receiver.id, receiver=receiver)
    return scene.call("UpdateReceiver", request, delivery_pb2.Receiver)


async def _refused(scene: Scene, receiver: delivery_pb2.Receiver) -> str:
    with pytest.raises(CallError) as caught:
        await _update(scene, receiver)
    assert caught.value.reason == "INVALID_INPUT"
    return caught.value.metadata["field"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "a b", "log": {}}, "name"),
        ({"name": "x" * 64, "log": {}}, "name"),
        ({}, "how"),
        ({"log": {}, "rules": [{}]}, "rules[0]"),
        ({"log": {}, "rules": [{"vendors": ["x" * 256]}]}, "rules[0].vendors"),
        ({"log": {}, "max_age": {"seconds": 59}}, "max_age"),
        ({"webhook": {}}, "webhook.url"),
        ({"webhook": {"url": "ftp://host/"}}, "webhook.url"),
        ({"webhook": {"url": "http://u:p@host/"}}, "webhook.url"),
        ({"webhook": {"url": "http://host:99999/"}}, "webhook.url"),
        ({"webhook": {"url": "http://ho st/"}}, "webhook.url"),
        ({"webhook": {"url": URL, "signing_key": "short"}}, "webhook.signing_key"),
        ({"webhook": {"url": URL, "headers": [{"name": "A:", "value": "b"}]}}, "webhook.headers[0].name"),
        ({"webhook": {"url": URL, "headers": [{"name": "Host", "value": "b"}]}}, "webhook.headers[0].name"),
        ({"webhook": {"url": URL, "headers": [{"name": "A", "value": "b\r\nC: d"}]}}, "webhook.headers[0].value"),
        ({"webhook": {"url": URL, "headers": [{"name": "A"}]}}, "webhook.headers[0].value"),
        ({"webhook": {"url": URL, "batch_size": 501}}, "webhook.batch_size"),
        ({"webhook": {"url": URL, "tls": {"ca_certificates": "no pem"}}}, "webhook.tls.ca_certificates"),
        ({"alertmanager": {}}, "alertmanager.urls"),
        ({"alertmanager": {"urls": [URL, URL]}}, "alertmanager.urls"),
        ({"alertmanager": {"urls": ["http://host/?a=b"]}}, "alertmanager.urls[0]"),
        ({"alertmanager": {"urls": [URL], "bearer_token": "a", "username": "b"}}, "alertmanager.username"),
        ({"alertmanager": {"urls": [URL], "resend_interval": {"seconds": 29}}}, "alertmanager.resend_interval"),
        ({"kafka": {"topic": "t"}}, "kafka.bootstrap_servers"),
        ({"kafka": {"topic": "t", "bootstrap_servers": ["host"]}}, "kafka.bootstrap_servers[0]"),
        ({"kafka": {"topic": "t t", "bootstrap_servers": ["host:1"]}}, "kafka.topic"),
        ({"kafka": {"topic": "t", "bootstrap_servers": ["host:1"], "sasl_mechanism": "X"}}, "kafka.sasl_mechanism"),
        ({"kafka": {"topic": "t", "bootstrap_servers": ["host:1"], "username": "u"}}, "kafka.password"),
    ],
    ids=str,
)
async def test_what_a_receiver_must_be(scene: Scene, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(CallError) as caught:
        await scene.add(**fields)
    assert (caught.value.reason, caught.value.metadata["field"]) == ("INVALID_INPUT", field)


async def test_a_receiver_lives(scene: Scene) -> None:
    made = await scene.webhook(URL, "b", max_age={"seconds": 3600}, webhook={"batch_size": 7})
    await scene.add("a", log=delivery_pb2.LogReceiver())
    listed = await scene.call("ListReceivers", delivery_pb2.ListReceiversRequest(), delivery_pb2.ListReceiversResponse)
    assert [receiver.name for receiver in listed.receivers] == ["a", "b"]
    assert made.created_at == made.updated_at
    assert listed.receivers[1].webhook.batch_size == 7
    made.name = "a"
    with pytest.raises(CallError) as caught:
        await _update(scene, made)
    assert caught.value.reason == "RECEIVER_ALREADY_EXISTS"
    made.name = "c"
    changed = await _update(scene, made)
    assert (changed.name, changed.id, changed.created_at) == ("c", made.id, made.created_at)
    assert changed.updated_at.ToMicroseconds() > made.updated_at.ToMicroseconds()
    request = delivery_pb2.DeleteReceiverRequest(id=made.id)
    await scene.call("DeleteReceiver", request, delivery_pb2.DeleteReceiverResponse)
    for name, message in (
        ("GetReceiver", delivery_pb2.GetReceiverRequest(id=made.id)),
        ("DeleteReceiver", request),
        ("TestReceiver", delivery_pb2.TestReceiverRequest(id=made.id)),
        ("UpdateReceiver", delivery_pb2.UpdateReceiverRequest(id=made.id, receiver=made)),
    ):
        with pytest.raises(CallError) as caught:
            await scene.call(name, message, delivery_pb2.Receiver)
        assert caught.value.reason == "RECEIVER_NOT_FOUND"


async def test_there_are_at_most_a_hundred(scene: Scene) -> None:
    for number in range(100):
        request = delivery_pb2.CreateReceiverRequest(
            receiver=delivery_pb2.Receiver(name=f"r{number}", paused=True, log=delivery_pb2.LogReceiver())
        )
        await scene.call("CreateReceiver", request, delivery_pb2.Receiver)
    with pytest.raises(CallError) as caught:
        await scene.add("one-more", log=delivery_pb2.LogReceiver())
    assert caught.value.reason == "INVALID_INPUT"


async def test_secrets_are_kept_but_never_taken_elsewhere(scene: Scene) -> None:
    async with web() as site, web() as other:
        header = delivery_pb2.HttpHeader(name="X-Key", value=SECRETS[1])
        made = await scene.webhook(site.url, webhook={"signing_key": SECRETS[0], "headers": [header]})
        assert made.webhook.signing_key == ""
        assert [(shown.name, shown.value) for shown in made.webhook.headers] == [("X-Key", "")]
        made.all_events = True
        await _update(scene, made)
        await scene.report("a")
        await soon("event", lambda: site.taken)
        assert site.seen[0].headers["x-key"] == SECRETS[1]
        assert "delphis-signature" in site.seen[0].headers
        made.webhook.url = other.url
        assert await _refused(scene, made) == "webhook.signing_key"
        made.webhook.signing_key = SECRETS[0]
        assert await _refused(scene, made) == "webhook.headers[0].value"
        made.webhook.url = site.url
        made.webhook.signing_key = ""
        made.webhook.tls.insecure_skip_verify = True
        assert await _refused(scene, made) == "webhook.signing_key"
        assert not other.seen


async def test_passwords_stay_with_their_user_and_address(scene: Scene) -> None:
    manager = delivery_pb2.AlertmanagerReceiver(urls=[URL], username="u", password=SECRETS[2])
    made = await scene.add("am", alertmanager=manager)
    assert made.alertmanager.password == ""
    made.alertmanager.username = "v"
    assert await _refused(scene, made) == "alertmanager.password"
    made.alertmanager.username = "u"
    made.alertmanager.urls.append("http://127.0.0.1:2")
    assert await _refused(scene, made) == "alertmanager.password"
    brokers = delivery_pb2.KafkaReceiver(
        bootstrap_servers=["127.0.0.1:1"], topic="t", username="u", password=SECRETS[2], tls=True
    )
    made = await scene.add("kafka", kafka=brokers)
    made.kafka.topic = "t2"
    assert (await _update(scene, made)).kafka.topic == "t2"
    made.kafka.tls = False
    assert await _refused(scene, made) == "kafka.password"


def _files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("alerts.db*"))


async def test_no_secret_is_anywhere_but_at_the_receiver(
    tmp_path: Path, scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []

    def echoing(request: Any) -> bytes:
        return answer(500, f"{request.headers} {request.body[:100]!r}".encode())

    async with web(echoing) as site:
        header = delivery_pb2.HttpHeader(name="Authorization", value=f"Bearer {SECRETS[1]}")
        made = [
            await scene.webhook(site.url, "w", webhook={"signing_key": SECRETS[0], "headers": [header]}),
            await scene.add(
                "p",
                alertmanager=delivery_pb2.AlertmanagerReceiver(urls=[site.url], username="u", password=SECRETS[2]),
            ),
            await scene.add(
                "t", alertmanager=delivery_pb2.AlertmanagerReceiver(urls=[site.url], bearer_token=SECRETS[3])
            ),
        ]
        await scene.report("a")
        for receiver in made:
            said.append(str(await scene.until(receiver, "failure", lambda status: status.failures > 0)))
            request = delivery_pb2.TestReceiverRequest(id=receiver.id)
            with pytest.raises(CallError) as caught:
                await scene.call("TestReceiver", request, delivery_pb2.TestReceiverResponse)
            said.append(str(caught.value.status()))
        assert all(secret in str(site.seen) for secret in SECRETS[1:2])
    listed = await scene.call("ListReceivers", delivery_pb2.ListReceiversRequest(), delivery_pb2.ListReceiversResponse)
    await scene.end()
    stored = _files(tmp_path)
    await scene.begin()
    everything = "".join([*said, str(listed), caplog.text])
    assert "It answered 500" in everything
    assert len(stored) > 10_000
    for secret in (*SECRETS, "dTpzZXNhbWUtcGFzc3dvcmQ="):
        assert secret not in everything
        assert secret.encode() not in stored


async def test_a_receiver_whose_secrets_are_lost_says_so(tmp_path: Path, scene: Scene) -> None:
    async with web() as site:
        made = await scene.webhook(site.url, webhook={"signing_key": SECRETS[0]})
        await scene.end()
        (tmp_path / "key").unlink()
        await scene.begin()
        await scene.report("a")
        status = await scene.until(made, "problem", lambda status: status.problem != "")
        assert status.problem.startswith("Its secrets can't be read: encrypted with the key")
        assert status.backlog == 1
        made.webhook.signing_key = SECRETS[0]
        await _update(scene, made)
        await soon("event", lambda: site.taken)


async def test_the_keys_of_secrets_are_found(scene: Scene) -> None:
    """With them the vault refuses to start with another key."""
    assert await scene.store.read(receiver_records.key_ids) == set()
    await scene.webhook(URL, webhook={"signing_key": SECRETS[0]})
    assert len(await scene.store.read(receiver_records.key_ids)) == 1
