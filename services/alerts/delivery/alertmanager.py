"""Alertmanager: alerts by its API v2."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Sequence

import orjson

from delphis.alert.v1 import alert_pb2, delivery_pb2
from delphis.type.v1 import alert_pb2 as type_alert_pb2
from gateway.dialect import enum_texts
from services.alerts.delivery.message import Message
from services.alerts.delivery.settings import EVENTS_A_BATCH, DeliverySettings
from services.outbound.http_client import HttpClient
from services.values import times

DEFAULT_RESEND = 60.0
LAPSES_AFTER = 4
"""Sendings that Alertmanager may miss before it takes an alert as over, as Prometheus has it."""

_SEVERITIES = enum_texts(type_alert_pb2.Severity.DESCRIPTOR)
_CATEGORIES = enum_texts(type_alert_pb2.AlertCategory.DESCRIPTOR)
_NO_LABEL = re.compile(r"[^a-zA-Z0-9_]")


def labels_of(alert: alert_pb2.Alert) -> dict[str, str]:
    """The labels by which Alertmanager knows the alert. They are kept as they were when it was first told."""
    labels = {
        "alertname": alert.alert_name or alert.alert_id or alert.match_key or "alert",
        "alert_id": alert.alert_id,
        "match_key": alert.match_key,
        "severity": _SEVERITIES.get(alert.severity) or "",
        "category": _CATEGORIES.get(alert.category) or "",
        "storage_id": alert.storage_id,
        "storage_name": alert.storage_name,
        "vendor": alert.vendor,
        "model": alert.model,
        "serial_number": alert.serial_number,
        "resource_type": alert.resource_type,
        "native_resource_id": alert.native_resource_id,
        "origin": "delphis" if alert.origin == alert_pb2.ALERT_ORIGIN_DELPHIS else "array",
    }
    for name, value in alert.labels.items():
        labels[f"label_{_NO_LABEL.sub('_', name)}"] = value
    return {name: value for name, value in sorted(labels.items()) if value}


def annotations_of(alert: alert_pb2.Alert) -> dict[str, str]:
    """What may change while the alert is open."""
    annotations = {
        "summary": alert.alert_name or alert.description or alert.alert_id,
        "description": alert.description,
        "recovery_advice": alert.recovery_advice,
        "current_severity": _SEVERITIES.get(alert.severity) or "",
        "location": alert.location,
        "controller_name": alert.controller_name,
        "sequence_number": alert.sequence_number,
        "count": str(alert.count),
        "delphis_id": alert.id,
        "acknowledged_by": alert.acknowledged_by if alert.acknowledged else "",
        "note": alert.note,
    }
    return {name: value for name, value in annotations.items() if value}


class AlertmanagerSink:
    """Posts to one member of a cluster."""

    batch = EVENTS_A_BATCH

    def __init__(self, receiver: delivery_pb2.AlertmanagerReceiver, url: str, settings: DeliverySettings) -> None:
        span = receiver.resend_interval
        self.refresh = span.seconds + span.nanos / 1e9 if receiver.HasField("resend_interval") else DEFAULT_RESEND
        self._url = url.rstrip("/") + "/api/v2/alerts"
        self._public_url = settings.public_url.rstrip("/")
        headers: dict[str, str] = {}
        if receiver.bearer_token:
            headers["Authorization"] = f"Bearer {receiver.bearer_token}"
        elif receiver.username:
            pair = f"{receiver.username}:{receiver.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        secrets = [receiver.bearer_token, receiver.password, headers.get("Authorization", "").partition(" ")[2]]
        self._client = HttpClient(receiver.tls, settings, headers=headers, secrets=secrets)

    def identity(self, alert: alert_pb2.Alert) -> bytes:
        """Its labels, as JSON."""
        return orjson.dumps(labels_of(alert))

    async def send(self, messages: Sequence[Message]) -> None:
        """One POST, in which each alert is once, as it was last."""
        last = {message.event.alert.id: message for message in messages}
        now = times.now()
        await self._client.post(self._url, orjson.dumps([self._entry(message, now) for message in last.values()]), {})

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.close()

    def _entry(self, message: Message, now: int) -> dict[str, object]:
        alert = message.event.alert
        starts_at = times.of_stamp(alert.first_raised_at)
        if alert.state == alert_pb2.ALERT_STATE_CLEARED:
            ends_at = max(starts_at, times.of_stamp(alert.cleared_at))
        else:
            # Else Alertmanager would decide, and take it as over before we tell it again.
            ends_at = now + int(LAPSES_AFTER * self.refresh * times.SECOND)
        entry: dict[str, object] = {
            "labels": orjson.Fragment(message.identity or self.identity(alert)),
            "annotations": annotations_of(alert),
            "startsAt": _rfc3339(starts_at),
            "endsAt": _rfc3339(ends_at),
        }
        if self._public_url:
            entry["generatorURL"] = f"{self._public_url}/v1/alerts/{alert.id}"
        return entry


def _rfc3339(at: int) -> str:
    seconds, micros = divmod(at, times.SECOND)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{micros:06d}Z"
