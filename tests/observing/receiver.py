"""A receiver of OpenTelemetry's traces, over HTTP, that keeps what it is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.support.up import wait_for

FIRST = ""


class Seen(NamedTuple):
    """A span, as it was received."""

    service: str
    trace_id: str
    parent_id: str
    """`FIRST`: it has none."""
    span_id: str
    name: str
    kind: int
    state: str
    attributes: dict[str, Any]
    failed: bool


class Receiver:
    """Answers 200, or what `status` says; holds its answers while `free` is not set."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.status = 200
        self.closed = False
        self.free = threading.Event()
        self.free.set()
        self.spans: list[Seen] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def take(self, body: bytes) -> None:
        """Called for each request."""
        self.bodies.append(body)
        if self.status == 200:
            self.spans += _read(ExportTraceServiceRequest.FromString(body))

    def named(self, name: str, *, trace_id: str = "", **attributes: Any) -> Seen:
        """The first span of the name, of that trace and with those attributes (`__` for a dot), once it is there."""
        wanted = {key.replace("__", "."): value for key, value in attributes.items()}

        def found() -> Seen | None:
            for span in list(self.spans):
                if span.name == name and trace_id in ("", span.trace_id) and wanted.items() <= span.attributes.items():
                    return span
            return None

        return wait_for(f"span {name} {trace_id} {wanted}", found, 60)

    def chain(self, last: Seen) -> list[Seen]:
        """The spans from the first of the trace to this one; each must have been received."""
        found = [last]
        while found[0].parent_id != FIRST:
            parent_id = found[0].parent_id
            found.insert(0, wait_for(f"span {parent_id}", partial(self._span, parent_id), 60))
        return found

    def beneath(self, parent_id: str, trace_id: str) -> Seen:
        """The first span of a trace beneath another one, once it is there."""

        def found() -> Seen | None:
            mine = [span for span in list(self.spans) if span.trace_id == trace_id]
            return next((span for span in mine if span.parent_id == parent_id), None)

        return wait_for(f"span beneath {parent_id} of {trace_id}", found, 60)

    def _span(self, span_id: str) -> Seen | None:
        return next((span for span in list(self.spans) if span.span_id == span_id), None)

    def close(self) -> None:
        """Ends it, with all connections; a second time makes no difference."""
        if self.closed:
            return
        self.closed = True
        self.free.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver for a block."""
    running = Receiver()
    try:
        yield running
    finally:
        running.close()


def _read(request: ExportTraceServiceRequest) -> Iterator[Seen]:
    for resource in request.resource_spans:
        service = next(one.value.string_value for one in resource.resource.attributes if one.key == "service.name")
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Seen(
                    service=service,
                    trace_id=span.trace_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    span_id=span.span_id.hex(),
                    name=span.name,
                    kind=span.kind,
                    state=span.trace_state,
                    attributes={one.key: one.value.string_value or one.value.int_value for one in span.attributes},
                    failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
                )


def _handler(kept: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if kept.closed:  # connections outlive the server that took them
                self.close_connection = True
                return
            kept.take(body)
            kept.free.wait(60)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(kept.status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    return Handler
