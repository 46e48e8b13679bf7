"""Performance samples against each other: each once, the same whenever they are asked for, and no contradictions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import NotRun, demands
from delphis.sdk.conformance.checks.metrics import batches_now, collected
from delphis.sdk.conformance.report import Problem

# Kind, metric, resource, nanoseconds since 1970.
_Place = tuple[str, str, str, int]

# Totals, and what they are the sum of.
_SUMS = (("iops", "readIops", "writeIops"), ("throughput", "readThroughput", "writeThroughput"))
# Bytes per second, operations per second, bytes of an operation.
_PRODUCTS = (
    ("throughput", "iops", "ioSize"),
    ("readThroughput", "readIops", "readIoSize"),
    ("writeThroughput", "writeIops", "writeIoSize"),
)
# Arrays sample their counters one after the other, and count operations that are neither reads nor writes.
_ROUGHLY = 0.15
_HALF = 2.0
# Below this many operations a second one more or less makes a difference.
_IDLE = 1.0


def _samples(batches: Iterable[Any]) -> Iterator[tuple[_Place, float]]:
    for batch in batches:
        start, step = batch.start.ToNanoseconds(), batch.step.ToNanoseconds()
        values = iter(batch.values)
        for number in range(batch.steps):
            for name in batch.metrics:
                for native_id in batch.native_ids:
                    value = next(values, math.nan)
                    if not math.isnan(value):
                        yield (batch.kind, name, native_id, start + number * step), value


def _text(place: _Place) -> str:
    kind, name, native_id, when = place
    return f"{name} of {kind} {native_id!r} at {datetime.fromtimestamp(when / 1e9, UTC).isoformat()}"


@demands("metrics.once", "A sample of a metric, a resource and a time stands in the answer once.")
def once(bench: Bench) -> Iterator[Problem]:
    batches, _, _ = batches_now(bench)
    seen: set[_Place] = set()
    twice: list[_Place] = []
    for place, _ in _samples(batches):
        if place in seen:
            twice.append(place)
        seen.add(place)
    if twice:
        yield Problem(
            f"{len(twice)} samples stand in it twice, such as {_text(twice[0])}.",
            "CollectPerfMetrics",
            "Cut samples into batches so that none is in two.",
        )


@demands("metrics.history", "An array that keeps history gives the same samples again, whatever window they are in.")
def history(bench: Bench) -> Iterator[Problem]:
    bench.needs("CollectPerfMetrics", "GetCapabilities")
    _ = bench.storage
    if bench.capabilities is None or not bench.capabilities.is_historic:
        raise NotRun("the array keeps no history")
    batches, begin, end = batches_now(bench)
    whole = dict(_samples(batches))
    middle = begin + (end - begin) / 2
    parts: dict[_Place, float] = {}
    for first, last in ((begin, middle), (middle, end)):
        listing = collected(bench, first, last)
        if not listing.reply.ok:
            yield Problem(str(listing.reply), "CollectPerfMetrics", "Any window within the retention is answered.")
            return
        part = dict(_samples(listing.items))
        if both := parts.keys() & part.keys():
            place = min(both)
            yield Problem(
                f"{len(both)} samples are in two windows that follow each other, such as {_text(place)}.",
                f"CollectPerfMetrics until and from {middle.isoformat()}",
                "A window goes from its begin to before its end.",
            )
        parts.update(part)
    # The newest may have come, or been completed, in between.
    until = max((place[3] for place in whole), default=0)
    lost = [place for place in whole if place not in parts and place[3] < until]
    others = [place for place, value in whole.items() if place[3] < until and parts.get(place, value) != value]
    if lost:
        what = f"{len(lost)} samples are in the whole window, but in neither half of it, such as {_text(min(lost))}."
        yield Problem(what, "CollectPerfMetrics", "A sample belongs to the window in which its time lies.")
    if others:
        place = min(others)
        yield Problem(
            f"{len(others)} samples are others the second time, such as {_text(place)}: {whole[place]:g}, then "
            f"{parts[place]:g}.",
            "CollectPerfMetrics",
            "History doesn't change. An array that gives its present numbers only has none: is_historic is false.",
        )


@demands("metrics.consistent", "Reads and writes make up the total, and operations times their size the throughput.")
def consistent(bench: Bench) -> Iterator[Problem]:
    batches, _, _ = batches_now(bench)
    by_moment: dict[tuple[str, str, int], dict[str, float]] = {}
    for (kind, name, native_id, when), value in _samples(batches):
        by_moment.setdefault((kind, native_id, when), {})[name] = value
    told: set[tuple[str, str]] = set()
    for (kind, native_id, when), found in by_moment.items():
        for name, sentence, advice in _contradictions(found):
            if (kind, name) not in told:
                told.add((kind, name))
                yield Problem(f"{_text((kind, name, native_id, when))}: {sentence}.", "CollectPerfMetrics", advice)


def _contradictions(found: Mapping[str, float]) -> Iterator[tuple[str, str, str]]:
    for total, *parts in _SUMS:
        if total in found and all(part in found for part in parts):
            made = sum(found[part] for part in parts)
            if made > found[total] * (1 + _ROUGHLY) + _IDLE or made * _HALF < found[total] - _IDLE:
                sentence = f"{found[total]:g}, and {' and '.join(parts)} make {made:g}"
                yield total, sentence, "All three are of the same time and in the same unit."
    for moved, operations, size in _PRODUCTS:
        if moved in found and size in found and found.get(operations, 0) > _IDLE:
            made = found[operations] * found[size]
            if not made / _HALF <= found[moved] <= made * _HALF:
                sentence = f"{found[moved]:g} bytes/s, and {found[operations]:g} of {found[size]:g} bytes make {made:g}"
                yield moved, sentence, "Is one of them in KB or MB? All are in bytes."
