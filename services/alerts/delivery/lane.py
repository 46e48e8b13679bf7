"""One lane: a task that tells one address of one receiver what happens, in order, as long as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from delphis.alert.v1 import alert_pb2, delivery_pb2
from services.alerts.delivery import event_log, lane_records, plan
from services.alerts.delivery.errors import LaneGone
from services.alerts.delivery.event_log import EventLog
from services.alerts.delivery.matching import Rules
from services.alerts.delivery.message import LoggedEvent, Message, Sink
from services.alerts.delivery.progress import Progress, Telling, keep
from services.alerts.delivery.receiver_checks import max_age_of
from services.alerts.delivery.settings import EVENTS_A_BATCH, DeliverySettings
from services.alerts.delivery.silencing import Silencing
from services.alerts.delivery.standing import Standing
from services.outbound.backoff import Backoff
from services.outbound.errors import Refused, Unavailable
from services.store.engine import Store
from services.store.errors import StoreFault
from services.values import times

log = logging.getLogger(__name__)

KEEP_SECONDS = 5.0
"""A position that moved past events that are not told is stored after this time."""
AGEING_SECONDS = 30.0
"""How often a lane that tells nobody looks for events that are too old."""
IDLE_SECONDS = 60.0
PACE_SECONDS = 0.1
"""Between two attempts, unless a whole batch waits."""

Trouble = Callable[[str | None], None]
"""Told of a backlog that is worth an alert, as a sentence; None: there is none."""


@dataclass(slots=True)
class LaneStatus:
    """How a lane does, beyond what is stored."""

    failures: int = 0
    last_failure_at: int = 0
    problem: str = ""
    next_at: int = 0


class LaneTask:
    """Tells one address."""

    def __init__(
        self,
        store: Store,
        events: EventLog,
        silencing: Silencing,
        settings: DeliverySettings,
        *,
        receiver: delivery_pb2.Receiver,
        lane: lane_records.Lane,
        sink: Sink | None,
        proven: bool,
        trouble: Trouble,
        problem: str = "",
    ) -> None:
        """Without a `sink` nobody is told, and only what is too old is dropped; `problem` says why."""
        self.status = LaneStatus(problem=problem)
        self.progress = Progress(lane.no, lane.position, lane.position, lane.last_success_at, proven=proven)
        self._store = store
        self._events = events
        self._silencing = silencing
        self._settings = settings
        self._receiver = receiver
        self._ordinal = lane.ordinal
        self._rules = Rules(receiver.rules)
        self._max_age = max_age_of(receiver)
        self._sink = sink
        self._trouble = trouble
        self._backoff = Backoff(settings.first_delay, settings.longest_delay)
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._refreshed = float("-inf")
        self._kept = float("-inf")
        self._released_at = 0
        self._generation = -1
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Which of the receiver's addresses it tells, where there are several."""
        urls = self._receiver.alertmanager.urls
        return urls[self._ordinal] if self._ordinal < len(urls) else self.name

    @property
    def name(self) -> str:
        """For the log."""
        return self._receiver.name

    def start(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._run(), name=f"receiver {self.name}")

    def wake(self) -> None:
        """There may be something to tell."""
        self._wake.set()

    async def stop(self, grace: float) -> None:
        """Lets an attempt under way end, within the grace, and ends."""
        self._stop.set()
        self._wake.set()
        task, self._task = self._task, None
        if task is not None:
            await asyncio.wait([task], timeout=grace)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._sink is not None:
            await self._sink.close()

    async def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                await self._silencing.refresh()
                busy = await self._step()
            except LaneGone:
                return
            except Unavailable as fault:
                await self._failed(fault.message, fault.retry_after)
            except StoreFault as fault:
                await self._failed(f"Our own store fails: {fault}", 0.0)
            except Exception:
                log.exception("telling the receiver %s failed in an unforeseen way", self.name)
                await self._failed("It failed in an unforeseen way; the log says more.", 0.0)
            else:
                if not busy and not self._stop.is_set():
                    await self._rest()
        with contextlib.suppress(LaneGone, StoreFault):
            await self._keep_position()

    async def _step(self) -> bool:
        """Does what is due; whether there may be more at once."""
        if self._sink is None:
            return await self._age()
        await self._refresh(self._sink)
        if await self._release(self._sink):
            return True
        position = self.progress.position
        limit = max(EVENTS_A_BATCH, self._sink.batch)
        rows = await self._store.read(lambda connection: event_log.rows_after(connection, position, limit))
        if not rows:
            self._succeeded()
            self._trouble(None)
            await self._keep_position(now_and_then=True)
            return False
        began = asyncio.get_running_loop().time()
        await self._tell(self._sink, self._events.parsed(rows))
        self._succeeded()
        if len(rows) < limit:
            # What comes in quick succession goes together: each attempt costs both sides more than each event.
            await _wait(self._stop, began + PACE_SECONDS - asyncio.get_running_loop().time())
        return True

    async def _tell(self, sink: Sink, events: list[LoggedEvent]) -> None:
        outlook = self._outlook(sink)
        standings = await self._standings(events)
        steps = plan.of_events(events, standings, outlook)
        aged = sum(step.dropped for step in steps)
        if aged:
            self._trouble(
                f"The receiver {self.name} did not take events in time: those older than its max_age are dropped."
            )
        try:
            await Telling(self._store, sink, self.progress, steps, self._stop.is_set).run()
        except Unavailable:
            self._complain(events[0].at)
            raise
        # Withheld though nothing silences it any more: it happened under a silence that is over, or is too old.
        now = times.now()
        for step, logged in zip(steps, events, strict=True):
            withheld = step.after != step.before and step.after.standing >= Standing.WITHHELD
            if withheld and not self._silencing.holds(logged.event.alert, now, now):
                self._generation = -1
                break

    async def _age(self) -> bool:
        """Gives up what is too old, where nobody can be told."""
        position = self.progress.position
        rows = await self._store.read(lambda connection: event_log.rows_after(connection, position, EVENTS_A_BATCH))
        oldest = times.now() - self._max_age
        events = [event for event in self._events.parsed(rows) if event.at < oldest]
        if not events:
            await self._keep_position(now_and_then=True)
            return False
        steps = plan.of_events(events, await self._standings(events), self._outlook(None))
        changes = {step.seq: step.after for step in steps}
        dropped = sum(step.dropped for step in steps)
        position = events[-1].position
        await keep(self._store, self.progress, position=position, changes=changes, dropped=dropped)
        return True

    async def _release(self, sink: Sink) -> bool:
        """Tells what silences withheld and no longer do; whether anything was told."""
        now = times.now()
        generation = self._silencing.generation
        if generation == self._generation and not self._silencing.ended_between(self._released_at, now):
            return False
        after, told = -1, False
        while page := await self._page(after, withheld=True):
            after = page[-1][0]
            seqs = [seq for seq, _ in page]
            alerts = await self._store.read(partial(event_log.open_alerts, seqs=seqs))
            newest = await self._store.read(partial(event_log.newest_events, seqs=seqs))
            steps = plan.of_withheld(
                page, alerts, newest, self._outlook(sink), position=self.progress.position, now=now
            )
            await Telling(self._store, sink, self.progress, steps, self._stop.is_set).run()
            told = told or any(step.message is not None for step in steps)
        self._generation, self._released_at = generation, now
        return told

    async def _refresh(self, sink: Sink) -> None:
        """Tells again what is open, where the receiver forgets what it does not hear of."""
        clock = asyncio.get_running_loop().time()
        if not sink.refresh or clock < self._refreshed + sink.refresh:
            return
        after = -1
        while page := await self._page(after):
            after = page[-1][0]
            seqs = [seq for seq, told in page if told.standing != Standing.WITHHELD]
            alerts = await self._store.read(partial(event_log.open_alerts, seqs=seqs))
            messages = [
                Message(_present(seq, alerts[seq]), told.identity or sink.identity(alerts[seq]))
                for seq, told in page
                if seq in alerts and told.standing != Standing.WITHHELD
            ]
            for start in range(0, len(messages), sink.batch):
                try:
                    await sink.send(messages[start : start + sink.batch])
                except Refused as fault:
                    # It takes those it can; each was taken, or dropped, when it was told first.
                    self.progress.refusal = f"It refused an alert that is open. {fault.message}"
        self._refreshed = clock

    async def _page(self, after: int, *, withheld: bool = False) -> list[tuple[int, lane_records.Told]]:
        lane = self.progress.lane
        return await self._store.scan(
            lambda connection: lane_records.page(connection, lane, after, EVENTS_A_BATCH, withheld=withheld)
        )

    async def _standings(self, events: list[LoggedEvent]) -> dict[int, lane_records.Told]:
        lane, seqs = self.progress.lane, list({event.seq for event in events})
        return await self._store.read(lambda connection: lane_records.standings(connection, lane, seqs))

    def _outlook(self, sink: Sink | None) -> plan.Outlook:
        now = times.now()
        return plan.Outlook(
            wanted=self._rules,
            silenced=lambda alert, at: self._silencing.holds(alert, at, now),
            identity=sink.identity if sink is not None else lambda alert: b"",
            all_events=self._receiver.all_events,
            oldest=now - self._max_age,
            stateful=self._receiver.HasField("alertmanager"),
        )

    async def _keep_position(self, *, now_and_then: bool = False) -> None:
        clock = asyncio.get_running_loop().time()
        if now_and_then and clock < self._kept + KEEP_SECONDS:
            return
        await keep(self._store, self.progress, position=self.progress.position, changes={}, flush=True)
        self._kept = clock

    def _succeeded(self) -> None:
        if self.status.failures:
            log.info("the receiver %s takes events again", self.name)
        self._backoff.succeeded()
        self.status.failures = 0
        self.status.next_at = 0
        self.status.problem = self.progress.refusal

    async def _failed(self, problem: str, retry_after: float) -> None:
        delay = self._backoff.failed(retry_after)
        now = times.now()
        self.status.failures = self._backoff.failures
        self.status.last_failure_at = now
        self.status.problem = problem
        self.status.next_at = now + int(delay * times.SECOND)
        if self._backoff.failures in (1, 10) or self._backoff.failures % 100 == 0:
            log.warning(
                "the receiver %s did not take events (failure %d), next attempt in %.0f s: %s",
                self.name,
                self._backoff.failures,
                delay,
                problem,
            )
        await _wait(self._stop, delay)

    async def _rest(self) -> None:
        """Until something happens, or is due."""
        if self._sink is None:
            await _wait(self._stop, AGEING_SECONDS)
            return
        span = IDLE_SECONDS
        if self.progress.position != self.progress.stored_position:
            span = KEEP_SECONDS
        if self._sink.refresh:
            span = min(span, self._refreshed + self._sink.refresh - asyncio.get_running_loop().time())
        now = times.now()
        if ends_at := self._silencing.next_end(now):
            span = min(span, (ends_at - now) / times.SECOND + 0.001)
        await _wait(self._wake, span)

    def _complain(self, since: int) -> None:
        """Says so where the first event that waits does so for too long."""
        patience = min(int(self._settings.backlog_warning * times.SECOND), self._max_age // 2)
        if times.now() - since > patience:
            self._trouble(f"The receiver {self.name} has not taken events for {patience // times.SECOND} s and longer.")


async def _wait(event: asyncio.Event, span: float) -> None:
    """Until the event is set, at most so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, span)):
            await event.wait()


def _present(seq: int, alert: alert_pb2.Alert) -> LoggedEvent:
    """An alert as it is now, as a sink takes it."""
    event = alert_pb2.AlertEvent(type=alert_pb2.ALERT_EVENT_TYPE_RAISED, alert=alert)
    return LoggedEvent(0, seq, 0, event)
