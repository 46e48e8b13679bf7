"""Points in Kafka: librdkafka's brokers in this process, reached over real sockets."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import Consumer, Producer

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.telemetry.exposition.text import Array
from services.telemetry.sinks.kafka import MESSAGE_BYTES, Kafka
from services.telemetry.sinks.load import Load, Source
from services.telemetry.window import Window
from tests.telemetry.sinks.scene import BEGIN, BOX, OTHER, QUICK, scene, window


@pytest.fixture
def brokers() -> Iterator[list[str]]:
    """Addresses of three."""
    cluster = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": ""})
    yield [f"{broker.host}:{broker.port}" for broker in cluster.list_topics(timeout=60).brokers.values()]
    del cluster


def _read(brokers: list[str], topic: str, count: int) -> list[tuple[str, bytes]]:
    """Key and body of the first messages, each key's in order."""
    consumer = Consumer({"bootstrap.servers": ",".join(brokers), "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found: list[tuple[str, bytes]] = []
    end = time.monotonic() + 60
    while len(found) < count and time.monotonic() < end:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            key, value = message.key(), message.value()
            assert key is not None
            assert value is not None
            found.append((key.decode(), value))
    consumer.close()
    return found


async def test_points_come_as_delfin_says_them(tmp_path: Path, brokers: list[str]) -> None:
    async with scene(tmp_path) as here:
        sink = await here.add("k", kafka=pb.KafkaSink(bootstrap_servers=brokers, topic="points"))
        await here.collect(window([1.0, math.nan, 3.0, 0.002], ids=("v1", 'v"2'), metrics=("responseTime",)))
        await here.collect(window([7.0], kind="storage_pool", ids=("p1",)), box=OTHER)
        status = await here.until(sink, "delivery", lambda status: status.delivered == 4)
    assert (status.refused, status.backlog_bytes) == (0, 0)
    found = dict(_read(brokers, "points", 2))
    assert json.loads(found[BOX.id]) == [
        [
            "responseTime",
            {
                "storage_id": BOX.id,
                "storage_name": "box",
                "storage_sn": "S1",
                "resource_type": "volume",
                "resource_id": native_id,
                "resource_name": f"name of {native_id}",
                "type": "RAW",
                "unit": "ms",
                "value_type": "gauge",
            },
            points,
        ]
        for native_id, points in (
            ("v1", {str(BEGIN): 1000.0, str(BEGIN + 60_000): 3000.0}),
            ('v"2', {str(BEGIN + 60_000): 2.0}),
        )
    ]
    [[name, labels, points]] = json.loads(found[OTHER.id])
    assert (name, labels["resource_type"], labels["unit"]) == ("iops", "storagePool", "IOPS")
    assert points == {str(BEGIN): 7.0}


async def test_points_come_as_protobuf(tmp_path: Path, brokers: list[str]) -> None:
    async with scene(tmp_path) as here:
        settings = pb.KafkaSink(bootstrap_servers=brokers, topic="points", format="protobuf")
        sink = await here.add("k", kinds=["volume"], kafka=settings)
        await here.collect(window([1.0, math.nan, 3.0, 0.002], ids=("v1", "v2"), metrics=("responseTime",)))
        await here.collect(window([1.0], kind="disk", ids=("d",)))
        await here.until(sink, "delivery", lambda status: status.delivered == 3)
    [(key, body)] = _read(brokers, "points", 1)
    points = pb.Points.FromString(body)
    assert (key, points.storage_id, points.storage_name) == (BOX.id, BOX.id, "box")
    [batch] = points.batches
    assert (batch.kind, list(batch.native_ids), list(batch.metrics)) == ("volume", ["v1", "v2"], ["responseTime"])
    assert (batch.start.ToMilliseconds(), batch.step.ToMilliseconds(), batch.steps) == (BEGIN, 60_000, 2)
    np.testing.assert_array_equal(batch.values, [1.0, math.nan, 3.0, 0.002])


async def test_brokers_that_are_away_are_tried_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        settings = pb.KafkaSink(bootstrap_servers=["127.0.0.1:1"], topic="points", username="u", password="secret-8d")
        sink = await here.add("k", kafka=settings)
        await here.collect(window([1.0]))
        status = await here.until(sink, "failure", lambda status: status.failures >= 1)
        assert "Kafka did not take it" in status.problem
        assert status.backlog_bytes > 0
        assert "secret-8d" not in str(await here.get(sink))


@pytest.mark.parametrize("format_", ["json", "protobuf"])
@pytest.mark.parametrize(
    ("resources", "steps", "id_bytes"), [(30_000, 2, 8), (2, 30_000, 8), (1, 300_000, 8), (5_000, 1, 1_000), (1, 1, 8)]
)
def test_messages_are_no_larger_than_brokers_take(format_: str, resources: int, steps: int, id_bytes: int) -> None:
    ids = tuple(f"{number:0{id_bytes}}" for number in range(resources))
    numbers = np.random.default_rng(1).random((steps, 1, resources))
    numbers[0, 0, 0] = math.nan
    sent = Window("volume", ids, ("iops",), BEGIN, 1_000, numbers)
    source = Source(Array(BOX.id, BOX.name, BOX.vendor, BOX.model), BOX.serial_number)
    there = Kafka(pb.KafkaSink(bootstrap_servers=["b:1"], topic="t", format=format_), QUICK)
    pieces = list(there.pieces([Load(1, source, sent, ids)]))
    bodies = [body for piece in pieces for _, body in piece.messages]
    assert all(len(body) <= MESSAGE_BYTES for body in bodies)
    assert sum(piece.points for piece in pieces) == numbers.size - 1
    values: list[float] = []
    for body in bodies:
        if format_ == "json":
            values += [value for _, _, points in json.loads(body) for value in points.values()]
        else:
            values += [value for batch in pb.Points.FromString(body).batches for value in batch.values]
    told = sorted(value for value in values if not math.isnan(value))
    assert told == sorted(value for value in numbers.ravel().tolist() if not math.isnan(value))
