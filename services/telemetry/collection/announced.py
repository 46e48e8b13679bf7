"""What an array announces of its metrics, as it can be used: no array is trusted to make sense."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from delphis.sdk import metrics
from delphis.telemetry.v1 import telemetry_pb2
from delphis.type.v1 import metric_pb2
from services.fleet.storage import Storage
from services.telemetry.collection import plan
from services.telemetry.collection.plan import Pace
from services.telemetry.collection.records import Collection, KindState

ALL = "storage"
"""Stands for all kinds as long as an array did not say what it measures."""
LONGEST_RETENTION = 10 * 366 * 24 * 3600 * 1000


def paces(collection: Collection) -> dict[str, Pace]:
    """How each kind that the array measures is collected. Not to be changed."""
    told, settings = collection.capabilities, collection.settings
    if told is None:
        return {}
    known = collection.paces
    if known is None or known[0] is not told or known[1] is not settings:
        known = collection.paces = told, settings, _paces(told, settings)
    return known[2]


def _paces(told: metric_pb2.Capabilities, settings: telemetry_pb2.CollectionSettings) -> dict[str, Pace]:
    wanted = settings.interval.ToMilliseconds() if settings.HasField("interval") else 0
    kept = retention(told)
    return {
        one.kind: Pace(
            plan.pace_interval(settings.kind_intervals.get(one.kind, 0) * 1000 or wanted, _sampling(one), kept),
            told.is_historic,
            kept,
        )
        for one in usable(told)
    }


def measured(collection: Collection) -> Iterator[tuple[str, KindState, int]]:
    """The kinds that the array measures, how far they are, and their intervals in milliseconds."""
    if collection.capabilities is None and ALL in collection.kinds:
        yield ALL, collection.kinds[ALL], plan.DEFAULT_INTERVAL
    for kind, pace in sorted(paces(collection).items()):
        yield kind, collection.kinds.get(kind, KindState()), pace.interval


def awaited(storage: Storage, collection: Collection) -> Iterator[tuple[str, KindState, int]]:
    """The same; nothing while nobody is to ask the array."""
    return iter(()) if storage.paused or collection.settings.off else measured(collection)


def usable(told: metric_pb2.Capabilities) -> list[metric_pb2.ResourceMetrics]:
    """What can be asked for: kinds and metrics of the catalogue, in its units."""
    found: list[metric_pb2.ResourceMetrics] = []
    for one in told.resource_metrics:
        specs = [spec for spec in one.metrics if _is_usable(one.kind, spec)]
        if specs:
            asked = metric_pb2.ResourceMetrics(kind=one.kind, metrics=specs)
            if one.HasField("interval"):
                asked.interval.CopyFrom(one.interval)
            found.append(asked)
    return found


def retention(told: metric_pb2.Capabilities) -> int:
    """How long an array keeps samples, in milliseconds; 0 where it keeps none."""
    if not told.is_historic:
        return 0
    kept = told.retention.ToMilliseconds() if told.HasField("retention") else 0
    return min(kept, LONGEST_RETENTION) if kept > 0 else plan.DEFAULT_RETENTION


def problems(collection: Collection) -> Iterator[str]:
    """What is announced and can't be, or costs points, in sentences."""
    told = collection.capabilities
    if told is None:
        return
    if told.is_historic and told.HasField("retention") and told.retention.ToMilliseconds() <= 0:
        yield "The driver announces that samples are kept for no time; an hour is taken for it."
    seen: set[str] = set()
    for one in told.resource_metrics:
        if one.kind in seen:
            yield f"The driver announces the kind {one.kind[:100]!r} twice; the last one counts."
        seen.add(one.kind)
        if one.HasField("interval") and one.interval.ToMilliseconds() <= 0:
            yield f"The driver announces no interval of samples for {one.kind[:100]!r}; it is not counted."
        for spec in one.metrics:
            problem = metrics.announcement_problem(one.kind, spec)
            if problem is not None:
                yield f"The driver announces for {one.kind[:100]!r}: {problem[:300]}."
    for kind, pace in paces(collection).items():
        if pace.historic and pace.retention < pace.interval:
            kept, interval = (timedelta(milliseconds=span) for span in (pace.retention, pace.interval))
            yield (
                f"The array keeps samples of {kind[:100]!r} for {kept}, and is asked every {interval}: those in between"
                " are lost. Set a shorter interval."
            )


def _is_usable(kind: str, spec: metric_pb2.MetricSpec) -> bool:
    metric = metrics.find(spec.name)
    return metric is not None and kind in metric.kinds and spec.unit in ("", metric.unit)


def _sampling(measured: metric_pb2.ResourceMetrics) -> int:
    interval = measured.interval.ToMilliseconds() if measured.HasField("interval") else 0
    return min(interval, plan.MOST_INTERVAL) if interval > 0 else 0
