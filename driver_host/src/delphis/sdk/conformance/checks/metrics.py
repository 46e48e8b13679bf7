"""Performance samples: announced against delivered."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from delphis.sdk import metrics
from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import NotRun, demands
from delphis.sdk.conformance.checks.lists import MOST_BYTES, completeness
from delphis.sdk.conformance.listing import Listing
from delphis.sdk.conformance.report import Problem
from delphis.sdk.host.contract import methods

_CLOCKS_DIFFER = timedelta(minutes=15)
_LONGEST_INTERVAL = timedelta(days=1)


def window(bench: Bench) -> tuple[datetime, datetime]:
    """The last samples that the array has, two intervals of them and a quarter of an hour at least."""
    end = datetime.now(UTC)
    if "GetLatestPerfTimestamp" in bench.announced:
        reply = bench.call("GetLatestPerfTimestamp")
        answer = bench.answer(reply) if reply.ok else None
        if answer is not None and answer.HasField("timestamp"):
            end = answer.timestamp.ToDatetime(tzinfo=UTC) + timedelta(seconds=1)
    intervals = [g.interval.ToTimedelta() for g in (bench.capabilities.resource_metrics if bench.capabilities else ())]
    return end - max([timedelta(minutes=15), *(2 * interval for interval in intervals)]), end


def collected(bench: Bench, begin: datetime, end: datetime) -> Listing:
    """The samples of a window."""
    request: Any = bench.request("CollectPerfMetrics")
    request.begin_time.FromDatetime(begin)
    request.end_time.FromDatetime(end)
    method = methods()["CollectPerfMetrics"]
    return bench.list_now(method, begin_time=request.begin_time, end_time=request.end_time)


def _collected(bench: Bench) -> tuple[Listing, datetime, datetime]:
    bench.needs("CollectPerfMetrics")
    _ = bench.storage
    begin, end = window(bench)
    return collected(bench, begin, end), begin, end


def batches_now(bench: Bench) -> tuple[list[Any], datetime, datetime]:
    """The newest samples, and the window that they were asked for. NotRun where there are none."""
    listing, begin, end = _collected(bench)
    if not listing.reply.ok:
        raise NotRun("no samples could be read: see metrics.read")
    if not listing.items:
        raise NotRun("the array gave no samples")
    return listing.items, begin, end


@demands("metrics.catalogue", "Announced metrics are of the catalogue, in its units, of kinds that have them.")
def catalogue(bench: Bench) -> Iterator[Problem]:
    bench.needs("GetCapabilities")
    _ = bench.storage
    if bench.capabilities is None or not bench.capabilities.resource_metrics:
        raise NotRun("the array names no metrics")
    seen: set[str] = set()
    for group in bench.capabilities.resource_metrics:
        where = f"capabilities.resource_metrics of {group.kind}"
        if group.kind in seen:
            yield Problem(f"{group.kind} is named twice.", where, "Name all its metrics in one place.")
        seen.add(group.kind)
        for spec in group.metrics:
            if problem := metrics.announcement_problem(group.kind, spec):
                yield Problem(f"{problem}.", where, "docs/metrics.md has the catalogue; leave out what isn't in it.")


@demands("metrics.intervals", "Announced intervals and the retention are such that an array can have them.")
def intervals(bench: Bench) -> Iterator[Problem]:
    bench.needs("GetCapabilities")
    _ = bench.storage
    said = bench.capabilities
    if said is None or not said.resource_metrics:
        raise NotRun("the array names no metrics")
    longest = timedelta()
    for group in said.resource_metrics:
        if group.HasField("interval"):
            interval = group.interval.ToTimedelta()
            longest = max(longest, interval)
            if not timedelta() < interval <= _LONGEST_INTERVAL:
                where = f"capabilities.resource_metrics of {group.kind}"
                yield Problem(f"The interval is {interval.total_seconds():g} s.", where, "Seconds, up to a day.")
    retention = said.retention.ToTimedelta()
    if said.HasField("retention") and retention <= timedelta():
        yield Problem(f"It is {retention.total_seconds():g} s.", "capabilities.retention", "Leave it unset.")
    elif said.is_historic and said.HasField("retention") and retention < longest:
        yield Problem(
            f"Samples are kept for {retention.total_seconds():g} s, and made every {longest.total_seconds():g} s.",
            "capabilities.retention",
            "Both are durations: is one of them in minutes or milliseconds?",
        )


@demands("metrics.read", "CollectPerfMetrics is answered, in messages of at most 1 MiB, complete.")
def read(bench: Bench) -> Iterator[Problem]:
    listing, _, _ = _collected(bench)
    if not listing.reply.ok:
        yield Problem(str(listing.reply), "CollectPerfMetrics")
        return
    yield from completeness(listing)
    for number, message in enumerate(listing.messages, 1):
        if message.ByteSize() > MOST_BYTES + 16:
            yield Problem(f"Message {number} has {message.ByteSize()} bytes.", "CollectPerfMetrics", "1 MiB at most.")


@demands("metrics.columns", "A batch has steps × metrics × resources values, and names each column once.")
def columns(bench: Bench) -> Iterator[Problem]:
    batches, _, _ = batches_now(bench)
    for batch in batches:
        where = f"CollectPerfMetrics, {batch.kind}"
        wanted = batch.steps * len(batch.metrics) * len(batch.native_ids)
        if len(batch.values) != wanted or not wanted:
            yield Problem(
                f"It has {len(batch.values)} values; {batch.steps} steps × {len(batch.metrics)} metrics × "
                f"{len(batch.native_ids)} resources are {wanted}.",
                where,
                "One number for each time, metric and resource: NaN where there is no sample.",
            )
        for name in ("metrics", "native_ids"):
            values = list(getattr(batch, name))
            if len(set(values)) != len(values) or not all(values):
                yield Problem(f"{name} has empty or repeated entries.", where)
        if batch.steps > 1 and batch.step.ToNanoseconds() <= 0:
            yield Problem(f"It has {batch.steps} steps of {batch.step.ToTimedelta()}.", where, "Set `step`.")


@demands("metrics.announced", "Kinds, metrics and resources of the samples are those that the driver names elsewhere.")
def announced(bench: Bench) -> Iterator[Problem]:
    batches, _, _ = batches_now(bench)
    bench.needs("GetCapabilities")
    groups = bench.capabilities.resource_metrics if bench.capabilities is not None else ()
    named = {group.kind: {metric.name for metric in group.metrics} for group in groups}
    known = dict(bench.known_ids()) if any(rpc.startswith("List") for rpc in bench.announced - {"ListAlerts"}) else {}
    known["storage"] = frozenset({bench.storage.serial_number})
    delivered: dict[str, set[str]] = {}
    for batch in batches:
        where = f"CollectPerfMetrics, {batch.kind}"
        delivered.setdefault(batch.kind, set()).update(batch.metrics)
        if more := set(batch.metrics) - named.get(batch.kind, set()):
            yield Problem(f"{sorted(more)} are not in the capabilities.", where, "Name them in GetCapabilities.")
        if batch.kind in known and batch.kind != "storage" and (lost := set(batch.native_ids) - known[batch.kind]):
            yield Problem(f"{len(lost)} resources are in no list, such as {sorted(lost)[0]!r}.", where)
    for kind, names in named.items():
        if missing := names - delivered.get(kind, set()):
            yield Problem(f"{sorted(missing)} are announced, but not delivered.", f"CollectPerfMetrics, {kind}")


@demands(
    "metrics.times",
    "Samples lie in the window that was asked for, where the array keeps history, and as far apart as it announces.",
)
def times(bench: Bench) -> Iterator[Problem]:
    batches, begin, end = batches_now(bench)
    historic = bench.capabilities is not None and bench.capabilities.is_historic
    groups = bench.capabilities.resource_metrics if bench.capabilities is not None else ()
    every = {group.kind: group.interval.ToNanoseconds() for group in groups}
    for batch in batches:
        first = batch.start.ToDatetime(tzinfo=UTC)
        last = first + batch.step.ToTimedelta() * max(0, batch.steps - 1)
        where = f"CollectPerfMetrics, {batch.kind}"
        if historic and not (begin <= first and last < end):
            yield Problem(f"Samples from {first} to {last} were not asked for: {begin} to {end}.", where)
        elif not historic and not end - timedelta(days=366) < first < end + _CLOCKS_DIFFER:
            yield Problem(f"The latest sample is of {first}.", where, "Times are the array's, in UTC.")
        interval = every.get(batch.kind, 0)
        if batch.steps > 1 and interval > 0 and batch.step.ToNanoseconds() % interval:
            yield Problem(
                f"Samples are {batch.step.ToTimedelta().total_seconds():g} s apart, and announced for every "
                f"{interval / 1e9:g} s.",
                where,
                "Announce the array's own interval; steps are it, or a multiple of it.",
            )


@demands(
    "metrics.values", "Values are NaN, or such as can be: not negative, ratios up to 1, no more than any array has."
)
def values(bench: Bench) -> Iterator[Problem]:
    batches, _, _ = batches_now(bench)
    groups = bench.capabilities.resource_metrics if bench.capabilities is not None else ()
    units = {(group.kind, metric.name): metric.unit for group in groups for metric in group.metrics}
    for batch in batches:
        width = len(batch.native_ids)
        for number, name in enumerate(batch.metrics):
            column = [
                value
                for step in range(batch.steps)
                for value in batch.values[(step * len(batch.metrics) + number) * width :][:width]
                if not math.isnan(value)
            ]
            where = f"CollectPerfMetrics, {name} of {batch.kind}"
            if any(value < 0 or math.isinf(value) for value in column):
                yield Problem(f"It goes from {min(column)} to {max(column)}.", where, "NaN says that there is none.")
            elif (metric := metrics.find(name)) is None:
                if units.get((batch.kind, name)) == "1" and max(column, default=0) > 1.01:
                    yield Problem(f"A ratio of {max(column)}.", where, "Ratios go from 0 to 1, not to 100.")
            elif column and not metric.can_be(min(column), max(column)):
                advice = "Ratios go from 0 to 1, not to 100." if metric.unit == "1" else f"The unit is {metric.unit}."
                yield Problem(
                    f"It goes up to {max(column):g}; no array has more than {metric.largest:g}.", where, advice
                )


@demands("metrics.latest", "GetLatestPerfTimestamp gives a time that has been.")
def latest(bench: Bench) -> Iterator[Problem]:
    bench.needs("GetLatestPerfTimestamp")
    _ = bench.storage
    reply = bench.call("GetLatestPerfTimestamp")
    if not reply.ok:
        yield Problem(str(reply), "GetLatestPerfTimestamp", "Leave the time unset where there is no sample.")
        return
    answer = bench.answer(reply)
    if answer.HasField("timestamp"):
        when = answer.timestamp.ToDatetime(tzinfo=UTC)
        if not datetime(2000, 1, 1, tzinfo=UTC) < when < datetime.now(UTC) + _CLOCKS_DIFFER:
            yield Problem(f"It is {when.isoformat()}.", "GetLatestPerfTimestamp", "Seconds since 1970, in UTC.")
