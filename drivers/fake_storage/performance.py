"""What an array measures, and the columns of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import cycle, islice
from operator import mul, sub

from delphis.sdk import Capabilities, MetricBatch, ResourceMetrics, metrics

from . import files, hardware, pools, volumes
from .array import Array
from .load import OF_FLOW, Flow
from .sampling import CAPACITIES, HITS, SIZES, TIMES
from .work import Items, Moment, Work

# A message has a mebibyte; what is cut to it here need not be cut by the host.
_MOST_VALUES = 110_000
_MOST_RESOURCES = 8_000
_MOST_STEPS = 32

Names = Sequence[str]


class Performance:
    """The samples of one array."""

    def __init__(self, array: Array, now: Callable[[], float] = time.time) -> None:
        self._array = array
        self._sampling = array.settings.sampling
        self._now = now
        self._work: Work | None = None

    def capabilities(self) -> Capabilities:
        sampling = self._sampling
        found = Capabilities(is_historic=sampling.retention > 0)
        if sampling.retention:
            found.retention.FromSeconds(sampling.retention)
        for kind, names in sampling.measured.items():
            group = found.resource_metrics.add(kind=kind)
            group.interval.FromSeconds(sampling.interval)
            for name in names:
                group.metrics.add(name=name, unit=metrics.catalogue()[name].unit)
        return found

    def latest(self) -> int:
        """The time of the newest sample."""
        return int(self._now()) // self._sampling.interval * self._sampling.interval

    def collect(self, asked: Sequence[ResourceMetrics], begin: datetime, end: datetime) -> Iterator[MetricBatch]:
        times = self._times(begin, end)
        wanted = self._wanted(asked)
        work = self._present_work()
        for first in range(0, len(times), _MOST_STEPS):
            moments = [work.at(when) for when in times[first : first + _MOST_STEPS]]
            for kind, names in wanted.items():
                if names:
                    yield from self._columns(kind, names, work, moments)

    def _times(self, begin: datetime, end: datetime) -> range:
        interval, latest = self._sampling.interval, self.latest()
        if not self._sampling.retention:
            return range(latest, latest + 1)
        oldest = math.ceil((self._now() - self._sampling.retention) / interval) * interval
        first = max(oldest, math.ceil(begin.timestamp() / interval) * interval)
        return range(first, min(latest + 1, math.ceil(end.timestamp())), interval)

    def _wanted(self, asked: Sequence[ResourceMetrics]) -> dict[str, Names]:
        """The metrics to read of each kind. What is not measured is left out; no metrics means all of the kind."""
        measured = self._sampling.measured
        if not asked:
            return dict(measured)
        found: dict[str, Names] = {}
        for group in asked:
            names = {metric.name for metric in group.metrics}
            found[group.kind] = [name for name in measured.get(group.kind, ()) if name in names or not names]
        return found

    def _present_work(self) -> Work:
        snapshot = self._array.present()
        work = self._work
        if work is None or work.volumes.span != snapshot.volumes or work.snapshot.tick != snapshot.tick:
            work = self._work = Work(self._array, snapshot)
        return work

    def _columns(self, kind: str, names: Names, work: Work, moments: Sequence[Moment]) -> Iterator[MetricBatch]:
        if kind == "volume":
            flows = [moment.of_volumes for moment in moments]
            yield from self._item_columns(kind, names, work.volumes, work.snapshot.volume_id, moments, flows)
        elif kind == "filesystem":
            flows = [moment.of_filesystems for moment in moments]
            yield from self._item_columns(kind, names, work.filesystems, files.filesystem_id, moments, flows)
        elif kind == "disk":
            yield from self._disk_columns(names, moments)
        else:
            yield from self._flow_columns(kind, names, work, moments)

    # ---- A few resources: each number by itself ----

    def _flow_columns(self, kind: str, names: Names, work: Work, moments: Sequence[Moment]) -> Iterator[MetricBatch]:
        native_ids: list[str]
        of: Callable[[Moment], Sequence[Flow]]
        match kind:
            case "storage":
                native_ids, of = [self._array.identity.serial_number], lambda moment: [moment.storage]
            case "storage_pool":
                count = self._array.counts["storage_pools"]
                native_ids, of = [volumes.pool_id(pool) for pool in range(count)], lambda moment: moment.pools[:count]
            case "controller":
                native_ids, of = [hardware.controller_id(index) for index in work.serving], Moment.controllers
            case _:
                native_ids = [hardware.port_id(port) for ports in work.front_end for port in ports]
                of = Moment.ports
        yield from _cut(kind, names, native_ids, moments, self._sampling.interval, of)

    def _disk_columns(self, names: Names, moments: Sequence[Moment]) -> Iterator[MetricBatch]:
        for pool in range(self._array.counts["storage_pools"]):
            working = [disk for disk in self._array.disks_of_pool(pool) if pools.is_working(self._array, disk)]
            native_ids = [pools.disk_id(disk) for disk in working]
            of = _disks_of(pool, len(working))
            yield from _cut("disk", names, native_ids, moments, self._sampling.interval, of)

    # ---- Very many resources: a column at a time ----

    def _item_columns(
        self,
        kind: str,
        names: Names,
        items: Items,
        native_id: Callable[[int], str],
        moments: Sequence[Moment],
        flows: Sequence[Sequence[Flow]],
    ) -> Iterator[MetricBatch]:
        low, high = items.span
        at_once = max(1, min(_MOST_RESOURCES, _MOST_VALUES // len(names)))
        for start in range(low, high, at_once):
            stop = min(start + at_once, high)
            weights = items.weights(start, stop)
            native_ids = [native_id(index) for index in range(start, stop)]
            turn = start % items.load.shapes
            steps = max(1, _MOST_VALUES // (len(names) * len(native_ids)))
            for first in range(0, len(moments), steps):
                part = moments[first : first + steps]
                batch = _batch(kind, names, native_ids, part, self._sampling.interval)
                for shapes in flows[first : first + steps]:
                    turned = [*shapes[turn:], *shapes[:turn]][: len(native_ids)]
                    for name in names:
                        column = cycle(list(map(OF_FLOW[name], turned)))
                        if name in HITS:
                            batch.values.extend(list(islice(column, len(native_ids))))
                        else:
                            by = getattr(weights, _WEIGHT_OF[name])
                            batch.values.extend(list(map(mul, by, column)))
                yield batch


_WEIGHT_OF = {
    **dict.fromkeys(("iops", "readIops", "writeIops"), "operations"),
    **dict.fromkeys(("throughput", "readThroughput", "writeThroughput"), "bytes"),
    **dict.fromkeys(TIMES, "waits"),
    **dict.fromkeys(SIZES, "sizes"),
}


def _disks_of(pool: int, count: int) -> Callable[[Moment], Sequence[Flow]]:
    return lambda moment: moment.disks(pool, count)


def _cut(
    kind: str,
    names: Names,
    native_ids: Sequence[str],
    moments: Sequence[Moment],
    interval: int,
    of: Callable[[Moment], Sequence[Flow]],
) -> Iterator[MetricBatch]:
    if not native_ids:
        return
    batch = _batch(kind, names, native_ids, moments, interval)
    for moment in moments:
        flows = of(moment)
        for name in names:
            if name == "cpuUsage":
                column = moment.cpu()
            elif name in CAPACITIES:
                column = _capacities(kind, name, moment)
            else:
                column = list(map(OF_FLOW[name], flows))
            batch.values.extend(column)
    yield batch


def _capacities(kind: str, name: str, moment: Moment) -> list[float]:
    total, used = ([float(getattr(room, word)) for room in moment.rooms] for word in ("total", "used"))
    if kind == "storage":
        total, used = [sum(total)], [sum(used)]
    match name:
        case "totalCapacity":
            return total
        case "usedCapacity":
            return used
        case "freeCapacity":
            return list(map(sub, total, used))
        case _:
            return [part / whole if whole else math.nan for part, whole in zip(used, total, strict=True)]


def _batch(kind: str, names: Names, native_ids: Sequence[str], moments: Sequence[Moment], interval: int) -> MetricBatch:
    batch = MetricBatch(kind=kind, native_ids=native_ids, metrics=names, steps=len(moments))
    batch.start.FromSeconds(moments[0].when)
    batch.step.FromSeconds(interval)
    return batch
