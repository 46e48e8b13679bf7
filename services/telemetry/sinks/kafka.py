"""Kafka: points as messages of a topic, with the array's id as their key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from delphis.telemetry.v1 import telemetry_pb2
from services.outbound.kafka import KafkaClient
from services.outbound.timeouts import Timeouts
from services.telemetry.sinks import delfin_json, points
from services.telemetry.sinks.destination import Piece
from services.telemetry.sinks.load import Load
from services.telemetry.sinks.secrets import client_certificate

BATCH = 10_000
MESSAGE_BYTES = 900_000
"""Of a message's body: brokers take 1 MB with all that is around it."""

Formatted = Callable[[Load, int], Iterator[tuple[bytes, int]]]
FORMATS: dict[str, Formatted] = {"json": delfin_json.messages, "protobuf": points.messages}
"""How bodies are made of a load, with the number of their points, each of at most so many bytes."""


class Kafka:
    """Writes to one topic."""

    batch = BATCH

    def __init__(self, settings: telemetry_pb2.KafkaSink, timeouts: Timeouts) -> None:
        self._formatted = FORMATS[settings.format or "json"]
        self._client = KafkaClient(settings, timeouts, certificate=client_certificate(settings))

    def pieces(self, loads: Sequence[Load]) -> Iterator[Piece]:
        """The messages of a few loads at a time."""
        count = 0
        messages: list[tuple[bytes, bytes]] = []
        for load in loads:
            key = load.source.array.storage_id.encode()
            for body, points_ in self._formatted(load, MESSAGE_BYTES):
                messages.append((key, body))
                count += points_
        if messages:
            yield Piece(count, messages)

    async def send(self, piece: Piece) -> None:
        """Returns once the brokers acknowledged each message."""
        await self._client.send(piece.messages)

    async def close(self) -> None:
        """Lets go of the client."""
        await self._client.close()
