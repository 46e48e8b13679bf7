"""Webhooks: events as JSON in signed POSTs."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence

from delphis.alert.v1 import alert_pb2, delivery_pb2
from services.alerts.delivery.message import Message
from services.alerts.delivery.settings import EVENTS_A_BATCH, DeliverySettings
from services.alerts.delivery.wording import envelope
from services.outbound.http_client import HttpClient


def signature(key: str, timestamp: str, body: bytes) -> str:
    """The value of `Delphis-Signature`."""
    return "sha256=" + hmac.new(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class WebhookSink:
    """Posts to one address."""

    refresh = 0.0

    def __init__(self, name: str, webhook: delivery_pb2.WebhookReceiver, settings: DeliverySettings) -> None:
        self.batch = webhook.batch_size or EVENTS_A_BATCH
        self._name = name
        self._url = webhook.url
        self._key = webhook.signing_key
        headers = {header.name: header.value for header in webhook.headers}
        self._client = HttpClient(webhook.tls, settings, headers=headers, secrets=[self._key, *headers.values()])

    def identity(self, alert: alert_pb2.Alert) -> bytes:
        """None: each event names its alert."""
        return b""

    async def send(self, messages: Sequence[Message]) -> None:
        """One POST."""
        body = envelope(self._name, [message.logged.json for message in messages])
        headers = {}
        if self._key:
            timestamp = str(int(time.time()))
            headers = {"Delphis-Timestamp": timestamp, "Delphis-Signature": signature(self._key, timestamp, body)}
        await self._client.post(self._url, body, headers)

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.close()
