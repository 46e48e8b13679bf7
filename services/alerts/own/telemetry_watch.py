"""What telemetry says: collections that fail, and pools and arrays that will soon be full.

Telemetry is asked through the core. Nothing is over because it is not listed: the array is asked for then, by itself,
and where there is no answer all stays as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from delphis.alert.v1 import alert_pb2
from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.alerts.arrays import Array, Arrays
from services.alerts.own.conditions import Condition, Conditions, key_of
from services.alerts.own.filling import filling, is_over, kind_of
from services.alerts.own.kinds import ARRAY_FULL_SOON, COLLECTION_LATE, POOL_FULL_SOON
from services.calls.errors import CallError
from services.fleet.core import Core
from services.values import times

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
ASK_SECONDS = 30.0
PAGE = 500
_STATUS = "/delphis.telemetry.v1.CollectionService/GetCollectionStatus"
_STATUSES = "/delphis.telemetry.v1.CollectionService/ListCollectionStatuses"
_FORECASTS = "/delphis.telemetry.v1.MetricService/ListForecasts"


class TelemetryWatch:
    """Looks from time to time."""

    def __init__(
        self, core: Core, arrays: Arrays, conditions: Conditions, settings: Callable[[], alert_pb2.AlertSettings]
    ) -> None:
        self._core = core
        self._arrays = arrays
        self._conditions = conditions
        self._settings = settings
        self._away = False
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look."""
        self._task = asyncio.create_task(self._run(), name="own alerts: telemetry")

    async def stop(self) -> None:
        """Looks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def refresh(self) -> None:
        """The settings changed."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.look()
            except Exception:
                log.exception("what telemetry says can't be said on by a fault of Delphis")
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Asks telemetry once. Where it is away, nothing is raised and nothing is over."""
        settings = self._settings()
        try:
            await self._collections(settings.missed_collections)
            await self._forecasts(settings.full_within.ToMicroseconds())
        except CallError as error:
            if not self._away:
                log.info("telemetry says nothing of collections and forecasts now: %s", error.message)
            self._away = True
        else:
            self._away = False

    async def _collections(self, most: int) -> None:
        late: set[tuple[str, str]] = set()
        async for status in self._late(most):
            array = self._asked(status.storage_id)
            if array is None:
                continue
            found = [_late(kind) for kind in status.kinds if kind.missed_windows >= most]
            holding = {one.key: one for one in found}
            late.update((array.id, key) for key in holding)
            await self._conditions.settle(array, holding, holding)
        for array, keys in self._raised(late, COLLECTION_LATE.name):
            over = keys
            if most:
                request = pb.GetCollectionStatusRequest(storage_id=array.id)
                status = await self._core.ask(_STATUS, request, pb.CollectionStatus, timeout=ASK_SECONDS)
                over = [key for key in keys if _is_collected(status, key, most)]
            await self._conditions.settle(array, {}, over)

    async def _forecasts(self, within: int) -> None:
        near: set[tuple[str, str]] = set()
        now = times.now()
        async for forecast in self._near(now, within):
            array = self._asked(forecast.storage_id)
            if array is None:
                continue
            key = key_of(*kind_of(forecast))
            raised = self._conditions.get(array.id, key)
            found = filling(forecast, now, within, 0 if raised is None else raised.severity)
            if found is not None:
                near.add((array.id, key))
                await self._conditions.settle(array, {key: found}, (key,))
        for array, keys in self._raised(near, ARRAY_FULL_SOON.name, POOL_FULL_SOON.name):
            over = keys
            if within:
                told = [one async for one in self._forecasts_of(pb.ListForecastsRequest(storage_id=array.id))]
                by_key = {key_of(*kind_of(one)): one for one in told}
                # One that is not told of any longer is gone; where nothing is told, nobody knows.
                over = [key for key in keys if told and is_over(by_key.get(key), now, within)]
            await self._conditions.settle(array, {}, over)

    def _asked(self, storage_id: str) -> Array | None:
        """The array, where anything is to be said of it: nobody asks one that is paused, and how it is stays so."""
        array = self._arrays.get(storage_id)
        return None if array is None or array.paused else array

    def _raised(self, found: set[tuple[str, str]], *names: str) -> list[tuple[Array, list[str]]]:
        """Arrays with what is raised of these kinds and was not found now."""
        raised: list[tuple[Array, list[str]]] = []
        for storage_id in sorted(self._conditions.storages()):
            array = self._asked(storage_id)
            keys = [key for key in self._conditions.keys(storage_id) if key.partition(":")[0] in names]
            keys = [key for key in keys if (storage_id, key) not in found]
            if array is not None and keys:
                raised.append((array, keys))
        return raised

    async def _late(self, most: int) -> AsyncIterator[pb.CollectionStatus]:
        request = pb.ListCollectionStatusesRequest(min_missed_windows=most, page_size=PAGE)
        while most:
            page = await self._core.ask(_STATUSES, request, pb.ListCollectionStatusesResponse, timeout=ASK_SECONDS)
            for status in page.collections:
                yield status
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def _near(self, now: int, within: int) -> AsyncIterator[pb.Forecast]:
        if within:
            request = pb.ListForecastsRequest()
            request.full_before.FromMicroseconds(now + within)
            async for forecast in self._forecasts_of(request):
                yield forecast

    async def _forecasts_of(self, request: pb.ListForecastsRequest) -> AsyncIterator[pb.Forecast]:
        request.page_size = PAGE
        while True:
            page = await self._core.ask(_FORECASTS, request, pb.ListForecastsResponse, timeout=ASK_SECONDS)
            for forecast in page.forecasts:
                yield forecast
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


def _late(kind: pb.KindCollection) -> Condition:
    since = kind.failing_since.ToDatetime().isoformat(sep=" ", timespec="seconds")
    words = (
        f"The metrics of kind {kind.kind} have not been collected since {since} UTC; {kind.missed_windows} windows"
        f" were missed. {kind.error_msg}"
    )
    return Condition(COLLECTION_LATE, words, detail=kind.kind)


def _is_collected(status: pb.CollectionStatus, key: str, most: int) -> bool:
    """Whether a kind that was late is collected, or nobody wants it or can have it."""
    kinds = {key_of(COLLECTION_LATE, kind.kind): kind for kind in status.kinds}
    if status.settings.off:
        return True
    if key not in kinds:
        return status.HasField("supported")
    kind = kinds[key]
    return kind.HasField("last_success_at") and kind.missed_windows < most
