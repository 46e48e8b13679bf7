"""Events as the JSON of the REST API."""

from __future__ import annotations

import orjson

from delphis.alert.v1 import alert_pb2
from gateway.dialect import DELFIN
from gateway.encode import Encoders

_encode = Encoders(DELFIN).of(alert_pb2.AlertEvent.DESCRIPTOR)


def event_json(event: alert_pb2.AlertEvent) -> bytes:
    """The event as `GET /v1/alerts/{id}/events` prints it."""
    return orjson.dumps(_encode(event))


def envelope(receiver: str, events: list[bytes]) -> bytes:
    """The body of a webhook's POST."""
    return b'{"version":1,"receiver":%b,"events":[%b]}' % (orjson.dumps(receiver), b",".join(events))
