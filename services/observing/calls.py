"""What a pipeline counts."""

from __future__ import annotations

from collections.abc import Iterator

from services.calls.pipeline import CallMetrics
from services.observing.family import Family, Sample, counter, gauge
from services.observing.observer import Source


def calls(metrics: CallMetrics) -> Source:
    """The calls of a process, from whichever way in they came."""

    def families() -> Iterator[Family]:
        ended = [((("method", path), ("code", code)), count) for (path, code), count in metrics.ended.items()]
        yield counter(
            "delphis_calls_total",
            "Calls that ended, by method and gRPC code.",
            *(Sample(count.calls, labels) for labels, count in ended),
        )
        yield counter(
            "delphis_call_seconds_total",
            "Time that calls took in all, by method and gRPC code.",
            *(Sample(count.seconds, labels) for labels, count in ended),
        )
        yield gauge("delphis_calls_in_flight", "Calls that run, without watches.", Sample(metrics.in_flight))
        yield gauge("delphis_watches", "Streams that last as long as their readers want.", Sample(metrics.watches))

    return families
