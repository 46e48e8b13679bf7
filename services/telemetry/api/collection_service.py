"""The handlers of CollectionService."""

from __future__ import annotations

from collections.abc import Iterator

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.calls.errors import CallError, invalid
from services.calls.method import Call, Method, methods_of, unary
from services.fleet.fleet import Fleet
from services.fleet.storage import Storage
from services.telemetry.api.metric_service import require
from services.telemetry.collection import plan
from services.telemetry.collection.collector import Collector, paces
from services.telemetry.collection.records import KindState, gaps_of
from services.values import times

MAX_PAGE = 1000


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
        size = min(request.page_size or MAX_PAGE, MAX_PAGE)
        order = sorted(self._fleet.all().values(), key=lambda storage: (-self._failures(storage), storage.id))
        ids = [storage.id for storage in order]
        begin = 0
        if request.page_token:
            token = request.page_token.removeprefix("after:")
            if token not in ids:
                raise CallError("INVALID_PAGE_TOKEN", "The page token is none of this list. Start again.", metadata={})
            begin = ids.index(token) + 1
        page = order[begin : begin + size]
        more = begin + size < len(order)
        return pb.ListCollectionStatusesResponse(
            collections=[self._shown(storage) for storage in page],
            next_page_token=f"after:{page[-1].id}" if more and page else "",
        )

    async def _update(self, request: pb.UpdateCollectionRequest, _: Call) -> pb.CollectionStatus:
        storage = await require(self._fleet, request.storage_id)
        given = request.settings
        settings = pb.CollectionSettings()
        settings.CopyFrom(self._collector.known(storage.id).settings)
        if given.HasField("interval"):
            least, most = plan.LEAST_INTERVAL * 1000, plan.MOST_INTERVAL * 1000
            times.of_duration("interval", given.interval, least=least, most=most)
            settings.interval.CopyFrom(given.interval)
        for kind, seconds in given.kind_intervals.items():
            if not plan.LEAST_INTERVAL <= seconds * 1000 <= plan.MOST_INTERVAL:
                raise invalid(f"kind_intervals.{kind[:100]}", "It must be 10 to 86,400 seconds.")
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
        return max((state.failures for state in self._collector.known(storage.id).kinds.values()), default=0)

    def _shown(self, storage: Storage) -> pb.CollectionStatus:
        collection = self._collector.known(storage.id)
        shown = pb.CollectionStatus(
            storage_id=storage.id,
            settings=collection.settings,
            refused=self._collector.refused(storage.id),
            warnings=self._collector.warnings(storage.id),
        )
        told = collection.capabilities
        if told is not None:
            shown.supported = bool(told.resource_metrics)
            shown.is_historic = told.is_historic
            if told.HasField("retention"):
                shown.retention.CopyFrom(told.retention)
        next_at = self._collector.next_at(storage)
        if next_at is not None:
            shown.next_at.FromMilliseconds(next_at)
        for kind, pace in sorted(paces(collection).items()):
            self._show(kind, collection.kinds.get(kind, KindState()), pace.interval, shown.kinds.add())
        return shown

    def _show(self, kind: str, state: KindState, interval: int, shown: pb.KindCollection) -> None:
        shown.kind, shown.points, shown.failures = kind, state.points, state.failures
        shown.interval.FromMilliseconds(interval)
        if state.watermark:
            shown.watermark.FromMilliseconds(state.watermark)
        if state.last_success_at:
            shown.last_success_at.FromMicroseconds(state.last_success_at)
        if state.failures:
            shown.error_code, shown.error_msg = state.error_code, state.error_msg
        shown.gaps.extend(gaps_of(state))
