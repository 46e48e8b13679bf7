"""What a receiver knows of an alert, and so what it is told when something happens to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from delphis.alert.v1 import alert_pb2


class Standing(IntEnum):
    """How an open alert stands with a receiver. The numbers are stored."""

    UNTOLD = 0
    """It was not told; the store has no row."""
    TOLD = 1
    """It was told, and knows how the alert is."""
    WITHHELD = 2
    """It would have been told, but for a silence."""
    OWED = 3
    """It was told, and would have been told of a change, but for a silence."""


_KNOWN = (Standing.TOLD, Standing.OWED)
_STATES = (alert_pb2.ALERT_EVENT_TYPE_RAISED, alert_pb2.ALERT_EVENT_TYPE_CHANGED)


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from an event."""

    tell: bool
    standing: Standing


def decide(type_: int, standing: Standing, *, wanted: bool, silenced: bool, all_events: bool) -> Decision:
    """What to do with an event.

    That an alert is over is told to whoever was told that it is, wanted or silenced or not: else he would look after
    it for ever. Who was not told hears nothing of its end.

    Args:
        type_: The event's AlertEventType.
        standing: How the alert stands with the receiver before the event.
        wanted: Whether the receiver's rules match the alert as it is after the event.
        silenced: Whether a silence does.
        all_events: Whether the receiver wants to hear of more than raised, changed, cleared.
    """
    known = standing in _KNOWN
    if type_ == alert_pb2.ALERT_EVENT_TYPE_CLEARED:
        return Decision(known, Standing.UNTOLD)
    if not known and not wanted:
        return Decision(False, Standing.UNTOLD)
    if type_ in _STATES:
        if silenced:
            return Decision(False, Standing.OWED if known else Standing.WITHHELD)
        return Decision(True, Standing.TOLD)
    if not all_events or silenced:
        return Decision(False, standing)
    return Decision(True, Standing.TOLD)


def released(standing: Standing, *, wanted: bool) -> Decision:
    """What to do with an open alert that was withheld, once no silence matches it any more."""
    if standing == Standing.WITHHELD and not wanted:
        return Decision(False, Standing.UNTOLD)
    return Decision(True, Standing.TOLD)


def release_type(standing: Standing) -> alert_pb2.AlertEventType.ValueType:
    """As what it is told then."""
    if standing == Standing.WITHHELD:
        return alert_pb2.ALERT_EVENT_TYPE_RAISED
    return alert_pb2.ALERT_EVENT_TYPE_CHANGED
