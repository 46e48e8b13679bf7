"""The log as a receiver."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from delphis.alert.v1 import alert_pb2
from services.alerts.delivery.message import Message
from services.alerts.delivery.settings import EVENTS_A_BATCH

log = logging.getLogger(__name__)


class LogSink:
    """Writes one line for each event."""

    batch = EVENTS_A_BATCH
    refresh = 0.0

    def __init__(self, name: str) -> None:
        self._name = name

    def identity(self, alert: alert_pb2.Alert) -> bytes:
        """None: each event names its alert."""
        return b""

    async def send(self, messages: Sequence[Message]) -> None:
        """One line each; JSON has no line breaks of its own."""
        for message in messages:
            log.info("receiver %s: alert event %s", self._name, message.logged.json.decode())

    async def close(self) -> None:
        """Nothing to let go of."""
