"""Asks one array for its alerts."""

from __future__ import annotations

from dataclasses import dataclass, field

from delphis.driver.v1 import storage_driver_pb2
from delphis.type.v1 import alert_pb2
from services.calls.errors import CallError
from services.fleet.core import Core, target

MOST_ALERTS = 100_000
MOST_WARNINGS = 20


@dataclass(slots=True)
class Reading:
    """What an array listed."""

    alerts: list[alert_pb2.Alert] = field(default_factory=list[alert_pb2.Alert])
    complete: bool = False
    """It is all that is open, or all of the time that was asked for."""
    warnings: list[str] = field(default_factory=list[str])


async def read_alerts(core: Core, storage_id: str, begin: int | None, end: int | None) -> Reading:
    """The alerts of an array. `begin` and `end` are milliseconds since 1970. CallError."""
    request = storage_driver_pb2.ListAlertsRequest(target=target(storage_id))
    if begin is not None:
        request.begin_time.FromMilliseconds(begin)
    if end is not None:
        request.end_time.FromMilliseconds(end)
    reading = Reading()
    async for answer in core.list_from_array("ListAlerts", request, storage_driver_pb2.ListAlertsResponse):
        if len(reading.alerts) + len(answer.items) > MOST_ALERTS:
            raise CallError("DRIVER_BROKE_CONTRACT", f"The array lists more than {MOST_ALERTS:,} alerts.")
        reading.alerts.extend(answer.items)
        reading.complete = answer.complete
        reading.warnings.extend(" ".join(warning.message.split()) for warning in answer.warnings)
    if not reading.complete:
        reading.warnings.insert(0, "The array's list is incomplete: nothing was cleared.")
    del reading.warnings[MOST_WARNINGS:]
    return reading
