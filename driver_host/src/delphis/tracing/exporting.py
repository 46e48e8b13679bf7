"""Spans as OpenTelemetry makes them, and how they leave: in the background, or not at all.

Needs the extra `tracing`. A receiver that is slow or away costs its spans, which are counted, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from delphis.tracing import scope
from delphis.tracing.scope import TraceContext
from delphis.tracing.spans import NOTHING, Kind

log = logging.getLogger(__name__)

_KINDS = {Kind.INTERNAL: SpanKind.INTERNAL, Kind.SERVER: SpanKind.SERVER, Kind.CLIENT: SpanKind.CLIENT}
_EXPORTERS_LOG = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_COMPLAINT_SECONDS = 60.0


class Span:
    """A part of a trace while it lasts. What is told of it are names, ids and codes: no texts of errors, no bodies."""

    __slots__ = ("_span", "_spoilt", "trace")

    def __init__(self, span: trace.Span) -> None:
        known = span.get_span_context()
        parent = f"00-{known.trace_id:032x}-{known.span_id:016x}-{known.trace_flags:02x}"
        self.trace = TraceContext(parent, known.trace_state.to_header(), span)
        self._span = span
        self._spoilt = False

    def set(self, name: str, value: str | int) -> None:
        """Tells something of it."""
        self._span.set_attribute(name, value)

    def failed(self, error: BaseException) -> None:
        """It ends with an error, of which its reason is told."""
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            self._span.set_attribute("error.type", "CANCELLED")  # that its caller gave up is no fault
        else:
            self.spoil(getattr(error, "reason", "") or type(error).__name__)

    def spoil(self, reason: str) -> None:
        """It ends badly. What is said first counts: it is nearest to the cause."""
        if self._spoilt:
            return
        self._spoilt = True
        self._span.set_attribute("error.type", reason)
        self._span.set_status(Status(StatusCode.ERROR))

    def end(self) -> None:
        """It is over; a second time makes no difference."""
        if self._span.is_recording():
            self._span.end()


class Tracer:
    """Makes the spans of a process. What is sampled, and where it goes, OpenTelemetry reads from the environment."""

    def __init__(
        self, service: str, version: str, about: Mapping[str, str], exporter: SpanExporter | None = None
    ) -> None:
        exporter = exporter or OTLPSpanExporter()
        self.endpoint = str(getattr(exporter, "_endpoint", "")).rpartition("@")[2]
        self.outbox = Outbox(exporter, self.endpoint)
        resource = Resource.create({**about, "service.version": version, "service.instance.id": str(uuid.uuid4())})
        # Behind what the environment says: one that is the same for several processes would make them one.
        resource = resource.merge(Resource({"service.name": service}))
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(self.outbox)
        self._tracer = provider.get_tracer("delphis", version)

    def begin(
        self, name: str, parent: TraceContext | None, kind: Kind = Kind.INTERNAL, about: Mapping[str, str] = NOTHING
    ) -> Span:
        """A span beneath `parent`; without one, the first of a trace.

        Args:
            name: What is done, without anything that differs from one time to the next.
            parent: Of this process, or what a caller said.
            kind: Whether it is a call, seen from either side.
            about: What is known of it. What is empty is left out.
        """
        told = {key: value for key, value in about.items() if value}
        return Span(self._tracer.start_span(name, _beneath(parent), _KINDS[kind], told))

    @contextmanager
    def run(self, span: Span) -> Iterator[Span]:
        """Makes it the work at hand for a block, ours and that of libraries which make spans, and ends it."""
        token = scope.enter(scope.current()._replace(trace=span.trace))
        attached = context.attach(trace.set_span_in_context(span.trace.span))
        try:
            yield span
        except BaseException as error:
            span.failed(error)
            raise
        finally:
            context.detach(attached)
            scope.leave(token)
            span.end()

    def close(self, seconds: float) -> None:
        """Sends what waits, for so long."""
        self.outbox.close(seconds)


def _beneath(parent: TraceContext | None) -> context.Context:
    if parent is None:
        return context.Context()
    if parent.span is not None:
        return trace.set_span_in_context(parent.span, context.Context())
    known = SpanContext(
        int(parent.parent[3:35], 16),
        int(parent.parent[36:52], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(parent.parent[53:55], 16) & TraceFlags.SAMPLED),
        trace_state=TraceState.from_header([parent.state]) if parent.state else TraceState(),
    )
    return trace.set_span_in_context(NonRecordingSpan(known), context.Context())


class Outbox(SpanProcessor):
    """Spans that ended and wait to be sent, of which there is room for so many. Those beyond are lost, and counted."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self.sent = 0
        self.lost = 0
        self._exporter = exporter
        self._endpoint = endpoint
        self._room = _number("OTEL_BSP_MAX_QUEUE_SIZE", 2048)
        self._batch = min(_number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512), self._room)
        self._delay = _number("OTEL_BSP_SCHEDULE_DELAY", 2000) / 1000
        self._waiting: deque[ReadableSpan] = deque()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ending = False
        self._told = 0
        self._complained = -_COMPLAINT_SECONDS
        logging.getLogger(_EXPORTERS_LOG).addFilter(Seldom())
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    def on_end(self, span: ReadableSpan) -> None:
        """Takes a span that ended."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        with self._lock:
            if self._ending or len(self._waiting) >= self._room:
                self.lost += 1
                return
            self._waiting.append(span)
            full = len(self._waiting) >= self._batch
        if full:
            self._wake.set()

    def close(self, seconds: float) -> None:
        """Sends what waits, for so long; the rest is lost."""
        with self._lock:
            self._ending = True
        self._wake.set()
        self._thread.join(seconds)
        with self._lock:
            self.lost += len(self._waiting)
            self._waiting.clear()
        self._exporter.shutdown()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._delay)
            self._wake.clear()
            while batch := self._taken():
                self._send(batch)
            if self._ending:
                return

    def _taken(self) -> list[ReadableSpan]:
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]

    def _send(self, batch: list[ReadableSpan]) -> None:
        try:
            taken = self._exporter.export(batch) is SpanExportResult.SUCCESS
        except Exception:
            log.exception("sending traces failed in an unforeseen way")
            taken = False
        with self._lock:
            if taken:
                self.sent += len(batch)
            else:
                self.lost += len(batch)
        self._complain()

    def _complain(self) -> None:
        now = time.monotonic()
        if self.lost == self._told or now - self._complained < _COMPLAINT_SECONDS:
            return
        lost, self._told, self._complained = self.lost - self._told, self.lost, now
        log.warning("%d spans are lost: %s does not take them, or not fast enough", lost, self._endpoint)


class Seldom(logging.Filter):
    """Lets a record pass once a minute: the exporter says of each batch that it failed."""

    def __init__(self) -> None:
        super().__init__()
        self._last = -_COMPLAINT_SECONDS

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it may pass."""
        now = time.monotonic()
        if now - self._last < _COMPLAINT_SECONDS:
            return False
        self._last = now
        return True


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and int(value) else default
