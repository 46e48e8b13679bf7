"""The handlers of MetricService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from google.api import httpbody_pb2

from delphis.sdk import metrics
from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.calls.method import Call, Method, methods_of, stream, unary
from services.fleet.fleet import Fleet
from services.fleet.storage import Storage
from services.store.engine import Store
from services.telemetry.api.forecasts import ForecastList
from services.telemetry.api.storages import require
from services.telemetry.collection.announced import paces
from services.telemetry.collection.collector import Collector
from services.telemetry.exposition.formats import negotiated
from services.telemetry.exposition.latest import Latest, Names, Newest
from services.telemetry.exposition.text import Array, write
from services.telemetry.query.answering import Series, answer
from services.telemetry.query.question import Question, question
from services.values import times

MAX_WARNINGS = 20
_STALE_INTERVALS = 2
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
    ) -> None:
        self._store = store
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
        asked = question(request, now=times.now() // 1000)
        for storage_id in sorted(asked.storage_ids):
            await require(self._fleet, storage_id)
        storages = self._wanted(asked)
        ids = [storage.id for storage in storages]
        found = await self._store.scan(lambda connection: answer(connection, asked, ids))
        response = pb.QueryMetricsResponse(source=pb.METRIC_SOURCE_HISTORY, warnings=self._late(storages, asked))
        for one in found:
            self._show(one, asked.kind, response.series.add())
        return response

    def _wanted(self, asked: Question) -> list[Storage]:
        return [
            storage
            for storage in self._fleet.all().values()
            if (not asked.storage_ids or storage.id in asked.storage_ids)
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

    def _late(self, storages: list[Storage], asked: Question) -> list[str]:
        """Says of which arrays the newest windows are missing."""
        warnings: list[str] = []
        for storage in storages:
            state = self._collector.known(storage.id).kinds.get(asked.kind)
            if state is not None and state.failures:
                warnings.append(f"{storage.name}: its last {state.failures} collections failed: {state.error_msg}")
        return warnings[:MAX_WARNINGS]

    async def _export(self, request: pb.ExportMetricsRequest, _: Call) -> AsyncIterator[httpbody_pb2.HttpBody]:
        arrays = {
            storage.id: Array(storage.id, storage.name, storage.vendor, storage.model)
            for storage in self._fleet.all().values()
        }
        for storage_id in request.storage_ids:
            await require(self._fleet, storage_id)
        kinds = frozenset(request.kinds) or None
        storage_ids = frozenset(request.storage_ids) or None
        newest = [one for one in self._latest.of(kinds, storage_ids) if self._holds(one)]
        format_ = negotiated(request.accept)
        first = True
        for part in write(newest, arrays, self._names, format_):
            yield httpbody_pb2.HttpBody(content_type=format_ if first else "", data=part)
            first = False
            await asyncio.sleep(0)
        if first:
            yield httpbody_pb2.HttpBody(content_type=format_)

    def _holds(self, one: Newest) -> bool:
        """Whether the values are not too old to be taken for those of now."""
        pace = paces(self._collector.known(one.storage_id)).get(one.kind)
        interval = pace.interval if pace is not None else _CAPACITIES_LAST
        if all(metrics.catalogue()[name].is_capacity for name in one.metrics):
            interval = max(interval, _CAPACITIES_LAST)
        return times.now() // 1000 - one.at <= _STALE_INTERVALS * interval

    async def _list_forecasts(self, request: pb.ListForecastsRequest, _: Call) -> pb.ListForecastsResponse:
        return await self._forecasts.answer(request)
