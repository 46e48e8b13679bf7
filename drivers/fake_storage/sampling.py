"""What an array measures, how often, and how long it keeps it: as its operator sets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TOTALS = ("iops", "readIops", "writeIops", "throughput", "readThroughput", "writeThroughput")
TIMES = ("responseTime", "readResponseTime", "writeResponseTime")
HITS = ("cacheHitRatio", "readCacheHitRatio", "writeCacheHitRatio")
SIZES = ("ioSize", "readIoSize", "writeIoSize")

#: What is measured, by kind: what SODA Delfin's API takes.
MEASURED: Mapping[str, tuple[str, ...]] = {
    "storage": (*TOTALS, *TIMES),
    "storage_pool": (*TOTALS, "responseTime"),
    "volume": (*TOTALS, *TIMES, *HITS, *SIZES),
    "controller": (*TOTALS, "responseTime", "cpuUsage"),
    "port": (*TOTALS, "responseTime"),
    "disk": (*TOTALS, "responseTime"),
    "filesystem": (*TOTALS, "readResponseTime", "writeResponseTime", *SIZES),
}
#: Capacities, which the array measures too while they grow.
CAPACITIES = ("totalCapacity", "usedCapacity", "freeCapacity", "usedRatio")
GROWING = ("storage", "storage_pool")
INTERVAL_S = 60
RETENTION_S = 86_400
MOST_S = 86_400
LONGEST_S = 10 * 366 * 86_400


@dataclass(frozen=True)
class Sampling:
    """Attributes:
    interval: Seconds between samples.
    retention: For how many seconds they are kept. 0: the array knows only its latest.
    measured: Metrics by kind.
    """

    interval: int
    retention: int
    measured: Mapping[str, tuple[str, ...]]


def measured(kinds: str, names: str, growing: bool) -> dict[str, tuple[str, ...]]:
    """What is measured where only some kinds, or some metrics, are named. Raises ValueError with a sentence."""
    possible = {
        kind: (*group, *(CAPACITIES if growing and kind in GROWING else ())) for kind, group in MEASURED.items()
    }
    wanted, known = _words(kinds), {name for group in possible.values() for name in group}
    if strange := wanted - possible.keys():
        raise ValueError(f"{min(strange)!r} is none of {', '.join(possible)}")
    some = _words(names)
    if strange := some - known:
        raise ValueError(f"{min(strange)!r} is none of {', '.join(sorted(known))}")
    found = {
        kind: tuple(name for name in group if not some or name in some)
        for kind, group in possible.items()
        if not wanted or kind in wanted
    }
    return {kind: group for kind, group in found.items() if group}


def _words(text: str) -> set[str]:
    return set(text.replace(",", " ").split())
