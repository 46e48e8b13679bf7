"""Kafka: librdkafka's brokers in this process, reached over real sockets."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from delphis.alert.v1 import delivery_pb2
from services.calls.errors import CallError
from services.outbound import kafka
from tests.alerts.delivery.scene import ARRAY, QUICK, Scene


@pytest.fixture
def brokers() -> Iterator[list[str]]:
    """Addresses of three."""
    cluster = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": ""})
    yield [f"{broker.host}:{broker.port}" for broker in cluster.list_topics(timeout=60).brokers.values()]
    del cluster


def _read(brokers: list[str], topic: str, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Key and event of the first messages, each key's in order."""
    consumer = Consumer({"bootstrap.servers": ",".join(brokers), "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found: list[tuple[str, dict[str, Any]]] = []
    end = time.monotonic() + 60
    while len(found) < count and time.monotonic() < end:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            key, value = message.key(), message.value()
            assert key is not None
            assert value is not None
            found.append((key.decode(), json.loads(value)))
    consumer.close()
    return found


async def test_events_are_messages_with_their_storage_as_key(scene: Scene, brokers: list[str]) -> None:
    settings = delivery_pb2.KafkaReceiver(bootstrap_servers=brokers, topic="alerts")
    receiver = await scene.add("k", kafka=settings)
    await scene.report("a", "b")
    await scene.report("own", storage=None)
    await scene.report("a", over=True)
    await scene.until(receiver, "delivery", lambda status: status.delivered == 4)
    found = _read(brokers, "alerts", 4)
    of_array = [(event["type"], event["alert"]["match_key"]) for key, event in found if key == ARRAY.id]
    assert of_array == [("raised", "a"), ("raised", "b"), ("cleared", "a")]
    assert [event["alert"]["match_key"] for key, event in found if key != ARRAY.id] == ["own"]


async def test_brokers_that_are_away_are_tried_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene.delivery, "settings", dataclasses.replace(QUICK, total_timeout=2.0))
    settings = delivery_pb2.KafkaReceiver(bootstrap_servers=["127.0.0.1:1"], topic="alerts")
    receiver = await scene.add("k", kafka=settings)
    await scene.report("a")
    status = await scene.until(receiver, "failure", lambda status: status.failures >= 2)
    assert "Kafka did not take it" in status.problem
    assert status.backlog == 1
    request = delivery_pb2.TestReceiverRequest(id=receiver.id)
    with pytest.raises(CallError) as caught:
        await scene.call("TestReceiver", request, delivery_pb2.TestReceiverResponse)
    assert caught.value.reason == "RECEIVER_FAILED"


def test_safety_is_asked_for(scene: Scene) -> None:
    settings = delivery_pb2.KafkaReceiver(
        bootstrap_servers=["b:1"], username="u", password="p", sasl_mechanism="SCRAM-SHA-512", tls=True
    )
    found = kafka.configuration(settings, scene.delivery.settings)
    assert found["security.protocol"] == "SASL_SSL"
    assert found["sasl.mechanism"] == "SCRAM-SHA-512"
    assert (found["acks"], found["enable.idempotence"]) == ("all", True)
    del found["logger"]
    Producer(found)  # the client knows all of them
