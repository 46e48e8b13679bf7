"""Performance samples: announced against delivered."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import NotRun, demands
from delphis.sdk.conformance.checks.lists import MOST_BYTES, completeness
from delphis.sdk.conformance.listing import Listing
from delphis.sdk.conformance.report import Problem
from delphis.sdk.host.contract import methods

_CLOCKS_DIFFER = timedelta(minutes=15)


def _window(bench: Bench) -> tuple[datetime, datetime]:
    """The last samples that the array has, two intervals of them and a quarter of an hour at least."""
    end = datetime.now(UTC)
    if "GetLatestPerfTimestamp" in bench.announced:
        reply = bench.call("GetLatestPerfTimestamp")
        answer = bench.answer(reply) if reply.ok else None
        if answer is not None and answer.HasField("timestamp"):
            end = answer.timestamp.ToDatetime(tzinfo=UTC) + timedelta(seconds=1)
    intervals = [g.interval.ToTimedelta() for g in (bench.capabilities.resource_metrics if bench.capabilities else ())]
    return end - max([timedelta(minutes=15), *(2 * interval for interval in intervals)]), end


def _collected(bench: Bench) -> tuple[Listing, datetime, datetime]:
    bench.needs("CollectPerfMetrics")
    _ = bench.storage
    begin, end = _window(bench)
    request: Any = bench.request("CollectPerfMetrics")
    request.begin_time.FromDatetime(begin)
    request.end_time.FromDatetime(end)
    method = methods()["CollectPerfMetrics"]
    return bench.list_now(method, begin_time=request.begin_time, end_time=request.end_time), begin, end


def _batches(bench: Bench) -> tuple[list[Any], datetime, datetime]:
    listing, begin, end = _collected(bench)
    if not listing.reply.ok:
        raise NotRun("no samples could be read: see metrics.read")
    if not listing.items:
        raise NotRun("the array gave no samples")
    return listing.items, begin, end


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
    batches, _, _ = _batches(bench)
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
    batches, _, _ = _batches(bench)
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
    for kind, metrics in named.items():
        if missing := metrics - delivered.get(kind, set()):
            yield Problem(f"{sorted(missing)} are announced, but not delivered.", f"CollectPerfMetrics, {kind}")


@demands("metrics.times", "Samples lie in the window that was asked for, where the array keeps history.")
def times(bench: Bench) -> Iterator[Problem]:
    batches, begin, end = _batches(bench)
    historic = bench.capabilities is not None and bench.capabilities.is_historic
    for batch in batches:
        first = batch.start.ToDatetime(tzinfo=UTC)
        last = first + batch.step.ToTimedelta() * max(0, batch.steps - 1)
        where = f"CollectPerfMetrics, {batch.kind}"
        if historic and not (begin <= first and last < end):
            yield Problem(f"Samples from {first} to {last} were not asked for: {begin} to {end}.", where)
        elif not historic and not end - timedelta(days=366) < first < end + _CLOCKS_DIFFER:
            yield Problem(f"The latest sample is of {first}.", where, "Times are the array's, in UTC.")


@demands("metrics.values", "Values are finite or NaN, not negative, and ratios lie between 0 and 1.")
def values(bench: Bench) -> Iterator[Problem]:
    batches, _, _ = _batches(bench)
    groups = bench.capabilities.resource_metrics if bench.capabilities is not None else ()
    ratios = {(group.kind, metric.name) for group in groups for metric in group.metrics if metric.unit == "1"}
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
            elif (batch.kind, name) in ratios and max(column, default=0) > 1.01:
                yield Problem(f"A ratio of {max(column)}.", where, "Ratios go from 0 to 1, not to 100.")


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
