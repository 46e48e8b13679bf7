"""What there is to tell of storages and their syncs."""

from __future__ import annotations

from collections.abc import Iterator

from delphis.type.v1 import storage_pb2
from services.inventory.storages import rows
from services.inventory.storages.rows import StorageRow
from services.inventory.storages.syncing import Syncs
from services.observing.family import Family, Labels, Sample, counter, gauge, of
from services.observing.observer import Observer
from services.store.engine import Store
from services.values import times, uuids


def observe_inventory(observer: Observer, store: Store, syncs: Syncs) -> None:
    """Adds what there is to tell."""

    def counted() -> Iterator[Family]:
        yield gauge("delphis_syncs_running", "Syncs that run in this process.", Sample(syncs.running))
        yield gauge("delphis_syncs_waiting", "Syncs that wait for others to end.", Sample(syncs.waiting))
        yield counter(
            "delphis_syncs_total", "Syncs that ended, by outcome.", *of("outcome", syncs.counts.ended.items())
        )
        yield counter(
            "delphis_sync_seconds_total",
            "Time that syncs took in all, by outcome.",
            *of("outcome", syncs.counts.seconds.items()),
        )

    async def arrays() -> list[Family]:
        return list(_arrays(await store.scan(rows.all_live)))

    observer.add(counted)
    observer.inquire("arrays", arrays)


def _arrays(found: list[StorageRow]) -> Iterator[Family]:
    now = times.now()
    labelled = [(row, _labels(row)) for row in found]
    yield gauge("delphis_arrays", "Arrays that are registered.", Sample(len(found)))
    yield gauge(
        "delphis_array_paused",
        "Whether an operator wants nothing to be asked of the array (1).",
        *(Sample(float(row.is_paused(now)), labels) for row, labels in labelled),
    )
    yield gauge(
        "delphis_array_sync_ok",
        "Whether the array's last sync read everything (1), or not all or nothing (0).",
        *(
            Sample(float(row.sync_outcome == storage_pb2.SYNC_OUTCOME_OK), labels)
            for row, labels in labelled
            if row.sync_outcome != storage_pb2.SYNC_OUTCOME_NEVER
        ),
    )
    yield gauge(
        "delphis_array_last_sync_timestamp_seconds",
        "When a sync of the array last read everything, since 1970 UTC.",
        *(Sample(row.last_success_at / times.SECOND, labels) for row, labels in labelled if row.last_success_at),
    )


def _labels(row: StorageRow) -> Labels:
    return (
        ("storage_id", uuids.text(row.id)),
        ("storage_name", row.display_name or row.name),
        ("vendor", row.vendor or row.driver_vendor),
        ("model", row.model or row.driver_model),
    )
