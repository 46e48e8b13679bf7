"""ProcessService."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

from google.api import httpbody_pb2

from delphis.process.v1 import process_pb2 as pb
from delphis.type.v1 import options_pb2
from services.calls.errors import CallError
from services.calls.grpc_server import new_request_id
from services.calls.method import Call, Caller, Method, methods_of, stream, unary
from services.exposition.formats import negotiated
from services.observing.family import Family, Sample, gauge
from services.observing.observer import Observer
from services.observing.text import write
from services.relay.relay import Relay

log = logging.getLogger(__name__)

SERVICE = pb.DESCRIPTOR.services_by_name["ProcessService"]
SECONDS = 2.0
"""So long a process may take to answer: a scraper waits ten."""
_CORE = Caller("service", frozenset({options_pb2.SCOPE_SERVICE}))
_UP = "delphis_process_up"
_UP_HELP = "Whether the process answers (1) or not (0)."


class Other:
    """A process beside this one."""

    def __init__(self, relay: Relay) -> None:
        self.name = relay.name
        self._relay = relay
        [self._method] = [method for method in relay.methods([SERVICE]) if method.path.endswith("/ReadProcessMetrics")]

    @property
    def connected(self) -> bool:
        """Whether it can be reached, as far as is known."""
        return self._relay.connected

    async def families(self) -> list[Family] | None:
        """Its metrics; None: it does not answer."""
        if not self._relay.connected:
            return None
        assert self._method.unary is not None
        deadline = asyncio.get_running_loop().time() + SECONDS
        call = Call(self._method, _CORE, new_request_id(), deadline, "core")
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._method.unary(pb.ReadProcessMetricsRequest().SerializeToString(), call)
        except (CallError, TimeoutError) as error:
            log.warning(
                "the %s process does not tell its metrics: %s", self.name, str(error) or f"{SECONDS:g} s are over"
            )
            return None
        return list(_read(pb.ReadProcessMetricsResponse.FromString(answer)))


class ProcessMetrics:
    """Answers ProcessService in one process; in the core, for the others too."""

    def __init__(self, name: str, observer: Observer, others: Sequence[Other] = ()) -> None:
        """`name` is this process'."""
        self._name = name
        self._observer = observer
        self._others = others

    def methods(self) -> Iterator[Method]:
        """The service for a method table."""
        return methods_of(
            SERVICE,
            {
                "ExportProcessMetrics": stream(pb.ExportProcessMetricsRequest, self._export),
                "ReadProcessMetrics": unary(pb.ReadProcessMetricsRequest, self._read),
            },
        )

    async def _read(self, _: pb.ReadProcessMetricsRequest, __: Call) -> pb.ReadProcessMetricsResponse:
        return pb.ReadProcessMetricsResponse(families=map(_shown, await self._observer.families()))

    async def _export(self, request: pb.ExportProcessMetricsRequest, _: Call) -> AsyncIterator[httpbody_pb2.HttpBody]:
        own, *theirs = await asyncio.gather(self._observer.families(), *(other.families() for other in self._others))
        found = [(self._name, own), *zip((other.name for other in self._others), theirs, strict=True)]
        up = [Sample(float(families is not None), (("process", name),)) for name, families in found]
        labelled = [gauge(_UP, _UP_HELP, *up)]
        for name, families in found:
            labelled += _labelled(families or (), name)
        format_ = negotiated(request.accept)
        first = True
        for part in write(labelled, format_):
            yield httpbody_pb2.HttpBody(content_type=format_ if first else "", data=part)
            first = False


def _labelled(families: Iterable[Family], process: str) -> Iterator[Family]:
    label = ("process", process)
    for family in families:
        samples = tuple(Sample(sample.value, (label, *sample.labels)) for sample in family.samples)
        yield Family(family.name, family.help, family.is_counter, samples)


def _shown(family: Family) -> pb.ProcessMetricFamily:
    type_ = pb.PROCESS_METRIC_TYPE_COUNTER if family.is_counter else pb.PROCESS_METRIC_TYPE_GAUGE
    shown = pb.ProcessMetricFamily(name=family.name, help=family.help, type=type_)
    for sample in family.samples:
        added = shown.samples.add(value=sample.value)
        for name, value in sample.labels:
            added.labels.add(name=name, value=value)
    return shown


def _read(answer: pb.ReadProcessMetricsResponse) -> Iterator[Family]:
    for family in answer.families:
        samples = tuple(
            Sample(sample.value, tuple((label.name, label.value) for label in sample.labels))
            for sample in family.samples
        )
        yield Family(family.name, family.help, family.type == pb.PROCESS_METRIC_TYPE_COUNTER, samples)
