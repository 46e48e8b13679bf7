"""What a lane is about to do: events, what is told of them, and how their alerts stand with it then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from delphis.alert.v1 import alert_pb2
from services.alerts.delivery.lane_records import UNTOLD, Told
from services.alerts.delivery.message import LoggedEvent, Message
from services.alerts.delivery.settings import BYTES_A_BATCH
from services.alerts.delivery.standing import Standing, decide, release_type, released

_CLEARED = alert_pb2.ALERT_EVENT_TYPE_CLEARED


@dataclass(frozen=True, slots=True)
class Step:
    """One event, or one alert that was withheld."""

    seq: int
    position: int
    """Where the lane is after it."""
    before: Told
    after: Told
    message: Message | None = None
    """What is told; None: nothing."""
    dropped: bool = False
    """It should have been told, but is too old."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """By what a lane decides."""

    wanted: Callable[[alert_pb2.Alert], bool]
    silenced: Callable[[alert_pb2.Alert, int], bool]
    """Whether it is silenced now or was at the time, microseconds."""
    identity: Callable[[alert_pb2.Alert], bytes]
    all_events: bool
    oldest: int
    """What happened before this time is not told any more, microseconds."""
    stateful: bool
    """What is too old to be told as an event is told as it is now, if it is open."""


def of_events(events: Sequence[LoggedEvent], standings: Mapping[int, Told], outlook: Outlook) -> list[Step]:
    """What follows from events, in their order."""
    current = dict(standings)
    steps = []
    for logged in events:
        before = current.get(logged.seq, UNTOLD)
        step = _of_event(logged, before, outlook)
        current[logged.seq] = step.after
        steps.append(step)
    return steps


def _of_event(logged: LoggedEvent, before: Told, outlook: Outlook) -> Step:
    alert = logged.event.alert
    decision = decide(
        logged.event.type,
        before.standing,
        wanted=outlook.wanted(alert),
        silenced=outlook.silenced(alert, logged.at),
        all_events=outlook.all_events,
    )
    if decision.tell and logged.at < outlook.oldest:
        return _too_old(logged, before, outlook)
    if not decision.tell:
        after = before if decision.standing == before.standing else Told(decision.standing, before.identity)
        return Step(logged.seq, logged.position, before, after)
    identity = before.identity or outlook.identity(alert)
    return Step(
        logged.seq, logged.position, before, Told(decision.standing, identity), message=Message(logged, identity)
    )


def _too_old(logged: LoggedEvent, before: Told, outlook: Outlook) -> Step:
    if logged.event.type == _CLEARED:
        return Step(logged.seq, logged.position, before, UNTOLD, dropped=True)
    if outlook.stateful:
        standing = Standing.WITHHELD if before.standing in (Standing.UNTOLD, Standing.WITHHELD) else Standing.OWED
        return Step(logged.seq, logged.position, before, Told(standing, before.identity))
    return Step(logged.seq, logged.position, before, before, dropped=True)


def of_withheld(
    page: Sequence[tuple[int, Told]],
    alerts: Mapping[int, alert_pb2.Alert],
    newest: Mapping[int, tuple[int, int]],
    outlook: Outlook,
    *,
    position: int,
    now: int,
) -> list[Step]:
    """What becomes of alerts that were withheld.

    Args:
        page: How they stand.
        alerts: Those of them that are open.
        newest: Position and time of the newest event of each.
        position: Where the lane is, and stays.
        now: Microseconds.
    """
    steps = []
    for seq, before in page:
        alert = alerts.get(seq)
        if alert is None:
            # It is over. Who was told that it is still hears so by that event.
            after = Told(Standing.TOLD, before.identity) if before.standing == Standing.OWED else UNTOLD
            steps.append(Step(seq, position, before, after))
            continue
        if outlook.silenced(alert, now):
            continue
        decision = released(before.standing, wanted=outlook.wanted(alert))
        if not decision.tell:
            steps.append(Step(seq, position, before, UNTOLD))
            continue
        event_position, at = newest.get(seq, (0, now))
        event = alert_pb2.AlertEvent(type=release_type(before.standing), origin=alert.origin, alert=alert)
        event.position = event_position
        event.at.FromMicroseconds(at)
        identity = before.identity or outlook.identity(alert)
        logged = LoggedEvent(event_position, seq, at, event)
        steps.append(Step(seq, position, before, Told(decision.standing, identity), message=Message(logged, identity)))
    return steps


def portions(steps: Sequence[Step], events: int) -> Iterator[list[int]]:
    """The places of steps that tell something, in portions that are sent at once."""
    portion: list[int] = []
    size = 0
    for place, step in enumerate(steps):
        if step.message is None:
            continue
        length = len(step.message.logged.json)
        if portion and (len(portion) >= events or size + length > BYTES_A_BATCH):
            yield portion
            portion, size = [], 0
        portion.append(place)
        size += length
    if portion:
        yield portion
