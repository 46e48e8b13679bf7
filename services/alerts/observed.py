"""What there is to tell of traps, alerts and their delivery."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from delphis.alert.v1 import alert_pb2
from delphis.type.v1 import alert_pb2 as type_pb
from services.alerts.delivery import receiver_records
from services.alerts.delivery.delivery import Delivery
from services.alerts.parsing.handlers import TrapReceiver
from services.alerts.schema.book import alerts
from services.observing.family import Family, Sample, counter, gauge, of
from services.observing.observer import Observer
from services.store.connection import Connection
from services.store.engine import Store
from services.store.statement import statement
from services.values import times

_OPEN = statement(
    select(alerts.c.severity, func.count())
    .where(alerts.c.state == alert_pb2.ALERT_STATE_OPEN)
    .group_by(alerts.c.severity)
)
_DROPPED = ("dropped_full", "dropped_source", "dropped_kernel", "dropped_disk", "dropped_waiting")
_RECEIVED = "received"
_BYTES = "received_bytes"


def observe_traps(observer: Observer, receiver: TrapReceiver) -> None:
    """Adds the way of traps."""

    def families() -> Iterator[Family]:
        counts, now = receiver.counts(), receiver.shown()
        yield counter("delphis_traps_received_total", "Datagrams that came in.", Sample(counts.pop(_RECEIVED)))
        yield counter("delphis_traps_received_bytes_total", "Bytes of those datagrams.", Sample(counts.pop(_BYTES)))
        yield counter(
            "delphis_traps_dropped_total",
            "Traps that were lost, by reason.",
            *of("reason", ((name.removeprefix("dropped_"), counts.pop(name, 0)) for name in _DROPPED)),
        )
        yield counter(
            "delphis_trap_events_total",
            "What else happened to traps, in the words of the trap receiver's counts.",
            *of("event", sorted(counts.items())),
        )
        yield gauge("delphis_traps_spooled", "Traps that are kept and not yet read.", Sample(now.spooled))
        yield gauge("delphis_traps_spooled_bytes", "Size of the spool of traps.", Sample(now.spooled_bytes))
        yield gauge("delphis_traps_spooled_limit_bytes", "Largest size of the spool.", Sample(now.spool_limit_bytes))
        yield gauge("delphis_traps_waiting", "Traps that wait for the driver of their array.", Sample(now.waiting))
        yield gauge(
            "delphis_traps_receiving", "Whether traps are received as they should be (1).", Sample(not now.problem)
        )

    observer.add(families)


def observe_alerts(observer: Observer, store: Store, delivery: Delivery) -> None:
    """Adds alerts that are open, and how receivers are told of them."""

    async def open_alerts() -> list[Family]:
        counted = dict(await store.scan(_open_by_severity))
        names = ((_word(value), counted.get(value, 0)) for value in type_pb.Severity.values() if value > 1)
        return [gauge("delphis_alerts_open", "Alerts that are open, by severity.", *of("severity", names))]

    async def receivers() -> list[Family]:
        found = await store.read(receiver_records.load_all)
        statuses = await delivery.statuses(found)
        told = [
            ((("receiver", stored.receiver.name),), statuses[stored.id], stored.receiver.paused) for stored in found
        ]
        now = times.now() / times.SECOND

        return [
            gauge(
                "delphis_delivery_backlog",
                "Events that wait for a receiver.",
                *(Sample(status.backlog, labels) for labels, status, _ in told),
            ),
            gauge(
                "delphis_delivery_oldest_age_seconds",
                "For how long the oldest event has been waiting for a receiver.",
                *(
                    Sample(max(0.0, now - status.oldest_at.ToMicroseconds() / times.SECOND), labels)
                    if status.HasField("oldest_at")
                    else Sample(0, labels)
                    for labels, status, _ in told
                ),
            ),
            counter(
                "delphis_delivery_events_total",
                "Events that a receiver took, or that were dropped, since it was made.",
                *(
                    Sample(count, (*labels, ("outcome", outcome)))
                    for labels, status, _ in told
                    for outcome, count in (("delivered", status.delivered), ("dropped", status.dropped))
                ),
            ),
            gauge(
                "delphis_delivery_failures",
                "Attempts in a row that failed.",
                *(Sample(status.failures, labels) for labels, status, _ in told),
            ),
            gauge(
                "delphis_delivery_paused",
                "Whether an operator wants nothing to be told to a receiver (1).",
                *(Sample(float(paused), labels) for labels, _, paused in told),
            ),
        ]

    observer.inquire("alerts", open_alerts)
    observer.inquire("receivers", receivers)


def _open_by_severity(connection: Connection) -> list[tuple[int, int]]:
    return [(row[0], row[1]) for row in connection.all(_OPEN)]


def _word(severity: int) -> str:
    return type_pb.Severity.Name(severity).removeprefix("SEVERITY_").lower()  # type: ignore[arg-type]
