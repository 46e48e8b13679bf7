"""A real Apache Kafka: each way in, and nothing lost when it, or we, are killed."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from delphis.sdk.certificates import Authority
from delphis.telemetry.v1 import telemetry_pb2 as pb
from tests.support.kafka.broker import PASSWORD, USER, Broker, broker
from tests.telemetry.sinks.scene import BEGIN, BOX, OTHER, QUICK, scene, window

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
PATIENT = dataclasses.replace(QUICK, connect_timeout=20.0, read_timeout=20.0, total_timeout=30.0)
WAYS = ("PLAIN", "TLS", "MUTUAL", "SCRAM-SHA-256", "SCRAM-SHA-512", "SASL PLAIN")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("kafka")) as made:
        yield made


def _way(kafka: Broker, way: str, topic: str) -> pb.KafkaSink:
    """A sink that comes in this way."""
    login = way.startswith(("SCRAM", "SASL"))
    settings = pb.KafkaSink(bootstrap_servers=[kafka.address("LOGIN" if login else way)], topic=topic)
    if way != "PLAIN":
        settings.tls, settings.ca_certificates = True, kafka.ca
    if way == "MUTUAL":
        settings.client_certificate, settings.client_key = kafka.client()
    if login:
        settings.username, settings.password = USER, PASSWORD
        settings.sasl_mechanism = way.removeprefix("SASL ")
    return settings


def _samples(messages: list[tuple[str, bytes]]) -> dict[str, dict[int, float]]:
    """Of volume v1, by array."""
    found: dict[str, dict[int, float]] = {}
    for key, body in messages:
        told: list[Any] = json.loads(body)
        for _, _, values in told:
            found.setdefault(key, {}).update({int(at): value for at, value in values.items()})
    return found


async def test_points_arrive_by_each_way_in(tmp_path: Path, kafka: Broker) -> None:
    async with scene(tmp_path, settings=PATIENT) as here:
        topics = {way: f"by-{way.replace(' ', '-')}" for way in WAYS}
        sinks = {way: await here.add(topic, kafka=_way(kafka, way, topic)) for way, topic in topics.items()}
        await here.collect(window([1.0, 2.0]))
        await here.collect(window([5.0]), box=OTHER)
        for way, sink in sinks.items():
            status = await here.until(sink, way, lambda status: status.delivered == 3)
            assert status.refused == 0
    for topic in topics.values():
        found = await asyncio.to_thread(kafka.read, topic, 2)
        assert _samples(found) == {BOX.id: {BEGIN: 1.0, BEGIN + 60_000: 2.0}, OTHER.id: {BEGIN: 5.0}}


async def test_who_is_not_trusted_gets_nothing_and_who_may_not_come_in_is_told(tmp_path: Path, kafka: Broker) -> None:
    stranger = Authority(kafka.authority.now)
    wrong = {way: _way(kafka, way, "wrong") for way in ("TLS", "MUTUAL", "SCRAM-SHA-256")}
    wrong["TLS"].ca_certificates = stranger.pem.decode()
    wrong["MUTUAL"].ClearField("client_certificate")
    wrong["MUTUAL"].ClearField("client_key")
    wrong["SCRAM-SHA-256"].password = "word-0000"
    wrong["system"] = _way(kafka, "TLS", "wrong")
    wrong["system"].ClearField("ca_certificates")
    said = {"TLS": "certificate verify failed", "system": "certificate verify failed", "MUTUAL": "SSL",
            "SCRAM-SHA-256": "uthentication failed"}  # fmt: skip
    async with scene(tmp_path, settings=dataclasses.replace(PATIENT, total_timeout=5.0)) as here:
        sinks = {way: await here.add(way, kafka=settings) for way, settings in wrong.items()}
        await here.collect(window([1.0]))
        for way, sink in sinks.items():
            status = await here.until(sink, way, lambda status, way=way: said[way] in status.problem)  # type: ignore[misc]
            assert (status.delivered, status.refused) == (0, 0)
            assert "word-0000" not in status.problem
            assert status.backlog_bytes > 0


async def test_a_broker_that_is_killed_loses_nothing(tmp_path: Path, kafka: Broker) -> None:
    async with scene(tmp_path, settings=dataclasses.replace(PATIENT, total_timeout=5.0)) as here:
        sink = await here.add("k", kafka=_way(kafka, "SCRAM-SHA-512", "killed"))
        sent = 0
        for _ in range(20):
            await here.collect(window([float(sent)], begin=BEGIN + sent * 60_000))
            sent += 1
        await asyncio.to_thread(kafka.kill)
        for _ in range(20):
            await here.collect(window([float(sent)], begin=BEGIN + sent * 60_000))
            sent += 1
        await here.until(sink, "failure", lambda status: status.failures > 0)
        await asyncio.to_thread(kafka.start)
        await here.until(sink, "all", lambda status: status.delivered == sent)
    # How many messages there are is known of a topic that nothing else is written to.
    found = await asyncio.to_thread(kafka.read, "killed", 10_000, seconds=5)
    assert _samples(found) == {BOX.id: {BEGIN + step * 60_000: float(step) for step in range(sent)}}
