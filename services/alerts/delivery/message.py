"""What a sink is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from delphis.alert.v1 import alert_pb2
from services.alerts.delivery.wording import event_json


@dataclass(eq=False)
class LoggedEvent:
    """An event of the log. Receivers share it, and its JSON."""

    position: int
    seq: int
    """Of its alert."""
    at: int
    """Microseconds since 1970."""
    event: alert_pb2.AlertEvent

    @cached_property
    def json(self) -> bytes:
        """It as the REST API prints it."""
        return event_json(self.event)


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """An event for one receiver."""

    logged: LoggedEvent
    identity: bytes = field(default=b"", repr=False)
    """What `Sink.identity` said when the receiver was first told of the alert."""

    @property
    def event(self) -> alert_pb2.AlertEvent:
        """The event."""
        return self.logged.event


class Sink(Protocol):
    """Hands events to one place."""

    batch: int
    """Events that it takes at once."""
    refresh: float
    """Seconds after which it wants to be told again of what is open; 0: never."""

    def identity(self, alert: alert_pb2.Alert) -> bytes:
        """What must stay the same as long as the alert is open, to be kept for the sink; or nothing."""
        ...

    async def send(self, messages: Sequence[Message]) -> None:
        """Returns once all of them are taken.

        Raises:
            Unavailable: none, or only the first `accepted` of them, are known to be taken.
            Refused: something in them will never be taken.
        """
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...
