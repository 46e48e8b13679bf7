"""Kafka: events as messages of a topic, taken once all replicas in sync have them."""

from __future__ import annotations

from collections.abc import Sequence

from delphis.alert.v1 import alert_pb2, delivery_pb2
from services.alerts.delivery.message import Message
from services.alerts.delivery.settings import EVENTS_A_BATCH, DeliverySettings
from services.outbound.kafka import KafkaClient

_OWN = "OWN ALERTS"
"""The key of alerts that are about no storage, so that they stay in order too."""


class KafkaSink:
    """Writes to one topic."""

    batch = EVENTS_A_BATCH
    refresh = 0.0

    def __init__(self, kafka: delivery_pb2.KafkaReceiver, settings: DeliverySettings) -> None:
        self._client = KafkaClient(kafka, settings)

    def identity(self, alert: alert_pb2.Alert) -> bytes:
        """None: each event names its alert."""
        return b""

    async def send(self, messages: Sequence[Message]) -> None:
        """Returns once the brokers acknowledged each."""
        await self._client.send(
            [((message.event.alert.storage_id or _OWN).encode(), message.logged.json) for message in messages]
        )

    async def close(self) -> None:
        """Lets go of the client."""
        await self._client.close()
