"""What became of this process' spans."""

from __future__ import annotations

from collections.abc import Iterator

from delphis.tracing import spans
from services.observing.family import Family, Sample, counter


def traced() -> Iterator[Family]:
    """Nothing where traces are off."""
    if spans.tracer is None:
        return
    outbox = spans.tracer.outbox
    yield counter("delphis_spans_sent_total", "Spans that the receiver of traces took.", Sample(outbox.sent))
    yield counter(
        "delphis_spans_lost_total",
        "Spans that are lost: the receiver of traces did not take them, or not fast enough.",
        Sample(outbox.lost),
    )
