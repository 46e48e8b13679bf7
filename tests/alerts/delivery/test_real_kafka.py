"""Alerts to a real Apache Kafka, by a login over TLS, while it is killed and comes back."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from delphis.alert.v1 import delivery_pb2
from tests.alerts.delivery.scene import ARRAY, QUICK
from tests.alerts.delivery.scene import scene as opened
from tests.support.kafka.broker import PASSWORD, USER, Broker, broker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[Broker]:
    folder = tmp_path / "kafka"
    folder.mkdir()
    with broker(folder) as made:
        yield made


async def test_events_arrive_in_order_and_none_is_lost(kafka: Broker, tmp_path: Path) -> None:
    patient = dataclasses.replace(QUICK, connect_timeout=20.0, read_timeout=20.0, total_timeout=5.0)
    async with opened(tmp_path, settings=patient) as scene:
        settings = delivery_pb2.KafkaReceiver(
            bootstrap_servers=[kafka.address("LOGIN")],
            topic="alerts",
            username=USER,
            password=PASSWORD,
            sasl_mechanism="SCRAM-SHA-256",
            tls=True,
            ca_certificates=kafka.ca,
        )
        receiver = await scene.add("k", kafka=settings)
        names = [f"a{number}" for number in range(30)]
        await scene.report(*names[:10])
        await scene.until(receiver, "delivery", lambda status: status.delivered == 10)
        await scene.report(*names[10:20])
        await asyncio.to_thread(kafka.kill)
        await scene.report(*names[20:])
        await scene.until(receiver, "failure", lambda status: status.failures > 0)
        await asyncio.to_thread(kafka.start)
        await scene.until(receiver, "delivery", lambda status: status.delivered == 30)
        found = await asyncio.to_thread(kafka.read, "alerts", 1_000, seconds=5)
    assert {key for key, _ in found} == {ARRAY.id}
    events = [json.loads(body) for _, body in found]
    told = list(dict.fromkeys(event["alert"]["match_key"] for event in events))
    assert told == names
