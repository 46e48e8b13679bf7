"""From a receiver to what hands events to its addresses."""

from __future__ import annotations

from delphis.alert.v1 import delivery_pb2
from services.alerts.delivery.alertmanager import AlertmanagerSink
from services.alerts.delivery.kafka import KafkaSink
from services.alerts.delivery.log_lines import LogSink
from services.alerts.delivery.message import Sink
from services.alerts.delivery.settings import DeliverySettings
from services.alerts.delivery.webhook import WebhookSink


def sinks_of(receiver: delivery_pb2.Receiver, settings: DeliverySettings) -> list[Sink]:
    """One for each address, in their order. `receiver` has its secrets."""
    kind = receiver.WhichOneof("how")
    if kind == "webhook":
        return [WebhookSink(receiver.name, receiver.webhook, settings)]
    if kind == "alertmanager":
        return [AlertmanagerSink(receiver.alertmanager, url, settings) for url in receiver.alertmanager.urls]
    if kind == "kafka":
        return [KafkaSink(receiver.kafka, settings)]
    return [LogSink(receiver.name)]
