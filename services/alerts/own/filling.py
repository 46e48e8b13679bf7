"""Pools and arrays that will soon be full, as far as that is sure."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.alerts.own.conditions import Condition
from services.alerts.own.kinds import ARRAY_FULL_SOON, MAJOR, POOL_FULL_SOON, WARNING, Kind
from services.values import times

LEAST_DAYS = 5
"""Of fewer nothing follows."""
FURTHER = 1.25
"""By so much further than what is near a date has to be for that to be news."""
_ARRAY = "storage"


def kind_of(forecast: pb.Forecast) -> tuple[Kind, str]:
    """What it would be an alert of."""
    return (ARRAY_FULL_SOON, "") if forecast.kind == _ARRAY else (POOL_FULL_SOON, forecast.native_id)


def filling(forecast: pb.Forecast, now: int, within: int, before: int) -> Condition | None:
    """The condition, where the likely date is near; None where it isn't. `before` is its severity until now, or 0.

    It has to be sure that it grows at all: the latest date is known. Where that one is near too, it is worse.
    """
    if not forecast.HasField("full_at") or times.of_stamp(forecast.full_at) > now + within:
        return None
    if not before and (forecast.growth <= 0 or not forecast.HasField("full_at_latest")):
        return None
    latest = times.of_stamp(forecast.full_at_latest) if forecast.HasField("full_at_latest") else None
    limit = now + int(within * (FURTHER if before == MAJOR else 1))
    kind, detail = kind_of(forecast)
    what = "The array" if forecast.kind == _ARRAY else f"The pool {forecast.name or forecast.native_id}"
    return Condition(
        kind,
        f"{what} will likely be full on {_day(forecast.full_at)}{_between(forecast)}. It grows by"
        f" {_size(forecast.growth)} a day; {_size(forecast.used)} of {_size(forecast.total)} are used.",
        detail=detail,
        severity=MAJOR if latest is not None and latest <= limit else WARNING,
        resource_type=forecast.kind,
        native_resource_id=detail,
        location="" if forecast.kind == _ARRAY else forecast.name,
    )


def is_over(forecast: pb.Forecast | None, now: int, within: int) -> bool:
    """Whether what was near is so no longer. None: there is no such pool now."""
    if forecast is None:
        return True
    if forecast.HasField("full_at"):
        return times.of_stamp(forecast.full_at) > now + int(within * FURTHER)
    return forecast.days >= LEAST_DAYS


def _between(forecast: pb.Forecast) -> str:
    if not forecast.HasField("full_at_latest") or not forecast.HasField("full_at_earliest"):
        return ""
    earliest, latest = _day(forecast.full_at_earliest), _day(forecast.full_at_latest)
    return "" if earliest == latest else f", with a probability of 90 % between {earliest} and {latest}"


def _day(stamp: Timestamp) -> str:
    return stamp.ToDatetime().date().isoformat()


def _size(size: float) -> str:
    for factor, unit in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if abs(size) >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} B"
