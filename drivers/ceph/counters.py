"""Counters of the cluster's parts at one time, and the rates between two times."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import add, ge, sub
from typing import NamedTuple

from .exposition import Sample

_NANOSECOND = 1e-9


class Counts(NamedTuple):
    """What was counted since the counting daemon began. Waits are in seconds, added up over operations."""

    reads: float = 0.0
    writes: float = 0.0
    read_bytes: float = 0.0
    write_bytes: float = 0.0
    read_waits: float = 0.0
    reads_waited: float = 0.0
    write_waits: float = 0.0
    writes_waited: float = 0.0

    def plus(self, other: Counts) -> Counts:
        return Counts._make(map(add, self, other))

    def since(self, earlier: Counts) -> Counts | None:
        """What was counted since then; None where a counter went back, as it does when its daemon restarts."""
        return Counts._make(map(sub, self, earlier)) if all(map(ge, self, earlier)) else None


# An image is known to the page by pool, namespace and name; a pool by its number; a disk by its daemon.
Image = tuple[str, str, str]


@dataclass
class Reading:
    """The counters at one time.

    Attributes:
        number: How often the manager had counted by then; None where it doesn't say.
    """

    number: float | None = None
    images: dict[Image, Counts] = field(default_factory=dict[Image, Counts])
    pools: dict[str, Counts] = field(default_factory=dict[str, Counts])
    disks: dict[str, Counts] = field(default_factory=dict[str, Counts])


# Field of `Counts`, and what a count is multiplied by.
_OF_IMAGE = {
    "ceph_rbd_read_ops": ("reads", 1.0),
    "ceph_rbd_write_ops": ("writes", 1.0),
    "ceph_rbd_read_bytes": ("read_bytes", 1.0),
    "ceph_rbd_write_bytes": ("write_bytes", 1.0),
    "ceph_rbd_read_latency_sum": ("read_waits", _NANOSECOND),
    "ceph_rbd_read_latency_count": ("reads_waited", 1.0),
    "ceph_rbd_write_latency_sum": ("write_waits", _NANOSECOND),
    "ceph_rbd_write_latency_count": ("writes_waited", 1.0),
}
_OF_POOL = {
    "ceph_pool_rd": ("reads", 1.0),
    "ceph_pool_wr": ("writes", 1.0),
    "ceph_pool_rd_bytes": ("read_bytes", 1.0),
    "ceph_pool_wr_bytes": ("write_bytes", 1.0),
}
# An operation that reads and then writes ("rw") is a write.
_OF_DISK = {
    "ceph_osd_op_r": ("reads", 1.0),
    "ceph_osd_op_w": ("writes", 1.0),
    "ceph_osd_op_rw": ("writes", 1.0),
    "ceph_osd_op_r_out_bytes": ("read_bytes", 1.0),
    "ceph_osd_op_rw_out_bytes": ("read_bytes", 1.0),
    "ceph_osd_op_w_in_bytes": ("write_bytes", 1.0),
    "ceph_osd_op_rw_in_bytes": ("write_bytes", 1.0),
    "ceph_osd_op_r_latency_sum": ("read_waits", 1.0),
    "ceph_osd_op_r_latency_count": ("reads_waited", 1.0),
    "ceph_osd_op_w_latency_sum": ("write_waits", 1.0),
    "ceph_osd_op_rw_latency_sum": ("write_waits", 1.0),
    "ceph_osd_op_w_latency_count": ("writes_waited", 1.0),
    "ceph_osd_op_rw_latency_count": ("writes_waited", 1.0),
}


def reading(page: Iterable[Sample]) -> Reading:
    """The counters of a page."""
    found = Reading()
    images: dict[Image, dict[str, float]] = {}
    pools: dict[str, dict[str, float]] = {}
    disks: dict[str, dict[str, float]] = {}
    for name, labels, value in page:
        if name in _OF_IMAGE:
            image = (labels.get("pool", ""), labels.get("namespace", ""), labels.get("image", ""))
            _count(images.setdefault(image, {}), *_OF_IMAGE[name], value)
        elif name in _OF_POOL:
            _count(pools.setdefault(labels.get("pool_id", ""), {}), *_OF_POOL[name], value)
        elif name in _OF_DISK:
            _count(disks.setdefault(labels.get("ceph_daemon", ""), {}), *_OF_DISK[name], value)
        elif name == "ceph_prometheus_collect_duration_seconds_count":
            found.number = max(value, found.number or 0.0)
    found.images = {key: Counts(**counts) for key, counts in images.items()}
    found.pools = {key: Counts(**counts) for key, counts in pools.items()}
    found.disks = {key: Counts(**counts) for key, counts in disks.items()}
    return found


def _count(into: dict[str, float], name: str, factor: float, value: float) -> None:
    into[name] = into.get(name, 0.0) + value * factor


def _mean(total: float, count: float) -> float:
    return total / count if count > 0 else math.nan


#: Each metric of what was counted in so many seconds. Means have no value where nothing was done.
OF_COUNTS: Mapping[str, Callable[[Counts, float], float]] = {
    "iops": lambda counts, seconds: (counts.reads + counts.writes) / seconds,
    "readIops": lambda counts, seconds: counts.reads / seconds,
    "writeIops": lambda counts, seconds: counts.writes / seconds,
    "throughput": lambda counts, seconds: (counts.read_bytes + counts.write_bytes) / seconds,
    "readThroughput": lambda counts, seconds: counts.read_bytes / seconds,
    "writeThroughput": lambda counts, seconds: counts.write_bytes / seconds,
    "responseTime": lambda counts, _: _mean(
        counts.read_waits + counts.write_waits, counts.reads_waited + counts.writes_waited
    ),
    "readResponseTime": lambda counts, _: _mean(counts.read_waits, counts.reads_waited),
    "writeResponseTime": lambda counts, _: _mean(counts.write_waits, counts.writes_waited),
    "ioSize": lambda counts, _: _mean(counts.read_bytes + counts.write_bytes, counts.reads + counts.writes),
    "readIoSize": lambda counts, _: _mean(counts.read_bytes, counts.reads),
    "writeIoSize": lambda counts, _: _mean(counts.write_bytes, counts.writes),
}
