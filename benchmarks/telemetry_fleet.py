"""Telemetry of a fleet: 1,000 arrays × 100 volumes × 9 metrics, every 60 seconds, for 5 minutes. Takes 10 minutes.

In a whole `up`, with the history and one remote write. Each sample is counted where it arrives: a window that was
missed is a hole there, one that was told twice a double.
"""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Row, cpu_seconds, peak_rss_mb, percentile, pss_mb, reset_peak
from benchmarks.remote_write import Receiver, receiving
from delphis.sdk import metrics
from services.telemetry.history.recorder import MAX_VOLUME_SERIES
from tests.support.up import Up, up, wait_for

ARRAYS, VOLUMES, MINUTES = 1000, 100, 5
METRICS: tuple[str, ...] = (
    *("iops", "readIops", "writeIops", "throughput", "readThroughput", "writeThroughput"),
    *("responseTime", "readResponseTime", "writeResponseTime"),
)
SERIES = ARRAYS * VOLUMES * len(METRICS)
MINUTE = 60
CLIENTS = 8
LATE = 90
"""Seconds after the last window within which all of it must have arrived."""
OTHER_KINDS = """
    disks controllers ports filesystems qtrees quotas shares storage_hosts storage_host_initiators
    storage_host_groups port_groups volume_groups masking_views
"""
EXPOSED = tuple(metrics.catalogue()[name].exposed("volume") for name in METRICS)


@dataclass(frozen=True, slots=True)
class Watched:
    """A process, or several of one kind, over the 5 minutes."""

    cores: float
    pss: float
    peak: float


def run(folder: Path) -> Iterator[Row]:
    """The rows."""
    with receiving(folder / "received") as receiver, up(folder, telemetry=True) as delphis:
        wait_for("telemetry", lambda: delphis.ask("GET", "/v1/collections").status == 200)
        sink = {"name": "receiver", "remote_write": {"url": receiver.url}}
        made = delphis.ask("POST", "/v1/metric-sinks", sink)
        assert made.status == 201, made
        began = time.monotonic()
        ids = _registered(delphis)
        yield Row(f"{ARRAYS:,} arrays × {VOLUMES} volumes registered, synced, set to {MINUTE} s", _since(began), "s")
        pids: dict[str, Callable[[], list[int]]] = {
            "telemetry": lambda: [delphis.child_pid("telemetry")],
            "core": lambda: [delphis.core_pid()],
            "host": partial(delphis.host_pids, "fake"),
        }
        yield Row("  telemetry while that was done", peak_rss_mb(pids["telemetry"]()[0]), "MB RSS peak")
        first, offset = _next_minute(), receiver.size()
        seen = _watched(pids, first, first + MINUTES * MINUTE)
        goals = {"telemetry": "< 400"}
        for name, one in seen.items():
            what = f"{name}, collecting {SERIES // MINUTE:,} points/s"
            yield Row(what, one.peak, "MB RSS peak", goal=goals.get(name, ""))
            yield Row("  largest of it", one.pss, "MB PSS")
            yield Row("  CPU", one.cores, "cores")
        yield Row("  load of the machine, 5 minutes", os.getloadavg()[1], "")
        yield from _judged(delphis, receiver, ids, first, offset)


def _since(began: float) -> float:
    return time.monotonic() - began


def _registered(delphis: Up) -> list[str]:
    settings = dict.fromkeys(OTHER_KINDS.split(), "0")
    settings |= {"volumes": str(VOLUMES), "perf_kinds": "volume", "perf_metrics": ", ".join(METRICS)}
    with ThreadPoolExecutor(CLIENTS) as clients:
        ids: list[str] = list(clients.map(lambda port: delphis.register(port, **settings)["id"], range(1, ARRAYS + 1)))

        def synced() -> bool:
            return all(one["sync_status"] == "SYNCED" for one in delphis.get("/v1/storages?limit=1000")["storages"])

        wait_for("end of all syncs", synced, 600, 1)

        def set_interval(id_: str) -> None:
            reply = delphis.ask("PATCH", f"/v1/storages/{id_}/collection", {"interval": f"{MINUTE}s"})
            assert reply.status == 200, reply

        list(clients.map(set_interval, ids))
    wait_for(
        "first collection of every array",
        lambda: all(_volumes(one).get("watermark") for one in _statuses(delphis)),
        600,
        1,
    )
    return ids


def _statuses(delphis: Up) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = delphis.get("/v1/collections?limit=1000")["collections"]
    return found


def _volumes(status: dict[str, Any]) -> dict[str, Any]:
    return next((kind for kind in status["kinds"] if kind["kind"] == "volume"), {})


def _next_minute() -> int:
    """The begin of the first window that is counted: seconds since 1970."""
    return (int(time.time()) // MINUTE + 1) * MINUTE


def _watched(pids: dict[str, Callable[[], list[int]]], begin: int, end: int) -> dict[str, Watched]:
    time.sleep(max(0.0, begin - time.time()))
    known = {name: find() for name, find in pids.items()}
    spent = {name: sum(map(cpu_seconds, some)) for name, some in known.items()}
    for some in known.values():
        for pid in some:
            reset_peak(pid)
    pss: dict[str, float] = dict.fromkeys(pids, 0.0)
    while time.time() < end:
        for name, some in known.items():
            pss[name] = max(pss[name], sum(map(pss_mb, some)))
        time.sleep(1)
    took = time.time() - begin
    assert known == {name: find() for name, find in pids.items()}, "a process was replaced"
    return {
        name: Watched(
            (sum(map(cpu_seconds, some)) - spent[name]) / took, pss[name], sum(peak_rss_mb(pid) for pid in some)
        )
        for name, some in known.items()
    }


def _judged(delphis: Up, receiver: Receiver, ids: list[str], first: int, offset: int) -> Iterator[Row]:
    last = first + (MINUTES - 1) * MINUTE

    def done() -> bool:
        waiting = [int(one["status"]["backlog_bytes"] or 0) for one in delphis.get("/v1/metric-sinks")["sinks"]]
        return not any(waiting) and all(_seconds(_volumes(one)["watermark"]) > last for one in _statuses(delphis))

    began = time.monotonic()
    wait_for("last window of every array", done, 600, 1)
    yield Row("  after the last window: until all of it was collected and sent", _since(began), "s", goal=f"≤ {LATE}")
    missed = [one for one in map(_volumes, _statuses(delphis)) if one["gaps"] or one["failures"]]
    yield Row("arrays with a gap, or a failure", len(missed), "", goal="≤ 0")
    samples = receiver.received(EXPOSED, offset)
    ours = samples[(samples[:, 1] >= first * 1000) & (samples[:, 1] <= last * 1000)]
    distinct, times_told = np.unique(ours, axis=0, return_counts=True)
    yield Row(f"of {SERIES * MINUTES:,} samples, sent twice", int((times_told - 1).sum()), "", goal="≤ 0")
    yield Row("  missing", SERIES * MINUTES - len(distinct), "", goal="≤ 0")
    yield Row("  series too many", len(np.unique(ours[:, 0])) - SERIES, "", goal="≤ 0")
    yield from _kept(delphis, ids, first, last)


def _seconds(text: str) -> float:
    """Since 1970."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()


def _kept(delphis: Up, ids: list[str], first: int, last: int) -> Iterator[Row]:
    """The history has as many series as it keeps, each whole."""
    series, points, spans = 0, 0, []
    for id_ in ids:
        question = {"kind": "volume", "metrics": METRICS, "storage_ids": [id_]}
        question |= {"begin_time": _stamp(first), "end_time": _stamp(last + 1)}
        began = time.monotonic()
        reply = delphis.ask("POST", "/v1/metrics:query", question)
        spans.append(_since(began))
        assert reply.status == 200, reply
        series += len(reply.json["series"])
        points += sum(len(one["values"]) for one in reply.json["series"])
    most = MAX_VOLUME_SERIES // len(METRICS) * len(METRICS)
    yield Row("series of volumes in the history", series, "", goal=f"≥ {min(SERIES, most)}")
    yield Row("  samples missing of them", series * MINUTES - points, "", goal="≤ 0")
    yield Row("  an array's series over REST, p50", percentile(spans, 0.5) * 1000, "ms")


def _stamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
