"""Delfin's drivers through the adapter: reading their dicts beside building the same messages from keywords."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import Row
from delphis.delfin import points
from delphis.delfin.notes import Notes
from delphis.delfin.rows import Rows
from delphis.sdk import Context, Disk, MetricBatch, Port, Volume

COUNT = 1000
ROUNDS = 31
GOAL = "≤ 3"
UNITS = {
    "iops": "IOPS",
    "readIops": "IOPS",
    "writeIops": "IOPS",
    "readThroughput": "MB/s",
    "writeThroughput": "MB/s",
}


def volume(number: int) -> dict[str, Any]:
    """A volume as such drivers write it."""
    return {
        "name": f"volume {number}",
        "storage_id": "7f6d2f6e-5d0b-4f5e-9f0a-3f1f3f0e7f11",
        "description": "",
        "status": "normal",
        "native_volume_id": f"vol-{number}",
        "native_storage_pool_id": f"pool-{number % 7}",
        "wwn": f"6006016{number:025x}",
        "type": "thin",
        "total_capacity": 10_995_116_277_760 + number,
        "used_capacity": 1_099_511_627_776,
        "free_capacity": 9_895_604_649_984 + number,
        "compressed": True,
        "deduplicated": False,
    }


def disk(number: int) -> dict[str, Any]:
    """A disk."""
    return {
        "name": f"disk {number}",
        "storage_id": "7f6d2f6e-5d0b-4f5e-9f0a-3f1f3f0e7f11",
        "native_disk_id": f"disk-{number}",
        "serial_number": f"S3Z{number}",
        "manufacturer": "Acme",
        "model": "A-15",
        "firmware": "1.0",
        "speed": 7200,
        "capacity": 1_099_511_627_776,
        "status": "normal",
        "physical_type": "nl-sas",
        "logical_type": "member",
        "native_disk_group_id": None,
        "location": f"shelf {number}",
    }


def port(number: int) -> dict[str, Any]:
    """A port."""
    return {
        "name": f"port {number}",
        "storage_id": "7f6d2f6e-5d0b-4f5e-9f0a-3f1f3f0e7f11",
        "native_port_id": f"port-{number}",
        "location": f"slot {number}",
        "connection_status": "connected",
        "health_status": "normal",
        "type": "eth",
        "logical_type": "frontend",
        "speed": 10_000_000_000,
        "max_speed": 25_000_000_000,
        "native_parent_id": f"ctl-{number % 2}",
        "wwn": None,
        "mac_address": "02:00:00:00:00:01",
        "ipv4": "198.51.100.7",
    }


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of one run."""
    began = time.process_time()
    work()
    return time.process_time() - began


def compared(ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    """How many times as long ours takes: measured in turns, since the machine's speed varies."""
    ours()
    theirs()
    return statistics.median(timed(ours) / timed(theirs) for _ in range(ROUNDS))


def lists() -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """The adapter's work, and the constructors' for messages that are equal."""
    kinds: tuple[tuple[str, type[Any], Callable[[int], dict[str, Any]]], ...] = (
        ("volumes", Volume, volume),
        ("disks", Disk, disk),
        ("ports", Port, port),
    )
    for name, message, make in kinds:
        rows = [make(number) for number in range(COUNT)]
        reader: Rows[Any] = Rows(message)
        read = list(reader.messages(rows, Notes(Context("s"), name)))
        keywords = [{field.name: value for field, value in item.ListFields()} for item in read]

        def ours(reader: Rows[Any] = reader, rows: list[dict[str, Any]] = rows) -> object:
            return list(reader.messages(rows, Notes(Context("s"), "x")))

        def theirs(message: type[Any] = message, keywords: list[dict[str, Any]] = keywords) -> object:
            return [message(**values) for values in keywords]

        assert theirs() == read
        yield name, ours, theirs


def samples() -> tuple[Callable[[], object], Callable[[], object]]:
    """Metrics: 5 of 200 resources at 15 times."""
    times = range(1_763_819_400_000, 1_763_819_400_000 + 15 * 60_000, 60_000)
    series = [
        (
            metric,
            {"resource_type": "volume", "resource_id": f"vol-{number}", "unit": unit, "type": "RAW"},
            dict.fromkeys(times, number * 1.5),
        )
        for number in range(200)
        for metric, unit in UNITS.items()
    ]

    def ours() -> list[MetricBatch]:
        return list(points.batches(series, Notes(Context("s"), "x"), times[0], times[-1] + 1, historic=True))

    [batch] = ours()

    def theirs() -> MetricBatch:
        # Who has series in hand must turn them into columns, whoever's message it is.
        values = [values[time] * 1.0 for time in times for _, _, values in series]
        return MetricBatch(
            kind="volume",
            native_ids=dict.fromkeys(labels["resource_id"] for _, labels, _ in series),
            metrics=dict.fromkeys(name for name, _, _ in series),
            steps=len(times),
            values=values,
        )

    assert len(theirs().values) == len(batch.values)
    return ours, theirs


def run(folder: Path) -> Iterator[Row]:
    """The table's rows."""
    for name, ours, theirs in lists():
        yield Row(f"adapter: {name} from dicts", compared(ours, theirs), "times the messages' constructors", goal=GOAL)
    yield Row("adapter: metrics from series", compared(*samples()), "times the columns alone", goal=GOAL)
