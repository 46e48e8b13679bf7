"""What there is to tell of collections, the journal and sinks."""

from __future__ import annotations

from collections.abc import Iterator

from services.fleet.fleet import Fleet
from services.observing.family import Family, Sample, counter, gauge, of
from services.observing.observer import Observer
from services.store.connection import Connection
from services.store.engine import Store
from services.telemetry import journal
from services.telemetry.acceptance import REASONS
from services.telemetry.collection.announced import awaited
from services.telemetry.collection.collector import Collector
from services.telemetry.sinks import records
from services.telemetry.sinks.sinks import Sinks
from services.values import times


def observe_collections(observer: Observer, fleet: Fleet, collector: Collector) -> None:
    """Adds how arrays are collected from."""

    def families() -> Iterator[Family]:
        yield counter(
            "delphis_points_collected_total", "Points that were taken from arrays.", Sample(collector.points_taken)
        )
        yield counter(
            "delphis_points_refused_total",
            "Values of arrays that were not taken, by reason.",
            *of("reason", ((reason, collector.refused.counts[reason]) for reason in REASONS)),
        )
        yield gauge("delphis_collections_running", "Arrays that are asked just now.", Sample(collector.running))
        failing: list[Sample] = []
        missed: list[Sample] = []
        for storage in fleet.all().values():
            labels = (
                ("storage_id", storage.id),
                ("storage_name", storage.name),
                ("vendor", storage.vendor),
                ("model", storage.model),
            )
            for kind, state, interval in awaited(storage, collector.known(storage.id)):
                of_kind = (*labels, ("kind", kind))
                failing.append(Sample(state.failures, of_kind))
                missed.append(Sample(state.missed(interval), of_kind))
        yield gauge("delphis_collection_failures", "Collections in a row that failed, by array and kind.", *failing)
        yield gauge(
            "delphis_collection_missed_windows",
            "Windows that passed since collections began to fail, by array and kind.",
            *missed,
        )

    observer.add(families)


def observe_sinks(observer: Observer, store: Store, sinks: Sinks) -> None:
    """Adds how far sinks are."""

    async def families() -> list[Family]:
        stored, size = await store.scan(_read)
        shown = [(sink.name, sink.status) for sink in await sinks.shown(stored)]
        now = times.now() / times.SECOND
        return [
            gauge("delphis_journal_bytes", "Points that are kept until every sink has them.", Sample(size)),
            gauge(
                "delphis_sink_backlog_bytes",
                "Points that wait for a sink.",
                *of("sink", ((name, status.backlog_bytes) for name, status in shown)),
            ),
            gauge(
                "delphis_sink_oldest_age_seconds",
                "For how long the oldest points have been waiting for a sink.",
                *of(
                    "sink",
                    (
                        (
                            name,
                            max(0.0, now - status.oldest_at.ToMicroseconds() / times.SECOND)
                            if status.HasField("oldest_at")
                            else 0.0,
                        )
                        for name, status in shown
                    ),
                ),
            ),
            counter(
                "delphis_sink_points_total",
                "Points that a sink took, refused for good, or that were given up, since it was made.",
                *(
                    Sample(count, (("sink", name), ("outcome", outcome)))
                    for name, status in shown
                    for outcome, count in (
                        ("delivered", status.delivered),
                        ("refused", status.refused),
                        ("dropped", status.dropped),
                    )
                ),
            ),
            gauge(
                "delphis_sink_failures",
                "Attempts in a row that failed.",
                *of("sink", ((name, status.failures) for name, status in shown)),
            ),
        ]

    observer.inquire("sinks", families)


def _read(connection: Connection) -> tuple[list[records.StoredSink], int]:
    return records.load_all(connection), journal.backlog(connection, 0)[0]
