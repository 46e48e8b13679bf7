"""Spans around the work of a process: off, unless OpenTelemetry's own variables of the environment ask for them.

While they are off, nothing of OpenTelemetry is imported, and `tracer` is None.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from delphis.tracing.scope import Scope, current, enter, leave

if TYPE_CHECKING:
    from delphis.tracing.exporting import Span, Tracer

log = logging.getLogger(__name__)

_T = TypeVar("_T")

SPOKEN = "http/protobuf"
SERVICE_NAME = "OTEL_SERVICE_NAME"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")

STORAGE_ID, DRIVER, REQUEST_ID = "delphis.storage_id", "delphis.driver", "delphis.request_id"
"""Attributes of spans."""
NOTHING: Mapping[str, str] = MappingProxyType({})


class Kind(Enum):
    """What a span is."""

    INTERNAL = "internal"
    SERVER = "server"
    """A call, seen from who is called."""
    CLIENT = "client"
    """A call, seen from who calls."""


tracer: Tracer | None = None
"""Makes the spans of this process; None: they are off."""


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names a receiver of OTLP, or asks for one by `OTEL_TRACES_EXPORTER=otlp`."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = [name.strip().lower() for name in environment.get("OTEL_TRACES_EXPORTER", "").split(",")]
    return "otlp" in exporters or (exporters == [""] and any(environment.get(name) for name in _ENDPOINTS))


def for_hosts(environment: Mapping[str, str]) -> dict[str, str]:
    """What of it a driver host is told: all but the headers, which may hold a token that is not the driver's."""
    if not wanted(environment):
        return {}
    told = {name: value for name, value in environment.items() if name.startswith("OTEL_") and name not in _HEADERS}
    return {**told, SERVICE_NAME: service_name("driver-host", environment)}


def service_name(process: str, environment: Mapping[str, str] = os.environ) -> str:
    """How a process is named in spans: `delphis-core`; `OTEL_SERVICE_NAME` stands in the place of `delphis`."""
    return f"{environment.get(SERVICE_NAME) or 'delphis'}-{process}"


def start(service: str, version: str, **about: str) -> None:
    """Begins to make spans, where they are wanted. Where that is impossible the log says why, and all else goes on."""
    global tracer
    if not wanted():
        return
    protocol = next((value for name in _PROTOCOLS if (value := os.environ.get(name))), SPOKEN)
    if protocol != SPOKEN:
        log.error("no traces are sent: the protocol is %s, and only %s is spoken here", protocol, SPOKEN)
        return
    try:
        from delphis.tracing.exporting import Tracer

        tracer = Tracer(service, version, about)
    except ImportError as error:
        log.error("no traces are sent: %s. Install delphis-driver-sdk[tracing]", error)
        return
    except Exception as error:  # noqa: BLE001 - whatever is wrong with its settings, all else goes on
        log.error("no traces are sent: what OTEL_* says can't be used: %s", error)
        return
    log.info("traces are sent to %s", tracer.endpoint)


def stop(seconds: float = 0.5) -> None:
    """Sends what waits, for so long, and makes no more."""
    global tracer
    ending, tracer = tracer, None
    if ending is not None:
        ending.close(seconds)


@contextmanager
def work(name: str, *, storage_id: str) -> Iterator[None]:
    """Runs a block that does not yield as what Delphis does of its own accord: the beginning of a trace."""
    token = enter(Scope(storage_id=storage_id))
    try:
        if tracer is None:
            yield
        else:
            with tracer.run(tracer.begin(name, None, about={STORAGE_ID: storage_id})):
                yield
    finally:
        leave(token)


def begin_call(name: str, about: Mapping[str, str] = NOTHING) -> Span | None:
    """A call to somebody else, as a part of the trace at hand if there is one. Its maker ends it."""
    trace = current().trace
    return None if tracer is None or trace is None else tracer.begin(name, trace, Kind.CLIENT, about)


def outgoing(span: Span | None) -> tuple[tuple[str, str], ...]:
    """The metadata that tell whom we call of the trace: of that span; without one, as our own caller told it."""
    trace = current().trace if span is None else span.trace
    return () if trace is None else trace.metadata()


def run(name: str, job: Callable[[], _T], about: Mapping[str, str] = NOTHING) -> _T:
    """Runs something as a part of the trace at hand, if there is one."""
    trace = current().trace
    if tracer is None or trace is None:
        return job()
    with tracer.run(tracer.begin(name, trace, about=about)):
        return job()
