"""The made-up alert by which a receiver is tried."""

from __future__ import annotations

import asyncio
import uuid

from delphis.alert.v1 import alert_pb2, delivery_pb2
from delphis.type.v1 import alert_pb2 as type_alert_pb2
from services.alerts.delivery.message import LoggedEvent, Message, Sink
from services.alerts.delivery.settings import DeliverySettings
from services.alerts.delivery.sinks import sinks_of
from services.outbound.errors import DeliveryFault, Unavailable
from services.values import times

TEST_ALERT = "delphis.test"
TEST_SECONDS = 25.0


def made_up(now: int) -> alert_pb2.Alert:
    """The alert."""
    alert = alert_pb2.Alert(
        id=str(uuid.uuid4()),
        state=alert_pb2.ALERT_STATE_OPEN,
        match_key=TEST_ALERT,
        origin=alert_pb2.ALERT_ORIGIN_DELPHIS,
        count=1,
        alert_id=TEST_ALERT,
        alert_name=TEST_ALERT,
        severity=type_alert_pb2.SEVERITY_INFORMATIONAL,
        category=type_alert_pb2.ALERT_CATEGORY_EVENT,
        description="Somebody tries whether this receiver is told. Nothing is wrong.",
        occur_time=now // 1000,
    )
    alert.first_raised_at.FromMicroseconds(now)
    alert.last_raised_at.FromMicroseconds(now)
    return alert


async def tell_made_up(receiver: delivery_pb2.Receiver, settings: DeliverySettings) -> alert_pb2.Alert:
    """Tells all addresses of the receiver, which has its secrets. Raises DeliveryFault where one doesn't take it."""
    now = times.now()
    alert = made_up(now)
    event = alert_pb2.AlertEvent(
        type=alert_pb2.ALERT_EVENT_TYPE_RAISED, origin=alert_pb2.ALERT_ORIGIN_DELPHIS, alert=alert
    )
    event.at.FromMicroseconds(now)
    message = Message(LoggedEvent(0, 0, now, event))
    sinks = sinks_of(receiver, settings)
    try:
        async with asyncio.timeout(TEST_SECONDS):
            faults = await asyncio.gather(*(_try(sink, message) for sink in sinks))
    except TimeoutError:
        raise Unavailable(f"It did not answer within {TEST_SECONDS:g} s.") from None
    finally:
        await asyncio.gather(*(sink.close() for sink in sinks))
    urls = receiver.alertmanager.urls
    for place, fault in enumerate(faults):
        if fault is not None:
            raise Unavailable(f"{urls[place]}: {fault.message}" if len(urls) > 1 else fault.message)
    return alert


async def _try(sink: Sink, message: Message) -> DeliveryFault | None:
    try:
        await sink.send([message])
    except DeliveryFault as fault:
        return fault
    return None
