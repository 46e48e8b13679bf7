"""Rates of images, pools, disks and the cluster, between the manager's counts.

The manager counts every 15 seconds and shows the last counts until then. So the time between two of them is not the
time between two questions, but the number of counts between them times those seconds: over a minute that is the
difference between right and a quarter wrong.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from delphis.sdk import AccessInfo, Capabilities, Context, MetricBatch, ResourceMetrics, errors, metrics

from .counters import OF_COUNTS, Counts, Image, Reading, reading
from .exposition import MetricsPage, access_of

COUNTED_EVERY = 15.0
INTERVAL_ATTRIBUTE = "prometheus_interval_s"
_TOTALS = ("iops", "readIops", "writeIops", "throughput", "readThroughput", "writeThroughput")
_TIMES = ("responseTime", "readResponseTime", "writeResponseTime")
MEASURED: Mapping[str, tuple[str, ...]] = {
    "storage": (*_TOTALS, *_TIMES),
    "storage_pool": _TOTALS,
    "volume": (*_TOTALS, *_TIMES, "ioSize", "readIoSize", "writeIoSize"),
    "disk": (*_TOTALS, *_TIMES),
}
# Names of images are read again where one isn't known, at most so often.
_NAMES_AGE = 300.0


@dataclass
class Rates:
    """What was counted between two times, by kind and native id.

    Attributes:
        when: The end of it, in seconds since 1970.
        seconds: How long it was.
    """

    when: float
    seconds: float
    counted: dict[str, dict[str, Counts]] = field(default_factory=dict[str, dict[str, Counts]])


@dataclass(frozen=True)
class _Asked:
    """A question that was answered: when it was asked, and the counters, of what time, and whose disks they are of."""

    at: float
    when: float
    reading: Reading
    disks: Mapping[str, str]


Names = Callable[[Context], Mapping[Image, str]]
Disks = Callable[[Context], Mapping[str, str]]


class Performance:
    """The counters of one cluster, remembered from one question to the next."""

    def __init__(self, access_info: AccessInfo, serial: Callable[[Context], str], images: Names, disks: Disks) -> None:
        """
        Args:
            access_info: Of the cluster.
            serial: Says the cluster's native id.
            images: Lists the native ids of images by pool, namespace and name.
            disks: Lists the native ids of disks by their daemons: `osd.0`.
        """
        self._page = MetricsPage(access_of(access_info))
        self._every = _interval(access_info)
        self._serial, self._list_images, self._list_disks = serial, images, disks
        self._clock = time.time
        self._lock = threading.Lock()
        self._before: _Asked | None = None
        self._latest: Rates | None = None
        self._names: dict[Image, str] = {}
        self._named_at = float("-inf")

    def close(self) -> None:
        self._page.close()

    def capabilities(self, context: Context) -> Capabilities:
        """What the page shows at this time: images are on it only where the module was told their pools."""
        found = Capabilities()
        try:
            now = reading(self._page.read(context))
        except errors.DriverError as error:
            context.check()
            context.warn(f"Nothing is measured: {error} Enable the manager's module prometheus.", reason=type(error))
            return found
        shown = {"storage": now.pools, "storage_pool": now.pools, "volume": now.images, "disk": now.disks}
        for kind, names in MEASURED.items():
            if shown[kind]:
                group = found.resource_metrics.add(kind=kind)
                group.interval.FromMilliseconds(round(self._every * 1000))
                for name in names:
                    group.metrics.add(name=name, unit=metrics.catalogue()[name].unit)
        return found

    def latest(self) -> float | None:
        """The time of the newest sample that was collected, in seconds since 1970. It makes none."""
        rates = self._latest
        return rates.when if rates is not None else None

    def collect(self, context: Context, asked: Sequence[ResourceMetrics]) -> Iterator[MetricBatch]:
        """The latest sample. The first question only begins: there is none."""
        rates = self._rates(context)
        if rates is None:
            return
        wanted = {group.kind: {metric.name for metric in group.metrics} for group in asked}
        for kind, counted in rates.counted.items():
            if (asked and kind not in wanted) or not counted:
                continue
            some = wanted.get(kind)
            names = [name for name in MEASURED[kind] if not some or name in some]
            if names:
                yield _batch(kind, names, counted, rates)

    def _rates(self, context: Context) -> Rates | None:
        if not self._lock.acquire(timeout=context.remaining):
            raise errors.ArrayTimeout("Another question for the counters of this cluster is still being answered.")
        try:
            after, now = reading(self._page.read(context)), self._clock()
            before = self._before
            if before is None or (after.number or 0) < (before.reading.number or 0):
                # The first question, or another manager: it counts from the beginning.
                self._before, self._latest = _Asked(now, now, after, self._list_disks(context)), None
                return None
            if after.number is not None and after.number == before.reading.number:
                return self._latest
            seconds = max(self._between(before.reading, after, now - before.at), 0.001)
            when = min(before.when + seconds, now)
            if when < now - self._every:
                when = now
            rates = Rates(when, seconds)
            disks = self._list_disks(context)
            self._count(context, rates, before.reading, after)
            # A disk that was replaced under the same number is another one.
            same = {daemon: key for daemon, key in disks.items() if before.disks.get(daemon) == key}
            rates.counted["disk"] = _since(before.reading.disks, after.disks, same)
            if rates.counted["storage_pool"]:
                rates.counted["storage"] = {self._serial(context): _whole(rates.counted)}
            self._before, self._latest = _Asked(now, when, after, disks), rates
            return rates
        finally:
            self._lock.release()

    def _between(self, before: Reading, after: Reading, passed: float) -> float:
        """Seconds between two counts."""
        if after.number is None or before.number is None:
            return passed
        counted = (after.number - before.number) * self._every
        # Where that can't be, the manager counts at another pace than we were told.
        return counted if abs(counted - passed) <= self._every + 5 else passed

    def _count(self, context: Context, rates: Rates, before: Reading, after: Reading) -> None:
        rates.counted["storage_pool"] = _since(before.pools, after.pools, {number: number for number in after.pools})
        for image, counts in after.images.items():
            if image in before.images and counts.since(before.images[image]) is None:
                # It counts anew: it may be another image of the same name.
                self._names.pop(image, None)
        if after.images.keys() - self._names.keys() and time.monotonic() - self._named_at > _NAMES_AGE:
            self._named_at = time.monotonic()
            try:
                self._names = dict(self._list_images(context))
            except errors.DriverError as error:
                context.check()
                context.warn(f"Images that are new are not measured: they could not be listed: {error}")
        rates.counted["volume"] = _since(before.images, after.images, self._names)

    def learn(self, image: Image, native_id: str) -> None:
        """The native id of an image, where it is listed anyway: many are not listed in a moment."""
        self._names[image] = native_id


def _since(
    before: Mapping[Image, Counts] | Mapping[str, Counts],
    after: Mapping[Image, Counts] | Mapping[str, Counts],
    names: Mapping[Image, str] | Mapping[str, str],
) -> dict[str, Counts]:
    """What each counted since; without those that are new, began anew, or have no name."""
    found: dict[str, Counts] = {}
    for key, counts in after.items():
        earlier, name = before.get(key), names.get(key)  # type: ignore[arg-type]
        if earlier is not None and name is not None:
            counted = counts.since(earlier)
            if counted is not None:
                found[name] = counted
    return found


def _whole(counted: Mapping[str, Mapping[str, Counts]]) -> Counts:
    """Of the cluster: what its pools did, and how long its disks took."""
    whole, waits = Counts(), Counts()
    for counts in counted["storage_pool"].values():
        whole = whole.plus(counts)
    for counts in counted["disk"].values():
        waits = waits.plus(counts)
    return waits._replace(
        reads=whole.reads, writes=whole.writes, read_bytes=whole.read_bytes, write_bytes=whole.write_bytes
    )


def _batch(kind: str, names: Sequence[str], counted: Mapping[str, Counts], rates: Rates) -> MetricBatch:
    batch = MetricBatch(kind=kind, native_ids=counted, metrics=names, steps=1)
    batch.start.FromMilliseconds(round(rates.when * 1000))
    batch.step.FromMilliseconds(round(rates.seconds * 1000))
    for name in names:
        of = OF_COUNTS[name]
        batch.values.extend([of(counts, rates.seconds) for counts in counted.values()])
    return batch


def _interval(access_info: AccessInfo) -> float:
    said = access_info.extra_attributes.get(INTERVAL_ATTRIBUTE, "").strip()
    try:
        every = float(said) if said else COUNTED_EVERY
    except ValueError:
        every = 0.0
    if not 1 <= every <= 3600:
        raise errors.AccessInfoIncomplete(
            f"extra_attributes.{INTERVAL_ATTRIBUTE}: {said!r} is no number of seconds from 1 to 3600.",
            field=f"extra_attributes.{INTERVAL_ATTRIBUTE}",
        )
    return every
