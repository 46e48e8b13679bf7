"""The handlers of CollectionService."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from delphis.sdk import metrics
from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.calls.errors import CallError, invalid, reasons
from services.calls.method import Call, Method, methods_of, unary
from services.fleet.fleet import Fleet
from services.fleet.storage import Storage
from services.telemetry.api.storages import require
from services.telemetry.collection import plan
from services.telemetry.collection.announced import awaited, measured, problems, retention
from services.telemetry.collection.collector import Collector
from services.telemetry.collection.records import Collection, KindState, gaps_of
from services.values import times

MAX_PAGE = 1000
MAX_WARNINGS = 20


class CollectionService:
    """Answers CollectionService."""

    def __init__(self, fleet: Fleet, collector: Collector) -> None:
        self._fleet = fleet
        self._collector = collector

    def methods(self) -> Iterator[Method]:
        """The service for a method table."""
        return methods_of(
            pb.DESCRIPTOR.services_by_name["CollectionService"],
            {
                "GetCollectionStatus": unary(pb.GetCollectionStatusRequest, self._get),
                "ListCollectionStatuses": unary(pb.ListCollectionStatusesRequest, self._list),
                "UpdateCollection": unary(pb.UpdateCollectionRequest, self._update),
                "CollectNow": unary(pb.CollectNowRequest, self._collect),
            },
        )

    async def _get(self, request: pb.GetCollectionStatusRequest, _: Call) -> pb.CollectionStatus:
        return self._shown(await require(self._fleet, request.storage_id))

    async def _list(self, request: pb.ListCollectionStatusesRequest, _: Call) -> pb.ListCollectionStatusesResponse:
        if request.page_size < 0:
            raise invalid("page_size", "It must not be negative.")
        if request.min_missed_windows < 0:
            raise invalid("min_missed_windows", "It must not be negative.")
        size = min(request.page_size or MAX_PAGE, MAX_PAGE)
        order = sorted(self._fleet.all().values(), key=lambda storage: (-self._failures(storage), storage.id))
        if request.page_token:
            ids = [storage.id for storage in order]
            token = request.page_token.removeprefix("after:")
            if token not in ids:
                raise CallError("INVALID_PAGE_TOKEN", "The page token is none of this list. Start again.", metadata={})
            del order[: ids.index(token) + 1]
        wanted = (storage for storage in order if self._missed(storage) >= request.min_missed_windows)
        page = list(islice(wanted, size + 1))
        more = len(page) > size
        return pb.ListCollectionStatusesResponse(
            collections=[self._shown(storage) for storage in page[:size]],
            next_page_token=f"after:{page[size - 1].id}" if more else "",
        )

    async def _update(self, request: pb.UpdateCollectionRequest, _: Call) -> pb.CollectionStatus:
        storage = await require(self._fleet, request.storage_id)
        given = request.settings
        settings = pb.CollectionSettings()
        settings.CopyFrom(self._collector.known(storage.id).settings)
        if given.HasField("interval"):
            least, most = plan.LEAST_INTERVAL * 1000, plan.MOST_INTERVAL * 1000
            if given.interval.seconds or given.interval.nanos:
                times.of_duration("interval", given.interval, least=least, most=most)
                settings.interval.CopyFrom(given.interval)
            else:
                settings.ClearField("interval")
        for kind, seconds in given.kind_intervals.items():
            if not metrics.of_kind(kind):
                raise invalid(
                    f"kind_intervals.{kind[:100]}", "No kind of this name has metrics. Name one such as disk."
                )
            if seconds and not plan.LEAST_INTERVAL <= seconds * 1000 <= plan.MOST_INTERVAL:
                raise invalid(f"kind_intervals.{kind}", "It must be 10 to 86,400 seconds; 0: as the others.")
            settings.kind_intervals.pop(kind, None)
            if seconds:
                settings.kind_intervals[kind] = seconds
        if given.HasField("off"):
            settings.off = given.off
        await self._collector.set(storage.id, settings)
        return self._shown(storage)

    async def _collect(self, request: pb.CollectNowRequest, _: Call) -> pb.CollectNowResponse:
        storage = await require(self._fleet, request.storage_id)
        told = self._collector.known(storage.id).capabilities
        if told is not None and not told.resource_metrics:
            raise CallError(
                "STORAGE_CAPABILITY_NOT_SUPPORTED",
                f"The storage {storage.id} measures nothing.",
                metadata={"storage_id": storage.id},
            )
        self._collector.want(storage.id)
        return pb.CollectNowResponse()

    def _failures(self, storage: Storage) -> int:
        kinds = awaited(storage, self._collector.known(storage.id))
        return max((state.failures for _, state, _ in kinds), default=0)

    def _missed(self, storage: Storage) -> int:
        kinds = awaited(storage, self._collector.known(storage.id))
        return max((state.missed(interval) for _, state, interval in kinds), default=0)

    def _shown(self, storage: Storage) -> pb.CollectionStatus:
        collection = self._collector.known(storage.id)
        refused = self._collector.refused.of(storage.id)
        shown = pb.CollectionStatus(
            storage_id=storage.id,
            storage_name=storage.name,
            settings=collection.settings,
            refused=refused.counts,
            warnings=self._warnings(storage, collection),
        )
        for one in refused.named.values():
            named = shown.refused_metrics.add(
                kind=one.kind, metric=one.metric, reason=one.reason, count=one.count, native_id=one.native_id
            )
            named.example = one.example
            named.last_at.FromMicroseconds(one.last_at)
        told = collection.capabilities
        if told is not None:
            shown.supported = bool(told.resource_metrics)
            shown.is_historic = told.is_historic
            if told.HasField("retention") and told.is_historic:
                shown.retention.FromMilliseconds(retention(told))
        next_at = self._collector.next_at(storage)
        if next_at is not None and not storage.is_new:
            shown.next_at.FromMilliseconds(max(next_at, times.now() // 1000))
        for kind, state, interval in measured(collection):
            self._show(kind, state, interval, shown.kinds.add())
        return shown

    def _warnings(self, storage: Storage, collection: Collection) -> list[str]:
        return [*self._collector.warnings(storage.id), *problems(collection)][:MAX_WARNINGS]

    def _show(self, kind: str, state: KindState, interval: int, shown: pb.KindCollection) -> None:
        shown.kind, shown.points, shown.failures = kind, state.points, state.failures
        shown.interval.FromMilliseconds(interval)
        if state.watermark and state.last_success_at:
            # An array without history was asked for all of an interval that has not ended yet.
            shown.watermark.FromMilliseconds(min(state.watermark, times.now() // 1000))
        if state.last_success_at:
            shown.last_success_at.FromMicroseconds(state.last_success_at)
        if state.failures:
            known = reasons().get(state.error_code)
            shown.error_code = state.error_code if known is None else known.text
            shown.error_msg = state.error_msg
            shown.missed_windows = state.missed(interval)
            shown.failing_since.FromMicroseconds(state.failing_since)
        shown.gaps.extend(gaps_of(state))
