"""The handlers of MetricService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Set
from itertools import chain, islice

from google.api import httpbody_pb2

from delphis.sdk import metrics
from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.calls.method import Call, Method, methods_of, stream, unary
from services.exposition.formats import negotiated
from services.fleet.fleet import Fleet
from services.fleet.storage import Storage
from services.store.engine import Store
from services.telemetry.api.forecasts import ForecastList
from services.telemetry.api.storages import require
from services.telemetry.collection.announced import paces
from services.telemetry.collection.collector import Collector
from services.telemetry.collection.records import gaps_of
from services.telemetry.exposition.latest import Latest, Names, Newest
from services.telemetry.exposition.text import Array, write
from services.telemetry.query.answering import Series
from services.telemetry.query.database import Database
from services.telemetry.query.queries import Queries
from services.telemetry.query.question import Question, question
from services.values import times

MAX_WARNINGS = 20
_STALE_INTERVALS, _STALE_SECONDS = 2, 60
"""A newest sample of an interval may be two of them old before the next one is here: arrays are not all asked in the
same moment, and answer late."""
_CAPACITIES_LAST = 3600 * 1000
"""Capacities are as old as the last sync, and hold until the next one."""


class MetricService:
    """Answers MetricService."""

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        collector: Collector,
        latest: Latest,
        names: Names,
        forecasts: ForecastList,
        database: Database | None = None,
    ) -> None:
        self._queries = Queries(store, database)
        self._fleet = fleet
        self._collector = collector
        self._latest = latest
        self._names = names
        self._forecasts = forecasts

    def methods(self) -> Iterator[Method]:
        """The service for a method table."""
        return methods_of(
            pb.DESCRIPTOR.services_by_name["MetricService"],
            {
                "ListMetrics": unary(pb.ListMetricsRequest, self._list),
                "QueryMetrics": unary(pb.QueryMetricsRequest, self._query),
                "ExportMetrics": stream(pb.ExportMetricsRequest, self._export),
                "ListForecasts": unary(pb.ListForecastsRequest, self._list_forecasts),
            },
        )

    async def _list(self, request: pb.ListMetricsRequest, _: Call) -> pb.ListMetricsResponse:
        described = (
            pb.MetricDescription(
                name=metric.name,
                unit=metric.unit,
                description=metric.description,
                kinds=metric.kinds,
                prometheus_name=metric.exposed("{kind}"),
            )
            for metric in metrics.catalogue().values()
        )
        return pb.ListMetricsResponse(metrics=sorted(described, key=lambda one: one.name))

    async def _query(self, request: pb.QueryMetricsRequest, _: Call) -> pb.QueryMetricsResponse:
        asked = question(request, now=times.now() // 1000, kinds=self._queries.kinds)
        only = {(await require(self._fleet, storage_id)).id for storage_id in sorted(asked.storage_ids)}
        storages = self._wanted(asked, only)
        answered = await self._queries.answer(asked, [storage.id for storage in storages], resources=self._known)
        response = pb.QueryMetricsResponse(
            source=answered.source,
            warnings=islice(chain(answered.warnings, self._missing(storages, asked)), MAX_WARNINGS),
        )
        for part in answered.parts:
            shown = response.parts.add(source=part.source, beyond_history=part.beyond, problem=part.problem)
            shown.begin_time.FromMilliseconds(part.span[0])
            shown.end_time.FromMilliseconds(part.span[1])
        for one in answered.series:
            self._show(one, asked.kind, response.series.add())
        return response

    def _known(self, storage_id: str) -> tuple[str, ...]:
        """The volumes that the newest window has."""
        newest = self._latest.of(frozenset({"volume"}), frozenset({storage_id}))
        return tuple(dict.fromkeys(native_id for one in newest for native_id in one.native_ids))

    def _wanted(self, asked: Question, only: Set[str]) -> list[Storage]:
        return [
            storage
            for storage in self._fleet.all().values()
            if (not only or storage.id in only)
            and all(storage.labels.get(key) == value for key, value in asked.labels.items())
        ]

    def _show(self, one: Series, kind: str, shown: pb.MetricSeries) -> None:
        shown.metric, shown.unit = one.metric.name, one.metric.unit
        shown.storage_id, shown.native_id = one.storage_id, one.native_id
        storage = self._fleet.get(one.storage_id)
        if storage is not None:
            shown.storage_name = storage.name
        if one.native_id:
            [shown.resource_name] = self._names(one.storage_id, kind, (one.native_id,))
        shown.times.extend(one.times.tolist())
        shown.values.extend(one.values.tolist())

    def _missing(self, storages: list[Storage], asked: Question) -> Iterator[str]:
        """Says of which arrays the newest windows are missing, and which are lost."""
        for storage in storages:
            state = self._collector.known(storage.id).kinds.get(asked.kind)
            if state is None:
                continue
            if state.failures:
                yield f"{storage.name}: its last {state.failures} collections failed: {state.error_msg}"
            for gap in gaps_of(state):
                if gap.begin_time.ToMilliseconds() < asked.end and gap.end_time.ToMilliseconds() > asked.begin:
                    span = f"from {gap.begin_time.ToJsonString()} to {gap.end_time.ToJsonString()}"
                    yield f"{storage.name}: nothing {span}: {gap.reason}"

    async def _export(self, request: pb.ExportMetricsRequest, _: Call) -> AsyncIterator[httpbody_pb2.HttpBody]:
        arrays = {
            storage.id: Array(storage.id, storage.name, storage.vendor, storage.model)
            for storage in self._fleet.all().values()
        }
        only = frozenset([(await require(self._fleet, storage_id)).id for storage_id in request.storage_ids])
        now = times.now() // 1000
        told = self._latest.of(frozenset(request.kinds) or None, only or None)
        newest = [one for one in told if now - one.at <= self._lasting(one)]
        format_ = negotiated(request.accept)
        first = True
        for part in write(newest, arrays, self._names, format_):
            yield httpbody_pb2.HttpBody(content_type=format_ if first else "", data=part)
            first = False
            await asyncio.sleep(0)
        if first:
            yield httpbody_pb2.HttpBody(content_type=format_)

    def _lasting(self, one: Newest) -> int:
        """Milliseconds for which values are taken for those of now."""
        pace = paces(self._collector.known(one.storage_id)).get(one.kind)
        interval = pace.interval if pace is not None else 0
        if pace is None or all(metrics.catalogue()[name].is_capacity for name in one.metrics):
            storage = self._fleet.get(one.storage_id)
            synced = storage.message.sync_interval.ToMilliseconds() if storage is not None else 0
            interval = max(interval, synced, _CAPACITIES_LAST)
        return _STALE_INTERVALS * interval + _STALE_SECONDS * 1000

    async def _list_forecasts(self, request: pb.ListForecastsRequest, _: Call) -> pb.ListForecastsResponse:
        return await self._forecasts.answer(request)
