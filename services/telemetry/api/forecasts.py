"""The answers of ListForecasts."""

from __future__ import annotations

import base64
import json
from typing import Any

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.calls.errors import CallError, invalid
from services.fleet.fleet import Fleet
from services.telemetry.api.storages import require
from services.telemetry.exposition.latest import Names
from services.telemetry.forecast.forecasts import Forecasts, Foreseen

MAX_PAGE = 1000
_AFTER = "after:"


class ForecastList:
    """Lists what will be full, soonest first."""

    def __init__(self, fleet: Fleet, forecasts: Forecasts, names: Names) -> None:
        self._fleet = fleet
        self._forecasts = forecasts
        self._names = names

    async def answer(self, request: pb.ListForecastsRequest) -> pb.ListForecastsResponse:
        """A page. CallError where the request is wrong."""
        if request.page_size < 0:
            raise invalid("page_size", "It must not be negative.")
        after = _place_of(request.page_token) if request.page_token else None
        if request.storage_id:
            of = [(await require(self._fleet, request.storage_id)).id]
        else:
            of = list(self._fleet.all())
            self._forecasts.forget(of)
        found = await self._forecasts.of(of)
        if request.HasField("full_before"):
            before = request.full_before.ToMilliseconds()
            found = [one for one in found if one.full_at is not None and one.full_at < before]
        found = sorted((one for one in found if after is None or _place(one) > after), key=_place)
        size = min(request.page_size or MAX_PAGE, MAX_PAGE)
        page = found[:size]
        return pb.ListForecastsResponse(
            forecasts=[self._shown(one) for one in page],
            next_page_token=_token(page[-1]) if len(found) > size else "",
        )

    def _shown(self, one: Foreseen) -> pb.Forecast:
        [name] = self._names(one.storage_id, one.kind, (one.native_id,))
        shown = pb.Forecast(
            storage_id=one.storage_id,
            kind=one.kind,
            native_id=one.native_id,
            name=name,
            used=one.used,
            total=one.total,
            days=one.days,
        )
        line = one.trend
        if line is not None:
            shown.growth, shown.fit = line.growth, line.fit
            dates = (
                (shown.full_at, line.full_in),
                (shown.full_at_earliest, line.earliest),
                (shown.full_at_latest, line.latest),
            )
            for field, in_days in dates:
                at = one.after(in_days)
                if at is not None:
                    field.FromMilliseconds(at)
        return shown


def _place(one: Foreseen) -> tuple[bool, int, str, str, str]:
    """Where it stands in the list."""
    return (one.full_at is None, one.full_at or 0, one.storage_id, one.kind, one.native_id)


def _token(last: Foreseen) -> str:
    return _AFTER + base64.urlsafe_b64encode(json.dumps(_place(last)).encode()).decode()


def _place_of(token: str) -> tuple[bool, int, str, str, str]:
    try:
        place: Any = json.loads(base64.urlsafe_b64decode(token.removeprefix(_AFTER)))
        never, at, *texts = place
        storage_id, kind, native_id = (text if isinstance(text, str) else "" for text in texts)
        return (bool(never), int(at), storage_id, kind, native_id)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CallError(
            "INVALID_PAGE_TOKEN", "The page token is none of this list. Start again.", metadata={}
        ) from error
